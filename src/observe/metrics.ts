/**
 * The metrics dictionary: every column of every results file, with its unit and meaning.
 *
 * Owns: the order and names of columns; recorders take their headers from here and docs/metrics.md
 * is checked against it. Refuses to own: how values are measured. Columns are only ever added to the
 * right of a file, never renamed or moved.
 */

import { client, service, target, windowLength, windowStart } from "./metric-words.ts";
import type { Metric, MetricsFile } from "./metric-words.ts";
import { containerCpuFile } from "./container-metrics.ts";
import { dnsFile, dnsUpdateLagFile } from "./dns-metrics.ts";
import { requestedFiles } from "./requested-metrics.ts";

export type { Metric, MetricsFile, Unit } from "./metric-words.ts";
export { requestedFiles } from "./requested-metrics.ts";

const noRequest = "the Service got no request in the window";

function latency(name: string, what: string): Metric {
  return {
    name,
    unit: "ns",
    meaning: `${what} of the latency of the row's requests: from the client's wish to the end of the last try, waiting between tries included.`,
  };
}

const neverProgrammed = "programmed_at_ns is empty";

function stage(name: string, meaning: string, emptyWhen?: string): Metric {
  const also = emptyWhen === undefined ? "" : `, or ${emptyWhen}`;
  return { name: `stage_${name}_ns`, unit: "ns", meaning, emptyWhen: `${neverProgrammed}${also}` };
}

const noKubelet =
  "the change needed no kubelet: the API server itself began the pod's end, its object went at once, or a controller called it unready";
const noStatus =
  "the change needed no status: the API server itself began the pod's end, or its object went at once";

const staleOutcomes = [
  ["served", "whose first request was served"],
  ["refused", "that were refused"],
  ["unreachable", "that found no way to the host"],
  ["reset", "that were reset"],
  ["closed", "that were closed before the first answer"],
  ["timeout", "whose first request met its deadline"],
  ["overloaded", "that the server turned away"],
  ["misrouted", "that another application answered"],
].map(([name, which]): Metric => ({
  name: name!,
  unit: "count",
  meaning: `Of connections, those ${which}.`,
}));

function untilShare(percent: number): Metric {
  return {
    name: `until_${percent}_ns`,
    unit: "ns",
    meaning: `From the change until the rules of ${percent} % of all nodes held it.`,
    emptyWhen: "fewer nodes programmed it before the run ended",
  };
}

