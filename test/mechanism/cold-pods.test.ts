/**
 * That a rollout of pods that are slow at first fails by their warm-up, and what helps against it: one pod at a
 * time always; being ready later and slow start only where time warms, not where requests do.
 *
 * Broken on purpose and seen to fail: time warms as requests do (WarmUp counts requests always).
 */
import { expect, test } from "vitest";
import { failuresOf, totalsOf } from "./totals.ts";

const failures = async (env: Readonly<Record<string, string>>): Promise<Record<string, number>> => {
  const totals = await totalsOf("cold-pods", { env });
  return Object.fromEntries(
    totals.clients.map(({ client }) => [client, failuresOf(totals, client)]),
  );
};

test("warm after so many requests", async () => {
  const failed = await failures({});
  expect(failed["cold"]).toBeGreaterThan(200);
  expect(failed["one-at-a-time"]).toBeLessThan(100);
  // All the pods are new: whoever starts slowly with all of them starts slowly with none.
  for (const no of ["ready-later", "slow-start"])
    expect(failed[no]).toBeGreaterThan(0.9 * failed["cold"]!);
});

test("warm after so long", async () => {
  const failed = await failures({ WARM: "time" });
  expect(failed["cold"]).toBeGreaterThan(300);
  for (const help of ["ready-later", "one-at-a-time", "slow-start"])
    expect(failed[help]).toBeLessThan(failed["cold"]! / 5);
});

test("warm from the start", async () => {
  const failed = await failures({ FACTOR: "1" });
  expect(Object.values(failed)).toEqual([0, 0, 0, 0]);
});
