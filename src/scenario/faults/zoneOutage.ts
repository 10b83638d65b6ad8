/** zoneOutage(...): a zone without power or without a network. */
import type { ZoneOutageSpec } from "../../faults/zoneOutage.ts";
import type { z } from "zod";
import { faultWord, type FaultTargets, type FaultWord } from "./contract.ts";
import { resolveSpan, spanFields, type SpanInput } from "./span.ts";

export interface ZoneOutageInput extends SpanInput {
  /** Name of the zone, as nodes are labelled with it: "zone-1". */
  zone: string;
  /** power: its nodes crash. network: nothing outside of it is reached, the API server neither. Default "power". */
  how?: ZoneOutageSpec["how"];
}

const zoneTarget: FaultTargets<{ zone: z.ZodType<string> }> = {
  fields: ({ labelName }) => ({ zone: labelName }),
  check: ({ zone }, { hosts }, mistakes) =>
    void hosts([`zone/${zone}`], "nodes", mistakes.within(["zone"])),
};

/** Takes a whole zone away. */
export const zoneOutage: FaultWord<"zoneOutage", ZoneOutageInput, ZoneOutageSpec> = faultWord(
  "zoneOutage",
  {
    targets: zoneTarget,
    options: (words) => ({
      ...spanFields(words),
      how: words.word("power", "network").default("power"),
    }),
    chaos: ({ zones, pick, between }) =>
      zones.length < 2
        ? null
        : {
            zone: pick(zones),
            how: pick(["power", "network"] as const),
            for: between(500, 30_000),
          },
    resolve: (written, { hosts }, mistakes) => ({
      kind: "zoneOutage",
      ...resolveSpan(written, mistakes),
      nodes: hosts([`zone/${written.zone}`], "nodes"),
      zone: written.zone,
      how: written.how,
    }),
  },
);
