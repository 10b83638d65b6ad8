/**
 * A rollout loses requests in two ways, and each has its own cure: to new pods that do not listen yet (a readiness
 * probe), and to old ones that do not listen any more (a preStop sleep).
 *
 * Broken on purpose and seen to fail: a container with a readiness probe is ready as soon as it runs (both together lose
 * 351 requests then); SIGTERM comes at once, with no preStop sleep before it (156, and 72 and 141 in the second test).
 */
import { expect, test } from "vitest";
import { failedOf, totalsOf } from "./totals.ts";

/** Failed requests of the clients of `neither`, `readiness`, `prestop` and `both`. */
async function failed(startup: string): Promise<number[]> {
  const { clients } = await totalsOf("rolling-update", { env: { STARTUP: startup } });
  expect(clients.map(({ client }) => client)).toEqual(["neither", "readiness", "prestop", "both"]);
  return clients.map(failedOf);
}

test("both together lose nothing, each alone cures its own half", async () => {
  const [neither, readiness, prestop, both] = await failed("3s");
  expect(both).toBe(0);
  expect(readiness).toBeGreaterThan(50);
  expect(prestop).toBeGreaterThan(50);
  expect(neither).toBeGreaterThan(Math.max(readiness!, prestop!));
});

test("where a process listens at once, the sleep alone is enough and the probe alone helps nothing", async () => {
  const [neither, readiness, prestop, both] = await failed("0s");
  expect([prestop, both]).toEqual([0, 0]);
  expect(neither).toBeGreaterThan(50);
  expect(readiness).toBeGreaterThan(50);
});
