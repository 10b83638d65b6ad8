/**
 * The metrics of `--metrics`, by name: type, unit, labels, buckets and what each means.
 *
 * Owns: the dictionary. Names, help texts and buckets of others are theirs: kube-proxy's from pkg/proxy/metrics/metrics.go,
 * those of a machine from node_exporter (collector/netdev_common.go, collector/conntrack_linux.go). What nobody else has
 * a name for begins with podstorm_. The label `node` is the target that a Prometheus would have scraped. Refuses to own:
 * how they come about (collector.ts, machines.ts) and the text (text.ts).
 */
import { NETWORK_PROGRAMMING_BUCKETS_S } from "../../observe/index.ts";

export type FamilyType = "counter" | "gauge" | "histogram" | "info";

export interface Family {
  /** Without the suffix of its samples: OpenMetrics counts `x_total` as samples of `x`. */
  readonly name: string;
  readonly type: FamilyType;
  /** The last part of the name, where it is one. */
  readonly unit?: "seconds" | "bytes";
  readonly help: string;
  readonly labels: readonly string[];
  /** Upper bounds of a histogram's buckets, in seconds, without the infinite one. */
  readonly boundsS?: readonly number[];
}

/** metrics.ExponentialBuckets(0.001, 2, 15). */
const SYNC_BOUNDS_S = Array.from({ length: 15 }, (_, i) => 0.001 * 2 ** i);

/** prometheus.DefBuckets with finer ones below and longer ones above: a hop in a cluster takes microseconds. */
const LATENCY_BOUNDS_S = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
  30, 60,
];

const kubeProxy = ["node", "ip_family"];
const perClient = ["client", "service"];
const perEndpoint = ["service", "endpoint", "pod", "node"];
const device = ["node", "device"];

