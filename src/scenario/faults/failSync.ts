/** failSync(...): kube-proxies whose syncs fail. */
import type { FailSyncSpec } from "../../faults/failSync.ts";
import { faultWord, type FaultWord } from "./contract.ts";
import { nodeTargets, type NodesInput } from "./hostTargets.ts";
import { resolveSpan, spanFields, type SpanInput } from "./span.ts";

export interface FailSyncInput extends SpanInput {
  nodes: NodesInput;
}

/** Every sync of these nodes' kube-proxies that would end meanwhile fails: the old rules stay, and it is tried again. */
export const failSync: FaultWord<"failSync", FailSyncInput, FailSyncSpec> = faultWord("failSync", {
  targets: nodeTargets,
  options: spanFields,
  resolve: (written, { hosts }, mistakes) => ({
    kind: "failSync",
    ...resolveSpan(written, mistakes),
    nodes: hosts(written.nodes, "nodes"),
  }),
});
