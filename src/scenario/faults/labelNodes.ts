/** labelNodes(...): nodes get other labels, as another zone. */
import type { LabelNodesSpec } from "../../faults/labelNodes.ts";
import { faultWord, type FaultWord } from "./contract.ts";
import { nodeTargets, type NodesInput } from "./hostTargets.ts";
import { resolveSpan, spanFields, type SpanInput } from "./span.ts";

export interface LabelNodesInput extends SpanInput {
  nodes: NodesInput;
  /** Labels to set, by key. */
  labels?: Record<string, string>;
  /** Keys of labels to take away. */
  remove?: string[];
}

/** kubectl label node; with `for` or `until` the labels are as they were then. */
export const labelNodes: FaultWord<"labelNodes", LabelNodesInput, LabelNodesSpec> = faultWord(
  "labelNodes",
  {
    targets: nodeTargets,
    options: (words) => ({
      ...spanFields(words),
      labels: words.labels.optional(),
      remove: words.list(words.text("a label's key", /./)).optional(),
    }),
    resolve({ labels = {}, remove = [], ...written }, { hosts }, mistakes) {
      if (Object.keys(labels).length + remove.length === 0) {
        mistakes.add([], "neither labels nor remove", "at least one label to set or to take away");
        return null;
      }
      const both = remove.find((key) => key in labels);
      if (both !== undefined) {
        mistakes.add(["remove"], `"${both}", which labels sets`, "a label in one of both");
        return null;
      }
      return {
        kind: "labelNodes",
        ...resolveSpan(written, mistakes),
        nodes: hosts(written.nodes, "nodes"),
        labels,
        remove,
      };
    },
  },
);
