/**
 * Arbitrary faults: pod resets of every kind, once and as a storm, rollouts, nodes that crash or stall.
 *
 * Owns: which faults there are to draw, early enough for a short run to see them, and what they shrink to: one pod, once,
 * at the start. Refuses to own: whom they hit.
 */
import fc from "fast-check";
import {
  crashNode,
  resetPods,
  rolloutRestart,
  stopKubeProxy,
  type ChaosInput,
  type FaultInput,
} from "../../index.ts";

/** Whom drawn faults may hit. */
export interface FaultTargets {
  /** Label selectors of the pods that may be reset, as "app=web". At least one. */
  readonly selectors: readonly string[];
  /** Workloads that may be restarted, as "deploy/web". Default none. */
  readonly workloads?: readonly string[];
  /** Nodes that may crash, or lose their kube-proxy for a while, by name. Default none. */
  readonly nodes?: readonly string[];
  /** Milliseconds of the run within which they begin. Default 1500. */
  readonly withinMs?: number;
}

/**
 * One to three faults on somebody's own workloads, for `faults` of a scenario.
 *
 * @example
 * ```ts
 * import fc from "fast-check";
 * import { faults } from "podstorm/arbitraries";
 *
 * const [drawn] = fc.sample(faults({ selectors: ["app=web"], workloads: ["deploy/web"] }), {
 *   seed: 1,
 *   numRuns: 1,
 * });
 * console.log(drawn!.map(({ kind }) => kind).join(", "));
 * ```
 */
export function faults(targets: FaultTargets): fc.Arbitrary<FaultInput[]> {
  const { selectors, workloads = [], nodes = [], withinMs = LATEST_MS } = targets;
  const at = fc.integer({ min: 0, max: withinMs });
  const pods = fc
    .tuple(fc.constantFrom(...selectors), shapes(withinMs))
    .map(([selector, shape]): FaultInput => resetPods({ ...shape, selector }));
  const restarts = workloads.map((workload) =>
    at.map((ms): FaultInput => rolloutRestart({ workload, at: `${ms}ms` })),
  );
  const machines = nodes.flatMap((node) => [
    at.map((ms): FaultInput => crashNode({ nodes: [node], at: `${ms}ms` })),
    fc
      .tuple(at, fc.integer({ min: 100, max: 2000 }))
      .map(([ms, forMs]): FaultInput =>
        stopKubeProxy({ nodes: [node], at: `${ms}ms`, for: `${forMs}ms` }),
      ),
  ]);
  return fc.array(fc.oneof(pods, ...restarts, ...machines), { minLength: 1, maxLength: 3 });
}

const LATEST_MS = 1500;

/** A reset of pods, but whose. */
function shapes(latestMs: number): fc.Arbitrary<Omit<Parameters<typeof resetPods>[0], "selector">> {
  return fc
    .record({
      how: fc.constantFrom("delete" as const, "crash" as const, "kill" as const),
      amount: fc.oneof(
        fc.integer({ min: 1, max: 3 }).map((count) => ({ count })),
        fc.integer({ min: 1, max: 4 }).map((quarters) => ({ fraction: quarters / 4 })),
      ),
      atMs: fc.integer({ min: 0, max: latestMs }),
      storm: fc.option(
        fc.record({
          everyMs: fc.integer({ min: 100, max: 1000 }),
          times: fc.integer({ min: 2, max: 3 }),
        }),
        { nil: undefined },
      ),
    })
    .map(({ how, amount, atMs, storm }) => ({
      ...amount,
      how,
      at: `${atMs}ms` as const,
      ...(storm === undefined ? {} : { every: `${storm.everyMs}ms` as const, times: storm.times }),
    }));
}

/** The target is one of a scenario's applications, so it is a draft until their number is known. */
export type ResetDraft = (apps: number) => FaultInput;

export function resets(fewest: number, most: number): fc.Arbitrary<ResetDraft[]> {
  return fc.array(reset(), { minLength: fewest, maxLength: most });
}

function reset(): fc.Arbitrary<ResetDraft> {
  return fc.tuple(fc.nat(2), shapes(LATEST_MS)).map(
    ([app, shape]): ResetDraft =>
      (apps) =>
        resetPods({ ...shape, selector: { app: `app-${app % apps}` } }),
  );
}

/** From one fault in half a minute to one a second. */
export function chaos(): fc.Arbitrary<ChaosInput> {
  return fc.record({ seed: fc.nat(), rate: fc.integer({ min: 2, max: 60 }) });
}
