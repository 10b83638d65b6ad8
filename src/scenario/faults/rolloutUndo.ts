/** rolloutUndo(...): back to an earlier template of a Deployment. */
import type { RolloutUndoSpec } from "../../faults/rolloutUndo.ts";
import type { Duration } from "../language/scenario.ts";
import { faultWord, type FaultWord } from "./contract.ts";
import { drawDeployment, workloadTarget } from "./workloadTarget.ts";

export interface RolloutUndoInput {
  /** "deploy/NAME". */
  workload: string;
  /** Default: the one before the present. */
  toRevision?: number;
  at: Duration;
}

const UNDO_KINDS = ["Deployment"];

/** kubectl rollout undo. */
export const rolloutUndo: FaultWord<"rolloutUndo", RolloutUndoInput, RolloutUndoSpec> = faultWord(
  "rolloutUndo",
  {
    targets: workloadTarget(...UNDO_KINDS),
    options: ({ duration, integer }) => ({
      at: duration,
      toRevision: integer("a revision", 1, 1_000_000).optional(),
    }),
    chaos: drawDeployment,
    resolve({ at, toRevision, ...written }, { workload }) {
      const found = workload(written.workload, UNDO_KINDS);
      return (
        found && { kind: "rolloutUndo", workload: found, toRevision: toRevision ?? 0, atNs: at }
      );
    },
  },
);
