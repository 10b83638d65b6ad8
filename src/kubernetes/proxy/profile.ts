/** Constants of kube-proxy. "timings §N": docs/sources.md. */
import { hours, minutes, ms, seconds, us } from "../../engine/index.ts";
import type { SchedulerName } from "./ipvs/schedulers.ts";
import type { ProxyModeName } from "./modes/index.ts";

export const kubeProxyProfile = {
  mode: "iptables" as ProxyModeName,
  /** A full sync even when nothing failed; not in large-cluster mode (timings §7.1). */
  fullSyncPeriodNs: hours(1),
  /** Syncs that the runner lets go one after the other before minSyncPeriod counts; 0: none (timings §7.1). */
  syncBurst: 0,
  /** More endpoints than that in all: large-cluster mode (timings §7.2). */
  largeClusterEndpoints: 1000,
  /** The gate LoadBalancerIPMode: addresses of ipMode Proxy get no rules. Since 1.30 (timings §7.1). */
  loadBalancerIPMode: true,
  /** --nodeport-addresses: CIDRs, or "primary"; empty: the mode's default. */
  nodePortAddresses: [] as readonly string[],
  /** --conntrack-tcp-be-liberal: the kernel calls no packet INVALID for its window, and KUBE-FORWARD drops none. */
  conntrackTcpBeLiberal: false,
  /**
   * --cluster-cidr, by which pods are recognised, one of each family; empty: the cluster's pod CIDR; "none":
   * no pod is recognised.
   */
  clusterCIDR: [] as readonly string[],
  iptables: {
    /** From the end of one sync to the start of the next (timings §7.1). */
    minSyncPeriodNs: seconds(1),
    /** Retry after a failed sync, canary and clean-up of stale chains (timings §7.1). */
    syncPeriodNs: seconds(30),
    /** --masquerade-all. */
    masqueradeAll: false,
    /** --iptables-localhost-nodeports. */
    localhostNodePorts: true,
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
    /** As in iptables mode (timings §7.1). */
    minSyncPeriodNs: seconds(1),
    syncPeriodNs: seconds(30),
    masqueradeAll: false,
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
  ipvs: {
    /** ipvs.minSyncPeriod is 0: a sync may follow the last at once (timings §7.1). */
    minSyncPeriodNs: 0,
    syncPeriodNs: seconds(30),
    scheduler: "rr" as SchedulerName,
    /**
     * `ipvsadm --set`: how long a TCP connection may be silent, and one after a FIN. The kernel's, which kube-proxy
     * leaves alone (kubernetes/kubernetes#84041: 900 120 300).
     */
    tcpTimeoutNs: seconds(900),
    tcpFinTimeoutNs: seconds(120),
    /** graceful_termination.go, rsCheckDeleteInterval: how often drained servers are looked at. */
    drainCheckNs: minutes(1),
    /**
     * vs/conn_reuse_mode. 1: a SYN on a tuple in TIME_WAIT is scheduled anew. 0, which kube-proxy sets on
     * kernels before 5.9: it goes where the old connection went, also to a server that drains.
     */
    connReuseMode: 1,
    /**
     * A hash lookup, and the fixed number of iptables rules with their ipsets before it: some 30 rules of
     * 16.7 ns (judgement; the number does not depend on the Services).
     */
    lookupNs: 500,
    /** An empty sync: the iptables rules and ipsets, as a small iptables-restore (§7.2). */
    syncNs: ms(19),
    /**
     * Each sync looks at every virtual server again: kubernetes/kubernetes#84906, 0.73 s for 1,500
     * external IPs.
     */
    serviceNs: ms(0.49),
    /** One netlink call for each real server added, changed or deleted (judgement). */
    endpointNs: us(50),
  },
  ebpf: {
    /** Each change is written to the maps as it comes. */
    minSyncPeriodNs: 0,
    syncPeriodNs: seconds(30),
    /** loadBalancer.algorithm; Maglev is for outside traffic only (Cilium, "Kubernetes Without kube-proxy"). */
    algorithm: "random" as "random" | "maglev",
    /** maglev.tableSize: a prime, at least 100 times the endpoints of a Service. */
    maglevTableSize: 16_381,
    /** socketLB.enabled: connect() is translated; without it, the NIC rules of the node do it. */
    socketLB: true,
    /** A few lookups in hash maps, whatever their size (judgement). */
    lookupNs: 200,
    /** bpf(BPF_MAP_UPDATE_ELEM) and what the agent does around it (judgement). */
    mapUpdateNs: us(10),
    /** Filling a table of 16,381 slots and writing it as one map element (judgement). */
    maglevTableNs: ms(1),
  },
};

export type KubeProxyProfile = typeof kubeProxyProfile;
