/**
 * Law 14, dead endpoints: no endpoint of a pod that has gone or ended outlives the controller's next sync.
 *
 * Seen to fail when the EndpointSlice controller does not hear of pods whose objects go.
 */
import { expect, test } from "vitest";
import type { Run } from "../../src/scenario/compile.ts";
import { deadEndpoints } from "../../src/scenario/compile/laws/deadEndpoints.ts";
import type { LawContext } from "../../src/scenario/compile/laws/contract.ts";
import { scenarios } from "../../src/testing/arbitraries/scenarios.ts";
import { lawHolds, play } from "./law.ts";
import { settle } from "./settle.ts";

/** As the check at the end of a run sees it. */
function broken({ cluster, nowNs }: Run): readonly unknown[] {
  return [...deadEndpoints({ cluster, nowNs } as LawContext)];
}

test("14 dead endpoints", () => {
  let gone = 0;
  lawHolds(
    "14 dead endpoints",
    scenarios({ faultsMin: 1, durationMs: [1000, 6000] }),
    (scenario) => {
      const observers = [
        { event: (_atNs: number, kind: string) => void (kind === "pod_removed" && gone++) },
      ];
      const { run, end } = play(scenario, { observers });
      expect(end.brokenLaws).toEqual([]);
      settle(run);
      expect(broken(run)).toEqual([]);
    },
    { cases: 25 },
  );
  expect(gone).toBeGreaterThan(10);
});
