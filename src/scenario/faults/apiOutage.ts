/** apiOutage(...): an API server or an etcd that answers nobody. */
import type { ApiOutageSpec } from "../../faults/apiOutage.ts";
import { faultWord, type FaultWord } from "./contract.ts";
import { noTargets } from "./noTargets.ts";
import { resolveSpan, spanFields, type SpanInput } from "./span.ts";

export interface ApiOutageInput extends SpanInput {
  /**
   * server: it stands still, and clients give up in time. process: it is gone; connections are reset and refused until
   * another starts. etcd: watches stay and writes wait. Default "server".
   */
  what?: ApiOutageSpec["what"];
}

/** Stops the API server, or etcd behind it. */
export const apiOutage: FaultWord<"apiOutage", ApiOutageInput, ApiOutageSpec> = faultWord(
  "apiOutage",
  {
    targets: noTargets,
    options: (words) => ({
      ...spanFields(words),
      what: words.word("server", "process", "etcd").default("server"),
    }),
    chaos: ({ pick, between }) => ({
      what: pick(["server", "process", "etcd"] as const),
      for: between(100, 60_000),
    }),
    resolve: (written, _surroundings, mistakes) => ({
      kind: "apiOutage",
      ...resolveSpan(written, mistakes),
      what: written.what,
    }),
  },
);
