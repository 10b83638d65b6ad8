/** leaderChange(...): the leading kube-controller-manager dies. */
import type { LeaderChangeSpec } from "../../faults/leaderChange.ts";
import type { Duration } from "../language/scenario.ts";
import { faultWord, type FaultWord } from "./contract.ts";
import { noTargets } from "./noTargets.ts";

export interface LeaderChangeInput {
  at: Duration;
}

/** Ends the leading kube-controller-manager; another replica takes over when its Lease has run out. */
export const leaderChange: FaultWord<"leaderChange", LeaderChangeInput, LeaderChangeSpec> =
  faultWord("leaderChange", {
    targets: noTargets,
    options: ({ duration }) => ({ at: duration }),
    chaos: () => ({}),
    resolve: ({ at }) => ({ kind: "leaderChange", atNs: at }),
  });