export const metricsFiles: readonly MetricsFile[] = [
  {
    file: "endpoint_update_lag.csv",
    rowPer:
      "endpoint change and node, for every node of the cluster; of Services with a cluster IP",
    columns: [
      service,
      { name: "endpoint", unit: "name", meaning: "Endpoint, as ip:port." },
      {
        name: "change",
        unit: "name",
        meaning:
          "What happened: added (ready for the first time), removed (told to go, or gone at once) or condition (no longer ready, or ready again).",
      },
      { name: "node", unit: "name", meaning: "Node whose kube-proxy had to learn of the change." },
      {
        name: "changed_at_ns",
        unit: "ns",
        meaning: "When the cause happened in the pod, not when a component noticed it.",
      },
      {
        name: "programmed_at_ns",
        unit: "ns",
        meaning: "When the node's rules first held the change.",
        emptyWhen:
          "the node never programmed it: the run ended first, a later change of the same endpoint overtook it, or it undid one that the node never programmed",
      },
      {
        name: "lag_ns",
        unit: "ns",
        meaning: "programmed_at_ns minus changed_at_ns.",
        emptyWhen: neverProgrammed,
      },
      stage(
        "kubelet",
        "From the cause until the pod's kubelet had noticed: a relist for a process that ended, nothing for a probe's verdict.",
        noKubelet,
      ),
      stage("status", "From then until the pod's new status was stored.", noStatus),
      stage(
        "slice",
        "From then (from the cause, where no kubelet was needed) until an EndpointSlice with the change was stored.",
      ),
      stage("watch", "From then until the watch had brought it to the node's kube-proxy."),
      stage(
        "track",
        "From then until the proxy's change tracker had taken note: at once while the process runs, and when it goes on where its node stands still.",
      ),
      stage("wait", "From then until the sync began: the minimum period, and syncs that failed."),
      stage("sync", "From then until the rules were in force. The stages add up to lag_ns."),
    ],
  },
  {
    file: "fleet_convergence.csv",
    rowPer: "endpoint change",
    columns: [
      service,
      { name: "endpoint", unit: "name", meaning: "Endpoint, as ip:port." },
      { name: "change", unit: "name", meaning: "As in endpoint_update_lag.csv." },
      { name: "changed_at_ns", unit: "ns", meaning: "As in endpoint_update_lag.csv." },
      { name: "nodes", unit: "count", meaning: "Nodes of the cluster." },
      { name: "programmed", unit: "count", meaning: "Of them, those that programmed the change." },
      ...[50, 90, 99, 100].map(untilShare),
    ],
  },
  dnsUpdateLagFile,
  {
    file: "network_programming_latency.csv",
    rowPer:
      "five minutes (from the start of the run) and node, where the node's proxy programmed something",
    columns: [
      { name: "node", unit: "name", meaning: "Node whose kube-proxy it is." },
      windowStart,
      windowLength,
      {
        name: "updates",
        unit: "count",
        meaning: "Endpoint changes that came into force on the node in these minutes.",
      },
      {
        name: "p50_ns",
        unit: "ns",
        meaning: "Median of the times from when the list of ready pods changed until they did.",
        emptyWhen: "updates is 0",
      },
      {
        name: "p99_ns",
        unit: "ns",
        meaning: "99th percentile of them: the SLI by its definition.",
        emptyWhen: "updates is 0",
      },
      {
        name: "metric_samples",
        unit: "count",
        meaning:
          "Samples of kubeproxy_network_programming_duration_seconds: trigger times that slices carried.",
      },
      {
        name: "metric_p50_ns",
        unit: "ns",
        meaning: "Median, as Prometheus' histogram_quantile() makes it of that metric's buckets.",
        emptyWhen: "metric_samples is 0",
      },
      {
        name: "metric_p99_ns",
        unit: "ns",
        meaning: "99th percentile, likewise.",
        emptyWhen: "metric_samples is 0",
      },
    ],
  },
  {
    file: "stale_routing.csv",
    rowPer:
      "time that an endpoint ceased to be usable, and node that then still sent it a new connection; one row with an empty node for an endpoint that got none",
    columns: [
      service,
      { name: "endpoint", unit: "name", meaning: "Endpoint, as ip:port." },
      { name: "pod", unit: "name", meaning: "Pod behind the endpoint, as namespace/name." },
      {
        name: "change",
        unit: "name",
        meaning: "How it ceased to be usable: removed or condition, as in endpoint_update_lag.csv.",
      },
      { name: "gone_at_ns", unit: "ns", meaning: "When it did, in truth." },
      {
        name: "node",
        unit: "name",
        meaning:
          "Node whose rules chose it, or whose client had its address from DNS; or outside the cluster.",
        emptyWhen: "no node sent it a new connection",
      },
      {
        name: "connections",
        unit: "count",
        meaning: "New connections that it was sent from then on until it could be used again.",
      },
      {
        name: "first_after_ns",
        unit: "ns",
        meaning: "From gone_at_ns to the first of them.",
        emptyWhen: "no rules chose it: there was none, or its address came from DNS",
      },
      {
        name: "last_after_ns",
        unit: "ns",
        meaning: "From gone_at_ns to the last of them.",
        emptyWhen: "first_after_ns is empty",
      },
      ...staleOutcomes,
      {
        name: "other",
        unit: "count",
        meaning:
          "Of connections, those that no client's try tells of: sent elsewhere when the SYN was sent again, opened by a probe, or still open at the end.",
      },
    ],
  },
  {
    file: "load_skew.csv",
    rowPer: "Service and window",
    columns: [
      service,
      windowStart,
      windowLength,
      {
        name: "requests",
        unit: "count",
        meaning: "Requests that reached a server of one of the Service's endpoints in the window.",
      },
      {
        name: "endpoints",
        unit: "count",
        meaning:
          "Endpoints compared: those that could be used when the window closed (ready and not told to go, in truth) and those that got a connection or a request in it. An idle endpoint counts, with zero.",
      },
      {
        name: "max_over_mean",
        unit: "ratio",
        meaning: "Requests of the busiest endpoint over the mean of all; 1 is even.",
        emptyWhen: noRequest,
      },
      {
        name: "cv",
        unit: "ratio",
        meaning:
          "Coefficient of variation of requests per endpoint (population standard deviation over mean); 0 is even.",
        emptyWhen: noRequest,
      },
      {
        name: "jain",
        unit: "ratio",
        meaning:
          "Jain's fairness index of requests per endpoint; 1 is even, 1/endpoints is all on one.",
        emptyWhen: noRequest,
      },
      {
        name: "gini",
        unit: "ratio",
        meaning: "Gini coefficient of requests per endpoint; 0 is even.",
        emptyWhen: noRequest,
      },
      {
        name: "kolmogorov",
        unit: "ratio",
        meaning:
          "Kolmogorov distance of the load from the uniform load: the share of requests that would have to move to make it even; 0 is even.",
        emptyWhen: noRequest,
      },
    ],
  },
  {
    file: "endpoint_load.csv",
    rowPer:
      "endpoint and window, for the endpoints that load_skew.csv compares and those with a request in progress",
    columns: [
      service,
      { name: "endpoint", unit: "name", meaning: "Endpoint, as ip:port." },
      { name: "pod", unit: "name", meaning: "Pod behind the endpoint, as namespace/name." },
      { name: "node", unit: "name", meaning: "Node that the pod runs on." },
      windowStart,
      windowLength,
      {
        name: "requests",
        unit: "count",
        meaning: "Requests that reached the endpoint's server in the window.",
      },
      {
        name: "connections",
        unit: "count",
        meaning:
          "New connections to the endpoint in the window: those that nodes routed there, and those of clients that dial it by an address from DNS.",
      },
      {
        name: "in_flight_mean",
        unit: "ratio",
        meaning:
          "Requests at the endpoint's server, waiting or being served: mean over the time of the window.",
      },
      {
        name: "stale_connections",
        unit: "count",
        meaning:
          "Of connections, those routed to the endpoint when it was in truth no longer usable: its pod not ready, told to go or gone.",
      },
    ],
  },
  {
    file: "requests.csv",
    rowPer:
      "client, Service, window and outcome with at least one request that ended in the window",
    columns: [
      client,
      target,
      windowStart,
      windowLength,
      {
        name: "outcome",
        unit: "name",
        meaning: "How the requests ended: served, or the cause of failure as in failures.csv.",
      },
      { name: "count", unit: "count", meaning: "Requests that ended so in the window." },
      latency("latency_p50_ns", "Median"),
      latency("latency_p90_ns", "90th percentile"),
      latency("latency_p99_ns", "99th percentile"),
      latency("latency_max_ns", "Maximum"),
    ],
  },
  {
    file: "failures.csv",
    rowPer: "client, Service and cause, over the whole run, where the count is above zero",
    columns: [
      client,
      target,
      {
        name: "cause",
        unit: "name",
        meaning:
          "refused, unreachable, reset, closed, timeout, overloaded, no_local_port, misrouted, unresolved or upstream_failed.",
      },
      {
        name: "count",
        unit: "count",
        meaning: "Requests that failed so; a try that a retry made good is not one.",
      },
      {
        name: "stale_routed",
        unit: "count",
        meaning:
          "Of count, those whose last try went over a connection opened to an endpoint that was in truth no longer usable (not ready, told to go or gone).",
      },
    ],
  },
  {
    file: "failed_requests.csv",
    rowPer: "failed request, in the order in which they failed: the first 10,000 of them",
    columns: [
      {
        name: "request",
        unit: "count",
        meaning:
          "Number of the request, in order of arrival over all clients, from 0; sim explain takes it.",
      },
      client,
      target,
      { name: "cause", unit: "name", meaning: "As in failures.csv." },
      { name: "started_at_ns", unit: "ns", meaning: "When the client wanted it." },
      { name: "ended_at_ns", unit: "ns", meaning: "When it had failed for good." },
      { name: "attempts", unit: "count", meaning: "Tries that it took." },
      {
        name: "endpoint",
        unit: "name",
        meaning: "Endpoint that the last try's connection had been routed to, as ip:port.",
        emptyWhen: "no rules had chosen one",
      },
      {
        name: "pod",
        unit: "name",
        meaning: "Pod behind it, as namespace/name.",
        emptyWhen: "endpoint is empty",
      },
      {
        name: "node",
        unit: "name",
        meaning: "Node whose rules had chosen it.",
        emptyWhen: "endpoint is empty, or no node had",
      },
      {
        name: "stale_routed",
        unit: "count",
        meaning: "1 if the endpoint was in truth no longer usable when it was chosen, else 0.",
        emptyWhen: "endpoint is empty",
      },
    ],
  },
  {
    file: "routes.csv",
    rowPer:
      "client, Service, node that chose an endpoint and node of the endpoint, over the whole run, with at least one connection that brought an answer",
    columns: [
      client,
      service,
      {
        name: "node",
        unit: "name",
        meaning:
          "Node whose rules chose the endpoint: the client's own, or the one that its packets came to from outside. For a headless Service the client's own.",
        emptyWhen: "no node of the cluster did",
      },
      { name: "node_zone", unit: "name", meaning: "Its zone.", emptyWhen: "it is in none" },
      { name: "endpoint_node", unit: "name", meaning: "Node that the endpoint's pod runs on." },
      { name: "endpoint_zone", unit: "name", meaning: "Its zone.", emptyWhen: "it is in none" },
      {
        name: "connections",
        unit: "count",
        meaning:
          "Connections that went this way and brought an answer; each is one packet way more where the two nodes differ.",
      },
      {
        name: "masqueraded",
        unit: "count",
        meaning:
          "Of connections, those that the server saw come from another address than the client's.",
      },
    ],
  },
  {
    file: "sources.csv",
    rowPer:
      "client, Service, address of the client and address that servers saw, over the whole run, with at least one connection that brought an answer",
    columns: [
      client,
      service,
      { name: "source", unit: "name", meaning: "Address that the client dialled from." },
      {
        name: "seen_as",
        unit: "name",
        meaning:
          "Address that the server saw: the same, or where a node masqueraded the connection an address of that node (of its bridge, for a pod of its own), or a load balancer's.",
      },
      { name: "connections", unit: "count", meaning: "Connections that brought an answer." },
      { name: "endpoints", unit: "count", meaning: "Different endpoints that they went to." },
      {
        name: "moved",
        unit: "count",
        meaning:
          "Of connections, those that went to another endpoint than the one before from the same source; with session affinity none should.",
      },
    ],
  },
  dnsFile,
  {
    file: "hops.csv",
    rowPer: "hop and drop cause; one row with an empty cause for a hop that dropped nothing",
    columns: [
      { name: "hop", unit: "name", meaning: "Hop, unique in the run." },
      {
        name: "kind",
        unit: "name",
        meaning: "Kind of hop: loopback, veth, bridge, nic, switch port and so on.",
      },
      {
        name: "packets",
        unit: "count",
        meaning: "Packets that passed the hop; the same in each row of the hop.",
      },
      { name: "bytes", unit: "bytes", meaning: "Bytes of those packets, headers included." },
      { name: "drops", unit: "count", meaning: "Packets dropped at the hop for drop_cause." },
      {
        name: "drop_cause",
        unit: "name",
        meaning: "Why they were dropped.",
        emptyWhen: "the hop dropped nothing",
      },
      {
        name: "utilisation",
        unit: "ratio",
        meaning: "Share of the run in which the hop was sending.",
        emptyWhen: "the hop has no finite rate",
      },
      {
        name: "queue_p99_ns",
        unit: "ns",
        meaning: "99th percentile of the time packets waited in the hop's queue.",
        emptyWhen: "nothing waits at such a hop",
      },
    ],
  },
  {
    file: "conntrack.csv",
    rowPer: "node",
    columns: [
      { name: "node", unit: "name", meaning: "Node whose table it is." },
      {
        name: "entries",
        unit: "count",
        meaning:
          "Entries at the end of the run, those that have timed out and were not looked at since among them.",
      },
      {
        name: "limit",
        unit: "count",
        meaning: "Entries that the table may hold (nf_conntrack_max).",
      },
      { name: "inserted", unit: "count", meaning: "Entries made: first packets of connections." },
      {
        name: "insert_failed",
        unit: "count",
        meaning:
          "First packets dropped because another had taken their tuple meanwhile, or no port was free to translate to.",
      },
      {
        name: "drops",
        unit: "count",
        meaning:
          "Packets dropped because no entry could be made or inserted: insert_failed and those that found the table full.",
      },
      {
        name: "early_drops",
        unit: "count",
        meaning: "Entries of unanswered connections taken to make room for others.",
      },
      {
        name: "invalid",
        unit: "count",
        meaning: "Packets that belonged to no connection and could not begin one.",
      },
      {
        name: "clash_resolved",
        unit: "count",
        meaning: "First packets that lost the race for their tuple and passed nevertheless.",
      },
      {
        name: "deleted",
        unit: "count",
        meaning:
          "Entries deleted by who programs the node, as kube-proxy deletes stale UDP entries.",
      },
    ],
  },
  containerCpuFile,
  {
    file: "kube_proxy.csv",
    rowPer: "node and IP family",
    columns: [
      { name: "node", unit: "name", meaning: "Node whose kube-proxy it is." },
      { name: "syncs", unit: "count", meaning: "Syncs that ended in the run." },
      { name: "full_syncs", unit: "count", meaning: "Of syncs, those that wrote every rule anew." },
      {
        name: "failed_syncs",
        unit: "count",
        meaning: "Of syncs, those that failed, so that nothing of them counts.",
      },
      {
        name: "sync_time_ns",
        unit: "ns",
        meaning: "Time spent in syncs, one after another: much of a core each.",
      },
      {
        name: "sync_max_ns",
        unit: "ns",
        meaning: "The longest sync.",
        emptyWhen: "there was none",
      },
      {
        name: "first_packets",
        unit: "count",
        meaning: "First packets of connections that the node sent to an endpoint of a Service.",
      },
      { name: "rule_walk_ns", unit: "ns", meaning: "Time that they spent in the rules, together." },
      {
        name: "rule_walk_max_ns",
        unit: "ns",
        meaning: "The longest time that one of them spent there.",
        emptyWhen: "there was none",
      },
      {
        name: "ip_family",
        unit: "name",
        meaning:
          "IPv4 or IPv6: kube-proxy has a proxier for each family that Services have, with rules and syncs of its own.",
      },
    ],
  },
  {
    file: "events.csv",
    rowPer: "event, in the order in which they happened",
    columns: [
      { name: "time_ns", unit: "ns", meaning: "Simulated time of the event." },
      { name: "kind", unit: "name", meaning: "What happened, in lower_snake_case." },
      { name: "object", unit: "name", meaning: "What it happened to, as kind/name." },
      {
        name: "detail",
        unit: "text",
        meaning: "Anything more, for a reader.",
        emptyWhen: "there is nothing to add",
      },
    ],
  },
];

export const allMetricsFiles: readonly MetricsFile[] = [...metricsFiles, ...requestedFiles];

/**
 * The header of one results file.
 * @throws RangeError for a file that the dictionary does not hold
 */
export function columnsOf(file: string): readonly string[] {
  const found = allMetricsFiles.find((each) => each.file === file);
  if (found === undefined) throw new RangeError(`the metrics dictionary has no file ${file}`);
  return found.columns.map((column) => column.name);
}
