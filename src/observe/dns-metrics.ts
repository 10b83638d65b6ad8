/**
 * The part of the metrics dictionary that tells of DNS.
 *
 * Owns: the columns of its files. Refuses to own: their place among the others (metrics.ts).
 */
import {
  client,
  service,
  windowLength,
  windowStart,
  type Metric,
  type MetricsFile,
} from "./metric-words.ts";

const notAnswered = "answered_at_ns is empty";

export const dnsUpdateLagFile: MetricsFile = {
  file: "dns_update_lag.csv",
  rowPer:
    "change of a headless Service's endpoint and DNS server that learnt of it; no such file where none did",
  columns: [
    service,
    { name: "endpoint", unit: "name", meaning: "Endpoint, as ip:port." },
    { name: "change", unit: "name", meaning: "As in endpoint_update_lag.csv." },
    { name: "server", unit: "name", meaning: "Pod of CoreDNS, as namespace/name." },
    { name: "changed_at_ns", unit: "ns", meaning: "As in endpoint_update_lag.csv." },
    { name: "known_at_ns", unit: "ns", meaning: "When the server's own watch had told it." },
    {
      name: "answered_at_ns",
      unit: "ns",
      meaning:
        "From when its answers for the Service's name held the change: at once where it kept no answer, else when that was no longer kept.",
      emptyWhen: "the run ended first, or a later change of the same endpoint came first",
    },
    {
      name: "lag_ns",
      unit: "ns",
      meaning: "answered_at_ns minus changed_at_ns.",
      emptyWhen: notAnswered,
    },
    {
      name: "stage_kubelet_ns",
      unit: "ns",
      meaning: "As in endpoint_update_lag.csv.",
      emptyWhen: "the change needed no kubelet",
    },
    {
      name: "stage_status_ns",
      unit: "ns",
      meaning: "As in endpoint_update_lag.csv.",
      emptyWhen: "the change needed no status",
    },
    {
      name: "stage_slice_ns",
      unit: "ns",
      meaning: "From then until an EndpointSlice with the change was stored.",
    },
    {
      name: "stage_watch_ns",
      unit: "ns",
      meaning: "From then until the watch had brought it to the server.",
    },
    {
      name: "stage_cache_ns",
      unit: "ns",
      meaning:
        "From then until its cache kept no older answer: the watch does not empty it. The stages add up to lag_ns. What a node's cache and the client itself keep comes on top.",
      emptyWhen: notAnswered,
    },
  ],
};

export const dnsFile: MetricsFile = {
  file: "dns.csv",
  rowPer:
    "client, window, kind and result with at least one that ended in the window; no such file without DNS",
  columns: [
    client,
    windowStart,
    windowLength,
    {
      name: "kind",
      unit: "name",
      meaning: "lookup of a name as the application asks for it, or query that such a lookup sent.",
    },
    {
      name: "result",
      unit: "name",
      meaning:
        "Of a lookup: answered, not_found, timeout, failed or refused. Of a query: the rcode of its answer (noerror, nxdomain, servfail, refused), timeout or port_unreachable; truncated (asked again over TCP), abandoned for that, or connection_failed over TCP.",
    },
    { name: "count", unit: "count", meaning: "Lookups or queries that ended so in the window." },
    ...(
      [
        ["p50", "Median"],
        ["p90", "90th percentile"],
        ["p99", "99th percentile"],
        ["max", "Maximum"],
      ] as const
    ).map(([name, what]): Metric => ({
      name: `latency_${name}_ns`,
      unit: "ns",
      meaning: `${what} of the time from the row's lookups or queries to their ends.`,
    })),
  ],
};
