/** kubectl set image: a new template, and so a rollout. */
import type { SimTimeNs } from "../engine/index.ts";
import * as kubectl from "../kubernetes/kubectl/index.ts";
import type { FaultScheduler } from "./contract.ts";
import { answered, command, type WorkloadName } from "./workload.ts";

export interface SetImageSpec {
  readonly kind: "setImage";
  readonly workload: WorkloadName;
  /** null: all of its containers. */
  readonly container: string | null;
  readonly image: string;
  readonly atNs: SimTimeNs;
}

export const setImage: FaultScheduler<SetImageSpec> = (spec, context) => {
  const { workload, container, image } = spec;
  const kind = workload.kind as kubectl.RolloutKind;
  const done = answered(context, spec);
  command(context, spec, () =>
    kubectl.setImage(context.api, kind, workload.key, container, image, done),
  );
};
