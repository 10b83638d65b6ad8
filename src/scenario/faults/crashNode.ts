/** crashNode(...): nodes without power. */
import type { CrashNodeSpec } from "../../faults/crashNode.ts";
import { faultWord, type FaultWord } from "./contract.ts";
import { drawNode, struckNodes, struckTargets, type StruckNodesInput } from "./hostTargets.ts";
import { resolveSpan, spanFields, type SpanInput } from "./span.ts";

export interface CrashNodeInput extends SpanInput, StruckNodesInput {}

/** Takes nodes' power away; with `for` or `until` they boot again then. */
export const crashNode: FaultWord<"crashNode", CrashNodeInput, CrashNodeSpec> = faultWord(
  "crashNode",
  {
    targets: struckTargets,
    options: spanFields,
    chaos: (draw) => drawNode(draw, 1000, 30_000),
    resolve: (written, surroundings, mistakes) => {
      const nodes = struckNodes(written, surroundings);
      return nodes && { kind: "crashNode", ...resolveSpan(written, mistakes), nodes };
    },
  },
);
