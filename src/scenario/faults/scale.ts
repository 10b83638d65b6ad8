/** scale(...): another number of replicas. */
import type { ScaleSpec } from "../../faults/scale.ts";
import { faultWord, type FaultWord } from "./contract.ts";
import { resolveSpan, spanFields, type SpanInput } from "./span.ts";
import { workloadTarget } from "./workloadTarget.ts";

export interface ScaleInput extends SpanInput {
  /** "deploy/NAME", "rs/NAME", "rc/NAME" or "sts/NAME". */
  workload: string;
  replicas: number;
}

const KINDS = ["Deployment", "ReplicaSet", "ReplicationController", "StatefulSet"];

/** kubectl scale; with `for` or `until` back to what it was. */
export const scale: FaultWord<"scale", ScaleInput, ScaleSpec> = faultWord("scale", {
  targets: workloadTarget(...KINDS),
  options: (words) => ({ ...spanFields(words), replicas: words.integer("replicas", 0, 1_000_000) }),
  chaos: ({ workloads, pick, below, between }) =>
    workloads.length === 0
      ? null
      : { workload: pick(workloads).reference, replicas: below(8), for: between(500, 30_000) },
  resolve(written, { workload }, mistakes) {
    const found = workload(written.workload, KINDS);
    const span = resolveSpan(written, mistakes);
    return found && { kind: "scale", ...span, workload: found, replicas: written.replicas };
  },
});
