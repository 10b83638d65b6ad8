/**
 * Arbitrary owners of pods: what an application is run by, and what else looks after its pods; and Jobs beside them.
 *
 * Owns: the fields of Deployments, StatefulSets, DaemonSets, budgets, autoscalers, Jobs and CronJobs that their controllers
 * tell apart. Refuses to own: pods and Services (apps.ts).
 */
import fc from "fast-check";
import { exponential, type ServerInput } from "../../index.ts";

/** Fields of an application's workload beside its pods, and objects that go with it. */
export interface Owner {
  readonly kind: "Deployment" | "StatefulSet" | "DaemonSet";
  readonly spec: object;
  /** The spec of a PodDisruptionBudget for its pods. */
  readonly budget?: object | undefined;
  /** CPU utilisation in percent at which an autoscaler keeps its pods. */
  readonly utilization?: number | undefined;
}

export function owners(): fc.Arbitrary<Owner> {
  return fc
    .record({
      owner: fc.oneof(deployment(), statefulSet(), daemonSet()),
      minReadySeconds: fc.constantFrom(0, 0, 1, 3),
      budget: fc.option(budget(), { nil: undefined, freq: 2 }),
      utilization: fc.option(fc.integer({ min: 5, max: 80 }), { nil: undefined, freq: 2 }),
    })
    .map(({ owner: { kind, spec }, minReadySeconds, budget: own, utilization }) => ({
      kind,
      spec: { ...spec, minReadySeconds },
      budget: own,
      ...(kind === "DaemonSet" ? {} : { utilization }),
    }));
}

type OwnPart = Pick<Owner, "kind" | "spec">;

const amount = (): fc.Arbitrary<number | string> =>
  fc.constantFrom<(number | string)[]>(1, 2, "25%", "50%", "100%");

function deployment(): fc.Arbitrary<OwnPart> {
  const rolling = fc.record({
    maxSurge: amount(),
    maxUnavailable: fc.oneof(amount(), fc.constant(0)),
  });
  const strategy = fc.option(
    rolling.map((rollingUpdate) => ({ type: "RollingUpdate", rollingUpdate })),
    { nil: { type: "Recreate" }, freq: 3 },
  );
  return strategy.map((each) => ({ kind: "Deployment", spec: { strategy: each } }));
}

function statefulSet(): fc.Arbitrary<OwnPart> {
  const rolling = fc
    .nat(2)
    .map((partition) => ({ type: "RollingUpdate", rollingUpdate: { partition } }));
  return fc
    .record({
      podManagementPolicy: fc.constantFrom("OrderedReady", "Parallel"),
      updateStrategy: fc.option(rolling, { nil: { type: "OnDelete" }, freq: 3 }),
    })
    .map((spec) => ({ kind: "StatefulSet", spec }));
}

function daemonSet(): fc.Arbitrary<OwnPart> {
  const rollingUpdate = fc.oneof(
    amount().map((maxUnavailable) => ({ maxUnavailable })),
    amount().map((maxSurge) => ({ maxSurge })),
  );
  return rollingUpdate.map((each) => ({
    kind: "DaemonSet",
    spec: { updateStrategy: { type: "RollingUpdate", rollingUpdate: each } },
  }));
}

function budget(): fc.Arbitrary<object> {
  const amounts = fc.oneof(
    amount().map((maxUnavailable) => ({ maxUnavailable })),
    amount().map((minAvailable) => ({ minAvailable })),
  );
  const policy = fc.constantFrom("IfHealthyBudget", "AlwaysAllow");
  return fc
    .tuple(amounts, policy)
    .map(([each, unhealthyPodEvictionPolicy]) => ({ ...each, unhealthyPodEvictionPolicy }));
}

/** What an owner's pods are found by, and what is to look after them. */
export function companionsOf(
  { kind, budget: spec, utilization }: Owner,
  name: string,
  replicas: number,
): object[] {
  const metadata = { name };
  const target = { type: "Utilization", averageUtilization: utilization };
  const autoscaler = {
    apiVersion: "autoscaling/v2",
    kind: "HorizontalPodAutoscaler",
    metadata,
    spec: {
      scaleTargetRef: { apiVersion: "apps/v1", kind, name },
      maxReplicas: replicas + 3,
      metrics: [{ type: "Resource", resource: { name: "cpu", target } }],
    },
  };
  const selector = { matchLabels: { app: name } };
  const disruption = {
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    metadata,
    spec: { ...spec, selector },
  };
  return [
    ...(spec === undefined ? [] : [disruption]),
    ...(utilization === undefined ? [] : [autoscaler]),
  ];
}

/** A Job, or a CronJob that makes one each minute. */
export interface Task {
  readonly job: {
    readonly completions: number;
    readonly parallelism: number;
    readonly backoffLimit: number;
  };
  readonly restartPolicy: "Never" | "OnFailure";
  /** How a CronJob's Jobs get on with each other; absent: a Job. */
  readonly concurrencyPolicy?: string | undefined;
  readonly meanMs: number;
  readonly exitCode: number;
}

/** When a CronJob's first minute is over within seconds. */
export const STARTS_AT = "2026-01-05T08:59:57Z";

/** None to two. */
export function tasks(): fc.Arbitrary<Task[]> {
  const task = fc.record({
    job: fc.record({
      completions: fc.integer({ min: 1, max: 4 }),
      parallelism: fc.integer({ min: 0, max: 3 }),
      backoffLimit: fc.nat(2),
    }),
    restartPolicy: fc.constantFrom("Never" as const, "OnFailure" as const),
    concurrencyPolicy: fc.option(fc.constantFrom("Allow", "Forbid", "Replace"), { nil: undefined }),
    meanMs: fc.integer({ min: 10, max: 20_000 }),
    exitCode: fc.constantFrom(0, 0, 1),
  });
  return fc.array(task, { maxLength: 2 });
}

const isCron = ({ concurrencyPolicy }: Task): boolean => concurrencyPolicy !== undefined;

export function taskObject(task: Task, index: number): object {
  const { job, restartPolicy, concurrencyPolicy } = task;
  const containers = [{ name: "main", image: "busybox:1.37" }];
  const spec = { ...job, template: { spec: { restartPolicy, containers } } };
  const metadata = { name: `task-${index}` };
  if (!isCron(task)) return { apiVersion: "batch/v1", kind: "Job", metadata, spec };
  const cron = { schedule: "* * * * *", concurrencyPolicy, jobTemplate: { spec } };
  return { apiVersion: "batch/v1", kind: "CronJob", metadata, spec: cron };
}

/** Its entry of `servers`. */
export function taskServer(task: Task, index: number): readonly [string, ServerInput] {
  const { meanMs, exitCode } = task;
  const reference = `${isCron(task) ? "cronjob" : "job"}/task-${index}`;
  return [reference, { kind: "task", duration: exponential(`${meanMs}ms`), exitCode }];
}
