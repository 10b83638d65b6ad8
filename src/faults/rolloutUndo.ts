/** kubectl rollout undo: an earlier template, as its ReplicaSet still holds it. */
import type { SimTimeNs } from "../engine/index.ts";
import * as kubectl from "../kubernetes/kubectl/index.ts";
import type { FaultScheduler } from "./contract.ts";
import { answered, command, refused, type WorkloadName } from "./workload.ts";

export interface RolloutUndoSpec {
  readonly kind: "rolloutUndo";
  readonly workload: WorkloadName;
  /** 0: the one before the present. */
  readonly toRevision: number;
  readonly atNs: SimTimeNs;
}

export const rolloutUndo: FaultScheduler<RolloutUndoSpec> = (spec, context) => {
  const { api } = context;
  const { workload, toRevision } = spec;
  const deployments = context.listed("Deployment");
  const sets = context.listed("ReplicaSet");
  command(context, spec, () => {
    const deployment = deployments.get(workload.key);
    const refusal =
      deployment === undefined
        ? "NotFound"
        : kubectl.rolloutUndo(api, deployment, sets.values(), toRevision, answered(context, spec));
    if (refusal !== null) refused(context, spec, refusal);
  });
};
