/**
 * Arbitrary faults: pod resets of every kind, once and as a storm, early enough for a short run to see them.
 *
 * Owns: which faults there are to draw. A fault's target is one of the scenario's applications, so it is a
 * draft until their number is known.
 */
import fc from "fast-check";
import { resetPods, type ChaosInput, type FaultInput } from "../../../src/index.ts";

export type ResetDraft = (apps: number) => FaultInput;

export function resets(fewest: number, most: number): fc.Arbitrary<ResetDraft[]> {
  return fc.array(reset(), { minLength: fewest, maxLength: most });
}

function reset(): fc.Arbitrary<ResetDraft> {
  return fc
    .record({
      app: fc.nat(2),
      how: fc.constantFrom("delete" as const, "crash" as const, "kill" as const),
      amount: fc.oneof(
        fc.integer({ min: 1, max: 3 }).map((count) => ({ count })),
        fc.integer({ min: 1, max: 4 }).map((quarters) => ({ fraction: quarters / 4 })),
      ),
      atMs: fc.integer({ min: 0, max: 1500 }),
      storm: fc.option(
        fc.record({
          everyMs: fc.integer({ min: 100, max: 1000 }),
          times: fc.integer({ min: 2, max: 3 }),
        }),
        { nil: undefined },
      ),
    })
    .map(
      ({ app, how, amount, atMs, storm }): ResetDraft =>
        (apps) =>
          resetPods({
            selector: { app: `app-${app % apps}` },
            ...amount,
            how,
            at: `${atMs}ms`,
            ...(storm === undefined ? {} : { every: `${storm.everyMs}ms`, times: storm.times }),
          }),
    );
}

/** From one fault in half a minute to one a second. */
export function chaos(): fc.Arbitrary<ChaosInput> {
  return fc.record({ seed: fc.nat(), rate: fc.integer({ min: 2, max: 60 }) });
}