export const families = {
  networkProgramming: {
    name: "kubeproxy_network_programming_duration_seconds",
    type: "histogram",
    unit: "seconds",
    help: "In Cluster Network Programming Latency in seconds",
    labels: kubeProxy,
    boundsS: NETWORK_PROGRAMMING_BUCKETS_S,
  },
  sync: {
    name: "kubeproxy_sync_proxy_rules_duration_seconds",
    type: "histogram",
    unit: "seconds",
    help: "SyncProxyRules latency in seconds",
    labels: kubeProxy,
    boundsS: SYNC_BOUNDS_S,
  },
  syncFull: {
    name: "kubeproxy_sync_full_proxy_rules_duration_seconds",
    type: "histogram",
    unit: "seconds",
    help: "SyncProxyRules latency in seconds for full resyncs",
    labels: kubeProxy,
    boundsS: SYNC_BOUNDS_S,
  },
  syncPartial: {
    name: "kubeproxy_sync_partial_proxy_rules_duration_seconds",
    type: "histogram",
    unit: "seconds",
    help: "SyncProxyRules latency in seconds for partial resyncs",
    labels: kubeProxy,
    boundsS: SYNC_BOUNDS_S,
  },
  lastSync: {
    name: "kubeproxy_sync_proxy_rules_last_timestamp_seconds",
    type: "gauge",
    unit: "seconds",
    help: "The last time proxy rules were successfully synced",
    labels: kubeProxy,
  },
  restoreFailures: {
    name: "kubeproxy_sync_proxy_rules_iptables_restore_failures",
    type: "counter",
    help: "Cumulative proxy iptables restore failures",
    labels: kubeProxy,
  },
  nftablesFailures: {
    name: "kubeproxy_sync_proxy_rules_nftables_sync_failures",
    type: "counter",
    help: "Cumulative proxy nftables sync failures",
    labels: kubeProxy,
  },
  conntrackEntries: {
    name: "node_nf_conntrack_entries",
    type: "gauge",
    help: "Number of currently allocated flow entries for connection tracking.",
    labels: ["node"],
  },
  conntrackLimit: {
    name: "node_nf_conntrack_entries_limit",
    type: "gauge",
    help: "Maximum size of connection tracking table.",
    labels: ["node"],
  },
  conntrackInsertFailed: {
    name: "node_nf_conntrack_stat_insert_failed",
    type: "gauge",
    help: "Number of entries for which list insertion was attempted but failed.",
    labels: ["node"],
  },
  conntrackDrop: {
    name: "node_nf_conntrack_stat_drop",
    type: "gauge",
    help: "Number of packets dropped due to conntrack failure.",
    labels: ["node"],
  },
  conntrackEarlyDrop: {
    name: "node_nf_conntrack_stat_early_drop",
    type: "gauge",
    help: "Number of dropped conntrack entries to make room for new ones, if maximum table size was reached.",
    labels: ["node"],
  },
  transmitBytes: {
    name: "node_network_transmit_bytes",
    type: "counter",
    unit: "bytes",
    help: "Network device statistic transmit_bytes.",
    labels: device,
  },
  transmitPackets: {
    name: "node_network_transmit_packets",
    type: "counter",
    help: "Network device statistic transmit_packets.",
    labels: device,
  },
  transmitDrop: {
    name: "node_network_transmit_drop",
    type: "counter",
    help: "Network device statistic transmit_drop.",
    labels: device,
  },
  receiveBytes: {
    name: "node_network_receive_bytes",
    type: "counter",
    unit: "bytes",
    help: "Network device statistic receive_bytes.",
    labels: device,
  },
  receivePackets: {
    name: "node_network_receive_packets",
    type: "counter",
    help: "Network device statistic receive_packets.",
    labels: device,
  },
  packetsDropped: {
    name: "podstorm_packets_dropped",
    type: "counter",
    help: "Packets dropped at a hop, a table or a namespace, by cause.",
    labels: ["place", "cause"],
  },
  requestsStarted: {
    name: "podstorm_requests_started",
    type: "counter",
    help: "Requests that began.",
    labels: perClient,
  },
  requests: {
    name: "podstorm_requests",
    type: "counter",
    help: "Requests that ended, by outcome: served, or the cause of the failure.",
    labels: [...perClient, "outcome"],
  },
  requestDuration: {
    name: "podstorm_request_duration_seconds",
    type: "histogram",
    unit: "seconds",
    help: "Latency of served requests, retries included.",
    labels: perClient,
    boundsS: LATENCY_BOUNDS_S,
  },
  retries: {
    name: "podstorm_request_retries",
    type: "counter",
    help: "Tries of requests beyond the first.",
    labels: perClient,
  },
  staleRouted: {
    name: "podstorm_requests_stale_routed",
    type: "counter",
    help: "Requests whose last try went over a connection to an endpoint that was no longer usable.",
    labels: perClient,
  },
  connections: {
    name: "podstorm_connections_routed",
    type: "counter",
    help: "New connections for which the node chose an endpoint of the Service.",
    labels: ["node", "service"],
  },
  staleConnections: {
    name: "podstorm_connections_stale_routed",
    type: "counter",
    help: "Those of them whose endpoint was no longer usable.",
    labels: ["node", "service"],
  },
  endpointRequests: {
    name: "podstorm_endpoint_requests",
    type: "counter",
    help: "Requests that reached the endpoint's server.",
    labels: perEndpoint,
  },
  endpointInFlight: {
    name: "podstorm_endpoint_requests_in_flight",
    type: "gauge",
    help: "Requests that are at the endpoint's server, waiting or being served.",
    labels: perEndpoint,
  },
  updateLag: {
    name: "podstorm_endpoint_update_lag_seconds",
    type: "histogram",
    unit: "seconds",
    help: "From a change of an endpoint until the node's rules held it.",
    labels: ["node", "change"],
    boundsS: [0.001, 0.005, 0.01, 0.05, 0.1, ...NETWORK_PROGRAMMING_BUCKETS_S],
  },
  lookups: {
    name: "podstorm_dns_lookups",
    type: "counter",
    help: "Lookups of names that ended, by result.",
    labels: ["client", "result"],
  },
  lookupDuration: {
    name: "podstorm_dns_lookup_duration_seconds",
    type: "histogram",
    unit: "seconds",
    help: "Latency of lookups that gave an address.",
    labels: ["client"],
    boundsS: LATENCY_BOUNDS_S,
  },
  run: {
    name: "podstorm_run",
    type: "info",
    help: "What was run.",
    labels: ["scenario", "seed", "kubernetes", "mode"],
  },
} as const satisfies Readonly<Record<string, Family>>;

export type FamilyName = keyof typeof families;

/** The names of a family's samples. */
export function sampleNames({ name, type }: Family): readonly string[] {
  switch (type) {
    case "counter":
      return [`${name}_total`];
    case "gauge":
      return [name];
    case "info":
      return [`${name}_info`];
    case "histogram":
      return [`${name}_bucket`, `${name}_count`, `${name}_sum`];
  }
}
