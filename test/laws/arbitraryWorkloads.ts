/**
 * Arbitrary workloads of every kind, and what users do to them while they run.
 *
 * Owns: the manifests of one Deployment, StatefulSet, DaemonSet, ReplicaSet and budget, and times and targets
 * of restarts, scaling, deletions and evictions. Refuses to own: what must hold.
 */
import fc from "fast-check";
import type { WholeScenario } from "../../src/testing/arbitraries/scenarios.ts";

export interface Act {
  readonly what: "restart" | "scale" | "evict" | "delete";
  readonly atMs: number;
  /** Which pod, what size: whatever the act makes of it. */
  readonly which: number;
}

export interface WorkloadDraft {
  readonly replicas: number;
  readonly surge: number | string;
  readonly unavailable: number | string;
  readonly recreate: boolean;
  readonly parallel: boolean;
  readonly daemonSurge: boolean;
  readonly maxUnavailable: number | string;
  readonly graceSeconds: number;
  readonly minReadySeconds: number;
}

/** Of 40 s, with the acts in the first 25. */
export function arbitraryWorkloads(): fc.Arbitrary<{
  readonly whole: WholeScenario;
  readonly acts: readonly Act[];
}> {
  return fc
    .record({
      nodes: fc.integer({ min: 1, max: 3 }),
      coldStart: fc.boolean(),
      draft: drafts(),
      acts: fc.array(act(), { minLength: 1, maxLength: 8 }),
    })
    .map(({ nodes, coldStart, draft, acts }) => ({
      acts,
      whole: {
        input: {
          duration: "40s",
          coldStart,
          window: "10s",
          cluster: { nodes },
        },
        objects: manifestOf(draft),
      },
    }));
}

function act(): fc.Arbitrary<Act> {
  return fc.record({
    what: fc.constantFrom("restart", "scale", "evict", "delete"),
    atMs: fc.integer({ min: 0, max: 25_000 }),
    which: fc.nat(1000),
  });
}

function drafts(): fc.Arbitrary<WorkloadDraft> {
  const some = fc.constantFrom<(number | string)[]>(1, 2, "25%", "50%", "100%");
  return fc.record({
    replicas: fc.integer({ min: 1, max: 7 }),
    surge: fc.oneof(some, fc.constant(0)),
    unavailable: some,
    recreate: fc.boolean(),
    parallel: fc.boolean(),
    daemonSurge: fc.boolean(),
    maxUnavailable: some,
    graceSeconds: fc.integer({ min: 0, max: 5 }),
    minReadySeconds: fc.constantFrom(0, 0, 2),
  });
}

/** The objects, each with its label `app`. */
export function manifestOf(draft: WorkloadDraft): object[] {
  const { replicas, surge, unavailable, graceSeconds, minReadySeconds } = draft;
  const rolling = {
    type: "RollingUpdate",
    rollingUpdate: { maxSurge: surge, maxUnavailable: unavailable },
  };
  const daemons = draft.daemonSurge
    ? { maxSurge: draft.maxUnavailable }
    : { maxUnavailable: draft.maxUnavailable };
  return [
    workload("Deployment", "web", graceSeconds, {
      replicas,
      minReadySeconds,
      strategy: draft.recreate ? { type: "Recreate" } : rolling,
    }),
    workload("StatefulSet", "db", graceSeconds, {
      replicas: Math.min(3, replicas),
      minReadySeconds,
      podManagementPolicy: draft.parallel ? "Parallel" : "OrderedReady",
    }),
    workload("DaemonSet", "agent", graceSeconds, { updateStrategy: { rollingUpdate: daemons } }),
    workload("ReplicaSet", "set", graceSeconds, { replicas: 2 }),
    {
      apiVersion: "policy/v1",
      kind: "PodDisruptionBudget",
      metadata: { name: "web" },
      spec: { selector: { matchLabels: { app: "web" } }, maxUnavailable: draft.maxUnavailable },
    },
  ];
}

function workload(kind: string, name: string, graceSeconds: number, spec: object): object {
  const labels = { app: name };
  return {
    apiVersion: "apps/v1",
    kind,
    metadata: { name },
    spec: {
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          terminationGracePeriodSeconds: graceSeconds,
          containers: [{ name: "main", image: "nginx", ports: [{ containerPort: 80 }] }],
        },
      },
      ...spec,
    },
  };
}
