/** partition(...): hosts that no longer reach each other. */
import type { PartitionSpec } from "../../faults/partition.ts";
import { faultWord, type FaultWord } from "./contract.ts";
import { drawLine, lineTargets, resolveLine, type HostsInput } from "./hostTargets.ts";
import { resolveSpan, spanFields, type SpanInput } from "./span.ts";

export interface PartitionInput extends SpanInput {
  /** "node-1", "zone/zone-1", "docker-1", "outside", or several of these. */
  from: HostsInput;
  /** The other side. Default: all other hosts. */
  to?: HostsInput;
  /** Only packets of `from` to `to` are lost. Default false: those back as well. */
  oneWay?: boolean;
}

/** Cuts the lines between hosts. */
export const partition: FaultWord<"partition", PartitionInput, PartitionSpec> = faultWord(
  "partition",
  {
    targets: lineTargets,
    options: (words) => ({ ...spanFields(words), oneWay: words.boolean.default(false) }),
    chaos: (draw) => {
      const line = drawLine(draw);
      return line && { ...line, for: draw.between(50, 10_000) };
    },
    resolve: (written, surroundings, mistakes) => ({
      kind: "partition",
      ...resolveSpan(written, mistakes),
      ...resolveLine(written, surroundings, undefined),
      oneWay: written.oneWay,
    }),
  },
);
