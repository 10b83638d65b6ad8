/** Constants of cluster DNS. "timings §N": docs/sources.md. */
import { ms, seconds, us, type DistributionSpec } from "../../engine/index.ts";

export const dnsProfile = {
  /** clusterDomain of kubeadm and of the addon's Corefile. */
  zone: "cluster.local",
  /** `ttl 30` of plugin kubernetes in kubeadm's Corefile; its own default is 5 (timings §9). */
  recordTtlNs: seconds(30),
  cache: {
    /** `cache 30` in kubeadm's Corefile: no answer is kept for longer, be it a success or a denial. */
    successTtlNs: seconds(30),
    denialTtlNs: seconds(30),
    /** minTTL of plugin cache, whatever the record says (timings §9). */
    minTtlNs: seconds(5),
    /** Entries of each kind: 256 shards of 39 (timings §9). */
    capacity: 9984,
  },
  /**
   * CPU time of one query: 1.9 CPUs answered 33,669 a second (coredns_search_path_capacity.csv), and as
   * many threads as that machine had CPUs.
   */
  cpuPerQueryNs: us(56.4),
  workers: 2,
  /** `health { lameduck 5s }`: how long it goes on after SIGTERM. */
  lameduckNs: seconds(5),
  /** The largest answer by UDP without EDNS: RFC 1035, 4.2.1. What is larger is truncated. */
  udpAnswerBytes: 512,
  /** The same for a client with `options edns0`: glibc's RESOLV_EDNS_BUFFER_SIZE (resolv-internal.h). */
  ednsAnswerBytes: 1200,
  forward: {
    /** Queries under way; one more is REFUSED. */
    maxConcurrent: 1000,
    /** defaultTimeout of plugin forward: then SERVFAIL. */
    timeoutNs: seconds(5),
    /** An upstream resolver: judgement. */
    latency: { kind: "lognormal", p50: ms(5), p99: ms(100) } as DistributionSpec,
    /** TTL of an outside name's record: judgement; and of a denial of one. */
    recordTtlNs: seconds(300),
  },
  nodeLocal: {
    address: "169.254.20.10",
    /** cache { success 9984 30; denial 9984 5 } (timings §9). */
    successTtlNs: seconds(30),
    denialTtlNs: seconds(5),
  },
  /** From the start of the process until it answers: judgement. */
  startupTime: { kind: "deterministic", value: ms(500) } as DistributionSpec,
};

export type DnsProfile = typeof dnsProfile;
