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
  /** MTU of lo: drivers/net/loopback.c. */
  loopbackMtuBytes: 65_536,
  /** IPv4 header 20 B + TCP header 20 B + timestamps 12 B (RFC 9293, RFC 7323). */
  headerBytesPerPacket: 52,
  /** What an IPv6 header has more: 40 B (RFC 8200) instead of 20. */
  ipv6ExtraHeaderBytes: 20,
  /** Preamble 8 B, Ethernet header 14 B, FCS 4 B, inter-frame gap 12 B (IEEE 802.3). */
  frameBytesPerPacket: 38,
  /**
   * Packets that a NIC's receive ring holds while nobody empties it: VIRTIO_NET_RX_QUEUE_DEFAULT_SIZE of
   * QEMU's hw/net/virtio-net.c.
   */
  rxRingPackets: 256,
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

  udp: {
    /** Header, RFC 768. */
    headerBytes: 8,
    /** Largest payload of an IPv4 datagram: 65,535 less 20 and 8. */
    maxPayloadBytes: 65_507,
    /** net.core.rmem_default: room of a socket for datagrams that wait to be read (timings §10). */
    receiveBufferBytes: 212_992,
    /** SKB_TRUESIZE(0): what a datagram takes of it beyond its bytes, sk_buff 256 + shared info 320. */
    socketBufferBytes: 576,
  },

  /** timings §10, and kube-proxy's own settings for established and close_wait (§7.4). */
  conntrack: {
    synSentNs: seconds(120),
    synRecvNs: seconds(60),
    establishedNs: hours(24),
    finWaitNs: seconds(120),
    closeWaitNs: hours(1),
    lastAckNs: seconds(30),
    timeWaitNs: seconds(120),
    closeNs: seconds(10),
    unrepliedUdpNs: seconds(30),
    streamUdpNs: seconds(120),
    /** An answered UDP flow is a stream once it is that old: stream_ts in nf_conntrack_proto_udp.c. */
    udpStreamAfterNs: seconds(2),
    /** sctp_timeouts of nf_conntrack_proto_sctp.c. */
    sctp: {
      closedNs: seconds(10),
      cookieWaitNs: seconds(3),
      cookieEchoedNs: seconds(3),
      establishedNs: seconds(210),
      shutdownSentNs: seconds(3),
      shutdownAckSentNs: seconds(3),
    },
    /**
     * From one pass of the collector through the whole table to the next: GC_SCAN_INTERVAL_MAX of
     * nf_conntrack_core.c. The kernel's own is the mean of the entries' time-outs, at most that, and that it is
     * where most entries are in TIME_WAIT or established.
     */
    collectIntervalNs: seconds(60),
    /** max(131,072, 32,768 x cores), at most 1,048,576 (§7.4). */
    maxPerCore: 32_768,
    minEntries: 131_072,
    maxEntries: 1_048_576,
    /** NF_CT_EVICTION_RANGE: buckets that a packet which finds the table full looks into. */
    evictionBuckets: 8,
    /** kube-proxy makes a bucket for each four entries (§7.4), and an entry has two tuples. */
    tuplesPerBucket: 8,
    /** nf_conntrack_max95: the collector takes closing connections while the table is that full. */
    pressedShare: 0.95,
    /**
     * From nat in PREROUTING to the confirmation in POSTROUTING, without the walk through the rules: the
     * forwarding path of one packet. docker_bridge_nat.csv (moby#7857) has 0.97 us for two crossings of
     * bridge, veth and NAT; routing and filter come on top (judgement).
     */
    confirmNs: us(1),
    /** Linux 5.7 on: nf_ct_resolve_clash_harder(). false: the loser of a race is dropped (weave#3287). */
    insertsClashingEntries: true,
    /** And how long such an entry lives. */
    clashNs: seconds(1),
    snat: {
      /** Range where the rule names none. */
      portFirst: 1024,
      portLast: 65_535,
      /** NF_NAT_MAX_ATTEMPTS; halved until below 16: 240 tries in all. */
      maxAttempts: 128,
      minAttempts: 16,
      /** NF_NAT_HARDER_THRESH: the last tries may take the port of a TCP connection that has closed. */
      evictAttempts: 32,
    },
  },

  neighbour: {
    /** mcast_solicit 3 x retrans 1000 ms: EHOSTUNREACH after 3.0 s (timings §10, measured). */
    failureNs: seconds(3),
    /** Packets held while an address is being resolved (unres_qlen). */
    queueLimitPackets: 101,
  },

  icmp: {
    /** icmp_ratelimit 1000 ms and XRLIM_BURST_FACTOR 6, a bucket for each destination (timings §10). */
    intervalNs: seconds(1),
    burst: 6,
    /** icmp_msgs_per_sec and icmp_msgs_burst: one more bucket for all destinations together. */
    messagesPerSecond: 1000,
    messagesBurst: 50,
  },
};

export type LinuxProfile = typeof linuxProfile;
