/**
 * The Linux and hardware half of a profile: hops, TCP, conntrack, neighbours, ICMP.
 *
 * Owns: constants with unit and source. "timings §N" is docs/sources.md, section N.
 */
import { hours, ms, seconds, us, type DurationNs } from "../engine/index.ts";

/** What one hop costs and how much it holds. */
export interface HopProfile {
  /** Propagation and fixed processing: after a packet is sent, until it is at the next hop. */
  readonly latencyNs: DurationNs;
  /** Bits per second; Infinity where the medium is no limit. */
  readonly linkRateBps: number;
  /** CPU time that each packet holds the hop for. */
  readonly cpuNsPerPacket: number;
  /** Packets that may wait; Infinity together with a zero service time makes the hop a pure delay. */
  readonly queueLimitPackets: number;
  readonly queueLimitBytes: number;
}

export const linuxProfile = {
  /** Ethernet MTU. Source: default of every driver and of docker0. */
  mtuBytes: 1500,
  /** IPv4 header 20 B + TCP header 20 B + timestamps 12 B (RFC 9293, RFC 7323). */
  headerBytesPerPacket: 52,
  /** Preamble 8 B, Ethernet header 14 B, FCS 4 B, inter-frame gap 12 B (IEEE 802.3). */
  frameBytesPerPacket: 38,
  /** One segmentation-offload unit (design: grain of a message). */
  trainBytes: 65_536,

  loopback: {
    latencyNs: us(5),
    linkRateBps: 40e9,
    cpuNsPerPacket: 480,
    queueLimitPackets: 1000,
    queueLimitBytes: Infinity,
  } satisfies HopProfile as HopProfile,
  /**
   * A pod's half of a veth pair. CPU: docker_bridge_nat.csv (moby#7857) has 742,020 transactions/s
   * without and 432,079 with bridge, veth and NAT: 0.97 us more for two crossings. Latency: timings
   * §10 asks for a placeholder of 5-20 us a hop. Queue: the per-CPU backlog, netdev_max_backlog 1000.
   */
  veth: {
    latencyNs: us(5),
    linkRateBps: 40e9,
    cpuNsPerPacket: 480,
    queueLimitPackets: 1000,
    queueLimitBytes: Infinity,
  } satisfies HopProfile as HopProfile,
  /** noqueue, as every Linux bridge (timings §10): a pure delay unless a scenario limits it. */
  bridge: {
    latencyNs: us(5),
    linkRateBps: Infinity,
    cpuNsPerPacket: 0,
    queueLimitPackets: Infinity,
    queueLimitBytes: Infinity,
  } satisfies HopProfile as HopProfile,
  /** 10 Gbit/s, as in cni_2020_10gbit.csv; pfifo_fast with txqueuelen 1000 (timings §10). */
  nic: {
    latencyNs: us(10),
    linkRateBps: 10e9,
    cpuNsPerPacket: 0,
    queueLimitPackets: 1000,
    queueLimitBytes: Infinity,
  } satisfies HopProfile as HopProfile,
  /** Egress port of the switch towards one host: shallow-buffered, 1 MiB a port (judgement). */
  switchPort: {
    latencyNs: us(10),
    linkRateBps: 10e9,
    cpuNsPerPacket: 0,
    queueLimitPackets: Infinity,
    queueLimitBytes: 1_048_576,
  } satisfies HopProfile as HopProfile,

  tcp: {
    /** First SYN and SYN-ACK time-out, RFC 6298. */
    initialRtoNs: seconds(1),
    /** tcp_syn_linear_timeouts, Linux 6.5 on: that many retries a second apart before doubling. */
    synLinearTimeouts: 4,
    /** tcp_syn_retries. */
    synRetries: 6,
    synackRetries: 5,
    /** TCP_RTO_MIN. */
    minRtoNs: ms(200),
    /** TCP_RTO_MAX. */
    maxRtoNs: seconds(120),
    /** tcp_retries2. */
    dataRetries: 15,
    /** tcp_fin_timeout and TCP_TIMEWAIT_LEN. */
    lingerNs: seconds(60),
    /** ip_local_port_range. */
    localPortFirst: 32_768,
    localPortLast: 60_999,
    /** somaxconn: connections a listener holds that are not established yet. */
    listenBacklog: 4096,
  },

  /** timings §10, and kube-proxy's own settings for established and close_wait (§7.4). */
  conntrack: {
    synSentNs: seconds(120),
    synRecvNs: seconds(60),
    establishedNs: hours(24),
    finWaitNs: seconds(120),
    timeWaitNs: seconds(120),
    closeNs: seconds(10),
    unrepliedUdpNs: seconds(30),
    /** Background collector: GC_SCAN_INTERVAL_INIT of nf_conntrack_core.c. */
    collectIntervalNs: seconds(60),
    /** max(131,072, 32,768 x cores), at most 1,048,576 (§7.4). */
    maxPerCore: 32_768,
    minEntries: 131_072,
    maxEntries: 1_048_576,
    /** Ports that --random-fully draws from. */
    snatPortFirst: 1024,
    snatPortLast: 65_535,
  },

  neighbour: {
    /** mcast_solicit 3 x retrans 1000 ms: EHOSTUNREACH after 3.0 s (timings §10, measured). */
    failureNs: seconds(3),
    /** Packets held while an address is being resolved (unres_qlen). */
    queueLimitPackets: 101,
  },

  /** icmp_ratelimit 1000 ms and XRLIM_BURST_FACTOR 6, a bucket for each destination (timings §10). */
  icmp: { intervalNs: seconds(1), burst: 6 },
};

export type LinuxProfile = typeof linuxProfile;
