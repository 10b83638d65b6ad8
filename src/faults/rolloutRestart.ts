/** kubectl rollout restart: every pod is replaced, as the Deployment's strategy says. */
import type { SimTimeNs } from "../engine/index.ts";
import * as kubectl from "../kubernetes/kubectl/index.ts";
import type { FaultScheduler } from "./contract.ts";
import { answered, command, type WorkloadName } from "./workload.ts";

export interface RolloutRestartSpec {
  readonly kind: "rolloutRestart";
  readonly workload: WorkloadName;
  readonly atNs: SimTimeNs;
}

export const rolloutRestart: FaultScheduler<RolloutRestartSpec> = (spec, context) => {
  const { kind, key } = spec.workload;
  const done = answered(context, spec);
  command(context, spec, () =>
    kubectl.rolloutRestart(context.api, kind as kubectl.RolloutKind, key, context.sim.nowNs, done),
  );
};
