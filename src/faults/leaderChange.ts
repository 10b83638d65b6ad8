/**
 * The leading kube-controller-manager dies: no controller acts until another replica has seen its Lease run out.
 *
 * Owns: when. The election is the manager's own (kubernetes/controllers/manager.ts).
 */
import { Phase, type SimTimeNs } from "../engine/index.ts";
import type { FaultScheduler } from "./contract.ts";

export interface LeaderChangeSpec {
  readonly kind: "leaderChange";
  readonly atNs: SimTimeNs;
}

export const leaderChange: FaultScheduler<LeaderChangeSpec> = (spec, context) => {
  const { sim, observations } = context;
  sim.callAt(spec.atNs, Phase.start, () => {
    observations.event(sim.nowNs, "fault", "lease/kube-controller-manager", spec.kind);
    context.loseLeader();
  });
};
