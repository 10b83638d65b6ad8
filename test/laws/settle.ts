/** Runs a scenario on after its end until nothing that was begun is under way. */
import { seconds } from "../../src/engine/index.ts";
import type { Run } from "../../src/scenario/compile.ts";

/** More than preStop hooks, grace periods, start-ups and back-offs take. */
const PATIENCE_NS = seconds(600);

export function settle(run: Run): void {
  const endNs = run.nowNs + PATIENCE_NS;
  while (run.nowNs < endNs) {
    run.runUntil(run.nowNs + seconds(1));
    if (run.cluster.isQuiet) return;
  }
  throw new Error(`not quiet ${PATIENCE_NS} ns after the end`);
}
