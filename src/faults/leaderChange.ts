/**
 * The leading kube-controller-manager or kube-scheduler dies: nothing is done in its place until another replica has
 * seen its Lease run out.
 *
 * Owns: when, and which. The election is theirs (kubernetes/election).
 */
import { Phase, type SimTimeNs } from "../engine/index.ts";
import type { ElectedComponent, FaultScheduler } from "./contract.ts";

export interface LeaderChangeSpec {
  readonly kind: "leaderChange";
  readonly atNs: SimTimeNs;
  readonly component: ElectedComponent;
}

export const leaderChange: FaultScheduler<LeaderChangeSpec> = (spec, context) => {
  const { sim, observations } = context;
  sim.callAt(spec.atNs, Phase.start, () => {
    observations.event(sim.nowNs, "fault", `lease/${spec.component}`, spec.kind);
    context.loseLeader(spec.component);
  });
};
