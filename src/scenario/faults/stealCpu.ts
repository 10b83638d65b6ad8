/** stealCpu(...): others have a share of a node's CPU time. */
import type { StealCpuSpec } from "../../faults/stealCpu.ts";
import { faultWord, type FaultWord } from "./contract.ts";
import { nodeTargets, type NodesInput } from "./hostTargets.ts";
import { resolveSpan, spanFields, type SpanInput } from "./span.ts";

export interface StealCpuInput extends SpanInput {
  nodes: NodesInput;
  /** Share of the CPU time that is taken, above 0 and below 1: what `top` shows as st. */
  share: number;
}

/** Takes a share of a node's CPU time, as a hypervisor does that has promised more than it has. */
export const stealCpu: FaultWord<"stealCpu", StealCpuInput, StealCpuSpec> = faultWord("stealCpu", {
  targets: nodeTargets,
  options: (words) => ({
    ...spanFields(words),
    share: words.number("a share above 0 and below 1", (n) => n > 0 && n < 1),
  }),
  chaos: ({ nodes, pick, share, between }) =>
    nodes.length === 0
      ? null
      : { nodes: pick(nodes), share: share(0.1, 0.9), for: between(100, 20_000) },
  resolve: (written, { hosts }, mistakes) => ({
    kind: "stealCpu",
    ...resolveSpan(written, mistakes),
    nodes: hosts(written.nodes, "nodes"),
    share: written.share,
  }),
});
