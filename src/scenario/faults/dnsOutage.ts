/** dnsOutage(...): CoreDNS' processes end again and again, or stand still. */
import type { DnsOutageSpec } from "../../faults/dnsOutage.ts";
import { faultWord, type FaultTargets, type FaultWord } from "./contract.ts";
import { resolveSpan, spanFields, type SpanInput } from "./span.ts";

export interface DnsOutageInput extends SpanInput {
  /**
   * crash: they end, and each that starts, until the fault is over. hang: those that run stand still; queries wait and
   * time out. Default "crash".
   */
  how?: DnsOutageSpec["how"];
}

const clusterDns: FaultTargets<Record<never, never>> = {
  fields: () => ({}),
  check: (_none, { hasDns }, mistakes) => {
    if (!hasDns) mistakes.add([], "a cluster without DNS", "cluster.dns, as `dns: {}`");
  },
};

/** Stops the cluster's DNS. */
export const dnsOutage: FaultWord<"dnsOutage", DnsOutageInput, DnsOutageSpec> = faultWord(
  "dnsOutage",
  {
    targets: clusterDns,
    options: (words) => ({
      ...spanFields(words),
      how: words.word("crash", "hang").default("crash"),
    }),
    chaos: ({ hasDns, pick, between }) =>
      hasDns ? { how: pick(["crash", "hang"] as const), for: between(100, 60_000) } : null,
    resolve: (written, { hasDns }, mistakes) =>
      hasDns ? { kind: "dnsOutage", ...resolveSpan(written, mistakes), how: written.how } : null,
  },
);
