/**
 * Arbitrary whole scenarios: a cluster, its Services, traffic and faults, as an author would write them.
 *
 * Owns: fast-check arbitraries over the words of the scenario language and over manifests, and what they
 * shrink to: one node, one pod, one client, no fault, everything at its default. Swarm testing: which features
 * a scenario has is drawn as well, so that scenarios differ in kind and not only in size. Loads are light and
 * times short, so that a case takes milliseconds. Refuses to own: running anything, and what must hold.
 */
import fc from "fast-check";
import type { OriginInput, ScenarioInput } from "../../index.ts";
import { apps, manifestOf, workloadOf, type App } from "./apps.ts";
import { calls, callsOf, type CallDraft } from "./calls.ts";
import { clients, type ClientDraft } from "./clients.ts";
import { chaos, resets, type ResetDraft } from "./faults.ts";
import { STARTS_AT, taskObject, tasks, taskServer, type Task } from "./owners.ts";
import { losslessProfiles, lossyProfiles, profiles } from "./profiles.ts";

/** Everything that `run` needs. */
export interface WholeScenario {
  readonly input: ScenarioInput;
  /** Its Kubernetes objects: what `run` takes beside it. */
  readonly objects: readonly object[];
}

/** What a law needs of the scenarios that it is tried on. */
export interface ScenarioNeeds {
  /** Default: both kinds of start. */
  readonly coldStart?: boolean;
  /** Default 2. */
  readonly faultsMax?: number;
  readonly faultsMin?: number;
  readonly clientsMin?: number;
  /**
   * Default: constants of the profile are drawn too. `lossless`: but none that loses packets; `lossy`: such as
   * lose packets, always.
   */
  readonly profile?: "default" | "lossless" | "lossy";
  /** Nodes with 13 addresses each, so that they come round again. */
  readonly smallRanges?: boolean;
  /** Faults of every kind, drawn by the scenario itself; default: no chaos, and one zone. */
  readonly chaos?: boolean;
  /** Servers that call each other; default: none does. */
  readonly calls?: boolean;
  /** Workloads of every kind, with budgets, autoscalers and Jobs; default: Deployments alone. */
  readonly owners?: boolean;
  /** Shortest and longest run, in ms. */
  readonly durationMs?: readonly [number, number];
}

/**
 * Whole scenarios, small and short.
 *
 * @example
 * ```ts
 * import fc from "fast-check";
 * import { run } from "podstorm";
 * import { scenarios } from "podstorm/arbitraries";
 *
 * const property = fc.asyncProperty(scenarios({ clientsMin: 1 }), async ({ input, objects }) => {
 *   const { requests } = await run(input, { objects });
 *   return requests.started === requests.ended + requests.inFlight;
 * });
 * await fc.assert(property, { numRuns: 20 });
 * console.log("no request is lost or counted twice");
 * ```
 *
 * Output:
 *
 * ```text
 * no request is lost or counted twice
 * ```
 */
export function scenarios(needs: ScenarioNeeds = {}): fc.Arbitrary<WholeScenario> {
  const { coldStart, faultsMin = 0, faultsMax = 2, clientsMin = 0, profile } = needs;
  const span = needs.durationMs ?? [500, 4000];
  return fc
    .record({
      nodes: fc.integer({ min: 1, max: 5 }),
      durationMs: fc.integer({ min: span[0], max: span[1] }),
      coldStart: coldStart === undefined ? rarely(fc.constant(true)) : fc.constant(coldStart),
      apps: apps({ owners: needs.owners === true }),
      clients: clients(clientsMin),
      faults: resets(faultsMin, faultsMax),
      profile: profile === undefined ? profiles() : PROFILES[profile](),
      ...(needs.calls === true ? { calls: calls() } : {}),
      ...(needs.owners === true ? { tasks: tasks() } : {}),
      ...(needs.chaos === true ? { chaos: chaos(), zones: fc.integer({ min: 1, max: 3 }) } : {}),
    })
    .map(wholeScenario)
    .map((whole) => (needs.smallRanges ? withSmallRanges(whole) : whole));
}

const PROFILES = {
  default: () => fc.constant(undefined),
  lossless: losslessProfiles,
  lossy: lossyProfiles,
};

/** `value` in one case of four, else nothing. */
export function rarely<T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.option(value, { nil: undefined, freq: 3 });
}

interface Draft {
  readonly nodes: number;
  readonly durationMs: number;
  readonly coldStart: boolean | undefined;
  readonly apps: readonly App[];
  readonly clients: readonly ClientDraft[];
  readonly faults: readonly ResetDraft[];
  readonly profile: ScenarioInput["profile"];
  readonly chaos?: ScenarioInput["chaos"];
  readonly zones?: number;
  readonly calls?: readonly CallDraft[];
  readonly tasks?: readonly Task[];
}

function wholeScenario({
  nodes,
  zones,
  durationMs,
  coldStart,
  profile,
  chaos,
  calls = [],
  tasks: jobs = [],
  ...drafts
}: Draft): WholeScenario {
  const servers = drafts.apps.flatMap((app, i) => {
    const called = callsOf(calls, i, drafts.apps.length);
    const own = called.length === 0 ? app.server : { ...app.server, calls: called };
    return own === undefined ? [] : [[workloadOf(app, i), own] as const];
  });
  return {
    input: {
      duration: `${durationMs}ms`,
      ...(coldStart ? { coldStart } : {}),
      window: "500ms",
      cluster: { nodes, ...(zones === undefined ? {} : { zones }) },
      servers: Object.fromEntries([...servers, ...jobs.map(taskServer)]),
      clients: drafts.clients.map((make, i) => make(`client-${i}`, drafts.apps)),
      faults: drafts.faults.map((make) => make(drafts.apps.length)),
      ...(profile === undefined ? {} : { profile }),
      ...(chaos === undefined ? {} : { chaos }),
      ...(jobs.length === 0 ? {} : { startsAt: STARTS_AT }),
    },
    objects: [...drafts.apps.flatMap(manifestOf), ...jobs.map(taskObject)],
  };
}

/** Nodes as objects of the manifest, with a /28 each and enough of them for all pods at rest. */
function withSmallRanges({ input, objects }: WholeScenario): WholeScenario {
  const deployments = objects as readonly { spec: { replicas?: number } }[];
  const pods =
    deployments.reduce((sum, { spec }) => sum + (spec.replicas ?? 0), 0) +
    input.clients!.reduce(
      (sum, { from }) => sum + ((from as OriginInput | undefined)?.replicas ?? 1),
      0,
    );
  const count = Math.max(input.cluster!.nodes!, Math.ceil(pods / 7));
  const nodes = Array.from({ length: count }, (_, i) => nodeObject(i + 1));
  const { nodes: _, ...cluster } = input.cluster!;
  return { input: { ...input, cluster }, objects: [...nodes, ...objects] };
}

function nodeObject(number: number): object {
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: `node-${number}` },
    spec: { podCIDR: `10.244.0.${16 * number}/28` },
    status: {
      addresses: [{ type: "InternalIP", address: `172.18.0.${1 + number}` }],
      allocatable: { cpu: "8", memory: "16Gi", pods: "110" },
    },
  };
}
