/** crashNode(...): nodes without power. */
import type { z } from "zod";
import type { CrashNodeSpec } from "../../faults/crashNode.ts";
import { faultWord, type FaultTargets, type FaultWord } from "./contract.ts";
import { drawNode, hostList, NODES_ALLOWED, type NodesInput } from "./hostTargets.ts";
import { resolveSpan, spanFields, type SpanInput } from "./span.ts";

export interface CrashNodeInput extends SpanInput {
  /** Either this or `workload`. */
  nodes?: NodesInput;
  /** "deploy/web": one node that runs a pod of it, drawn when the time has come. */
  workload?: string;
}

const targets: FaultTargets<{
  nodes: z.ZodOptional<z.ZodType<readonly string[]>>;
  workload: z.ZodOptional<z.ZodType<string>>;
}> = {
  fields: (words) => ({
    nodes: hostList(words, NODES_ALLOWED).optional(),
    workload: words.text('a workload such as "deploy/web"').optional(),
  }),
  check: ({ nodes, workload }, { hosts, podsOf }, mistakes) => {
    if ((nodes === undefined) === (workload === undefined)) {
      const found = nodes === undefined ? "neither nodes nor workload" : "both nodes and workload";
      mistakes.add([], found, "one of the two");
    }
    if (nodes !== undefined) hosts(nodes, "nodes", mistakes.within(["nodes"]));
    if (workload !== undefined) podsOf(workload, mistakes.within(["workload"]));
  },
};

/** Takes nodes' power away; with `for` or `until` they boot again then. */
export const crashNode: FaultWord<"crashNode", CrashNodeInput, CrashNodeSpec> = faultWord(
  "crashNode",
  {
    targets,
    options: spanFields,
    chaos: (draw) => drawNode(draw, 1000, 30_000),
    resolve: (written, { hosts, podsOf }, mistakes) => {
      const { nodes, workload } = written;
      const struck = workload === undefined ? hosts(nodes ?? [], "nodes") : podsOf(workload);
      return struck && { kind: "crashNode", ...resolveSpan(written, mistakes), nodes: struck };
    },
  },
);
