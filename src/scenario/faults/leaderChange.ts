/** leaderChange(...): the leading kube-controller-manager or kube-scheduler dies. */
import type { LeaderChangeSpec } from "../../faults/leaderChange.ts";
import type { Duration } from "../language/scenario.ts";
import { faultWord, type FaultWord } from "./contract.ts";
import { noTargets } from "./noTargets.ts";

export interface LeaderChangeInput {
  at: Duration;
  /** Whose leader. Default "kube-controller-manager". */
  component?: "kube-controller-manager" | "kube-scheduler";
}

const MANAGER = "kube-controller-manager";
const SCHEDULER = "kube-scheduler";

/** Ends the process that leads; another replica takes over when its Lease has run out. */
export const leaderChange: FaultWord<"leaderChange", LeaderChangeInput, LeaderChangeSpec> =
  faultWord("leaderChange", {
    targets: noTargets,
    options: ({ duration, word }) => ({
      at: duration,
      component: word(MANAGER, SCHEDULER).optional(),
    }),
    chaos: ({ pick }) => ({ component: pick([MANAGER, SCHEDULER]) }),
    resolve: ({ at, component = MANAGER }) => ({ kind: "leaderChange", atNs: at, component }),
  });
