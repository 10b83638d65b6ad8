/** kubectl scale: another number of replicas, for good or for a while. */
import * as kubectl from "../kubernetes/kubectl/index.ts";
import type { FaultScheduler } from "./contract.ts";
import { during, type Span } from "./span.ts";
import { answered, type WorkloadName } from "./workload.ts";

export interface ScaleSpec extends Span {
  readonly kind: "scale";
  readonly workload: WorkloadName;
  readonly replicas: number;
}

export const scale: FaultScheduler<ScaleSpec> = (spec, context) => {
  const { workload, replicas } = spec;
  const kind = workload.kind as kubectl.ScalableKind;
  const objects = context.listed(kind);
  during(context, spec, { kind: spec.kind, object: workload.text }, () => {
    const before = objects.get(workload.key)?.spec.replicas;
    const done = answered(context, spec);
    kubectl.scale(context.api, kind, workload.key, replicas, done);
    return () => {
      if (before !== undefined) kubectl.scale(context.api, kind, workload.key, before, done);
    };
  });
};
