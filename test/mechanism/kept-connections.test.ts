/**
 * scaleup-idle-pods and rollout-keepalive-skew: a kept connection stays where it is until its pod goes, so load follows
 * endpoints only as far as clients dial.
 *
 * Broken on purpose and seen to fail: a client that never takes a connection from its pool.
 */
import { expect, test } from "vitest";
import type { SkewTotals } from "../../src/observe/totals.ts";
import { totalsOf } from "./totals.ts";

async function skewOf(
  name: string,
  env = {},
): Promise<[dialling: SkewTotals, keeping: SkewTotals]> {
  const { skew } = await totalsOf(name, { env });
  expect(skew.map(({ service }) => service)).toEqual(["default/dialling", "default/keeping"]);
  return [skew[0]!, skew[1]!];
}

test("after scaling up, kept connections leave the new pods idle", async () => {
  const [dialling, keeping] = await skewOf("scaleup-idle-pods");
  expect([keeping.endpointsMin, keeping.endpointsMax]).toEqual([2, 6]);
  // Two of six pods have all the load: the larger has at least three times the mean.
  expect(keeping.worst!.maxOverMean).toBeGreaterThanOrEqual(3);
  expect(keeping.maxOverMean).toBeGreaterThan(2);
  expect(dialling.maxOverMean).toBeLessThan(1.5);
});

test("a pool that is too small for the load dials now and then, and spreads it", async () => {
  const [, all] = await skewOf("scaleup-idle-pods");
  const [, some] = await skewOf("scaleup-idle-pods", { POOL: "4" });
  expect(some.cv!).toBeLessThan(all.cv! * 0.75);
});

test("after a rollout, kept connections are where the first new pods are", async () => {
  const [dialling, keeping] = await skewOf("rollout-keepalive-skew");
  expect(dialling.maxOverMean).toBeLessThan(1.5);
  expect(keeping.maxOverMean).toBeGreaterThan(2);
});
