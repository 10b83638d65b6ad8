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
  /** --nodeport-addresses: CIDRs; empty: the mode's default. */
  nodePortAddresses: [] as readonly string[],
  /** --iptables-localhost-nodeports. */
  localhostNodePorts: true,
  iptables: {
    /** ip_list_tot of xt_recent: clients that one endpoint's affinity list remembers. */
    recentListLimit: 100,
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
  nftables: {
    /**
     * Lookups in verdict maps, whatever their size. kubeproxy_first_packet_latency.csv: the median first
     * packet takes 11.8 us at 5,000, 10,000 and 30,000 Services, as fast as iptables' best ones.
     */
    lookupNs: 500,
    /** A transaction of its own: kubeproxy_nftables_sync.csv, 0.141 s to add one Service among 10,000. */
    transactionNs: ms(20),
    /** For each Service port and endpoint written: 133 s for 250,000 endpoints (same file, 135639). */
    serviceNs: ms(0.5),
    endpointNs: ms(0.5),
  },
};

export type KubeProxyProfile = typeof kubeProxyProfile;
