/** Constants of kube-proxy. "timings §N": docs/sources.md. */
import { hours, ms, seconds } from "../../engine/index.ts";
import type { ProxyModeName } from "./modes/index.ts";

export const kubeProxyProfile = {
  mode: "iptables" as ProxyModeName,
  /** From the end of one sync to the start of the next (timings §7.1). */
  minSyncPeriodNs: seconds(1),
  /** Retry after a failed sync (timings §7.1). */
  syncPeriodNs: seconds(30),
  /** A full sync even when nothing failed; not in large-cluster mode (timings §7.1). */
  fullSyncPeriodNs: hours(1),
  /** More endpoints than that in all: large-cluster mode (timings §7.2). */
  largeClusterEndpoints: 1000,
  /** --masquerade-all. */
  masqueradeAll: false,
  iptables: {
    /** iptables-nft is what current distributions install; `legacy` swaps whole tables. */
    backend: "nft" as "nft" | "legacy",
    /**
     * Time to walk one rule. kubeproxy_cpu_tigera.csv: 0.35 cores at 10,000 services against 0.02 at
     * 100, with 1,000 new connections/s and about 20,000 rules each: 16.7 ns a rule.
     */
    ruleWalkNs: 16.7,
    /**
     * Measured iptables-restore times (timings §7.2): [size, ns]. Full syncs and legacy partial ones by
     * rules in the table, nft partial ones by services. Between the points, and behind the last two,
     * the line through them.
     */
    fullSyncByRules: {
      nft: [
        [701, ms(30)],
        [7001, ms(340)],
        [31_001, seconds(5.5)],
        [35_001, seconds(8.9)],
        [70_001, seconds(44)],
      ],
      legacy: [
        [701, ms(11)],
        [7001, ms(70)],
        [31_001, ms(330)],
        [35_001, ms(470)],
        [70_001, ms(920)],
      ],
    } as Record<"nft" | "legacy", readonly (readonly [number, number])[]>,
    partialSync: {
      nft: [
        [100, ms(19)],
        [1000, ms(65)],
        [5000, ms(250)],
        [10_000, ms(840)],
      ],
      legacy: [
        [701, ms(8)],
        [7001, ms(55)],
        [31_001, ms(180)],
        [35_001, ms(300)],
        [70_001, ms(480)],
      ],
    } as Record<"nft" | "legacy", readonly (readonly [number, number])[]>,
  },
};

export type KubeProxyProfile = typeof kubeProxyProfile;
