/**
 * With conn_reuse_mode 0 a client's port that is used again leads to the pod that has gone, for as long as its old entry
 * stands: the failures of one client only, in IPVS mode only. Kept connections of the pods that stay live on in all.
 *
 * Broken on purpose and seen to fail: the old connection's server is not remembered (reuse); a server at weight 0 is
 * deleted though it has connections (reuse).
 */
import { expect, test } from "vitest";
import { expectRow } from "./page.ts";
import { totalsOf } from "./totals.ts";

test.each([
  ["iptables", { MODE: "iptables" }, 100],
  ["ipvs, conn_reuse_mode 1", {}, 100],
  ["ipvs, conn_reuse_mode 0", { REUSE: "0" }, Infinity],
])("%s", async (title, env, mostFailures) => {
  const { clients, stale } = await totalsOf("ipvs-drain", { env });
  const failed = clients.map(({ byOutcome }) =>
    byOutcome.reduce((sum, { outcome, count: n }) => sum + (outcome === "served" ? 0 : n), 0),
  );
  expectRow("ipvs-drain", [title], [...failed, stale.staleConnections]);
  expect(failed[0]).toBe(0);
  expect(failed[1]).toBeLessThan(20);
  if (mostFailures === Infinity) expect(failed[2]).toBeGreaterThan(1000);
  else expect(failed[2]).toBeLessThan(mostFailures);
});
