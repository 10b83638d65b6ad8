/** rolloutRestart(...): all pods of a Deployment are replaced. */
import type { RolloutRestartSpec } from "../../faults/rolloutRestart.ts";
import type { Duration } from "../language/scenario.ts";
import { faultWord, type FaultWord } from "./contract.ts";
import { drawDeployment, ROLLOUT_KINDS, workloadTarget } from "./workloadTarget.ts";

export interface RolloutRestartInput {
  /** "deploy/NAME", "sts/NAME" or "ds/NAME". */
  workload: string;
  at: Duration;
}

/** kubectl rollout restart. */
export const rolloutRestart: FaultWord<"rolloutRestart", RolloutRestartInput, RolloutRestartSpec> =
  faultWord("rolloutRestart", {
    targets: workloadTarget(...ROLLOUT_KINDS),
    options: ({ duration }) => ({ at: duration }),
    chaos: drawDeployment,
    resolve(written, { workload }) {
      const found = workload(written.workload, ROLLOUT_KINDS);
      return found && { kind: "rolloutRestart", workload: found, atNs: written.at };
    },
  });
