/**
 * Law 11, lag stages: an endpoint change goes through its stages in their order, so that none is negative and those it
 * took add up to its lag.
 *
 * Seen to fail when: the kubelet says that it saw a change at its next relist; a proxy counts as told of a change when
 * its rules hold it; each stage is counted from the cause (the sum).
 */
import { expect, test } from "vitest";
import { Recording } from "../../src/observe/index.ts";
import { scenarios } from "../../src/testing/arbitraries/scenarios.ts";
import { lawHolds, play } from "./law.ts";

const FILE = "endpoint_update_lag.csv";

test("the stages of every update add up to its lag, and none is negative", () => {
  let updates = 0;
  let kubelets = 0;
  lawHolds(
    "11 lag stages",
    scenarios({ faultsMin: 1 }),
    (scenario) => {
      const recording = new Recording();
      const { end, run } = play(scenario, { observers: recording.observers });
      expect(end.brokenLaws).toEqual([]);
      const context = { endNs: run.nowNs, hops: end.hops, conntracks: end.conntracks };
      const { columns, rows } = recording.tables(context).find(({ file }) => file === FILE)!;
      const lagAt = columns.indexOf("lag_ns");
      const stagesAt = columns.flatMap((name, i) => (name.startsWith("stage_") ? [i] : []));
      for (const row of rows) {
        const stages = stagesAt.map((i) => row[i] as number | null);
        if (row[lagAt] === null) {
          expect(stages.every((each) => each === null)).toBe(true);
          continue;
        }
        updates++;
        if (stages[0] !== null) kubelets++;
        expect(
          stages.every((each) => each === null || each >= 0),
          stages.join(),
        ).toBe(true);
        expect(stages.reduce<number>((sum, each) => sum + (each ?? 0), 0)).toBe(row[lagAt]);
        // Whatever a kubelet saw has gone through a status; all of it has gone through a slice.
        if (stages[0] !== null) expect(stages[1]).not.toBe(null);
        expect(stages.slice(2)).not.toContain(null);
      }
    },
    { cases: 40 },
  );
  // Not of nothing: changes that kubelets saw, and others.
  expect(kubelets).toBeGreaterThan(20);
  expect(updates - kubelets).toBeGreaterThan(20);
});
