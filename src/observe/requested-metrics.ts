/**
 * Files that a run writes only when it is asked for them: the part of the metrics dictionary that tells of them.
 *
 * Owns: their columns. Results, fingerprints and thresholds are the same with and without them.
 */
import { service, windowLength, windowStart, type MetricsFile } from "./metric-words.ts";

export const requestedFiles: readonly MetricsFile[] = [
  {
    file: "connection_flows.csv",
    rowPer:
      "Service, window, node that chose an endpoint and node of the endpoint, with at least one new connection; only with `--report`",
    columns: [
      service,
      windowStart,
      windowLength,
      {
        name: "node",
        unit: "name",
        meaning: "Node whose rules chose the endpoint, or whose client had its address from DNS.",
        emptyWhen: "no node of the cluster did",
      },
      {
        name: "endpoint_node",
        unit: "name",
        meaning: "Node that the endpoint's pod runs on.",
      },
      {
        name: "connections",
        unit: "count",
        meaning: "New connections that went this way in the window.",
      },
      {
        name: "stale_connections",
        unit: "count",
        meaning:
          "Of connections, those to endpoints that were in truth no longer usable, as in endpoint_load.csv.",
      },
    ],
  },
  {
    file: "hop_load.csv",
    rowPer:
      "window and hop, or other place of hops.csv, at which anything happened in the window; only with `--report`",
    columns: [
      { name: "hop", unit: "name", meaning: "Hop or place, as in hops.csv." },
      {
        name: "kind",
        unit: "name",
        meaning: "Its kind, as in hops.csv.",
      },
      windowStart,
      windowLength,
      {
        name: "packets",
        unit: "count",
        meaning: "Packets that the hop took in the window.",
      },
      { name: "bytes", unit: "bytes", meaning: "Bytes of those packets, headers included." },
      {
        name: "drops",
        unit: "count",
        meaning: "Packets dropped there in the window, for whatever cause.",
      },
      {
        name: "utilisation",
        unit: "ratio",
        meaning: "Share of the window in which the hop was sending.",
        emptyWhen: "the hop has no finite rate",
      },
      {
        name: "queue_p99_ns",
        unit: "ns",
        meaning: "99th percentile of the time packets of the window waited in the hop's queue.",
        emptyWhen: "nothing waits at such a hop",
      },
      {
        name: "backlog_ns",
        unit: "ns",
        meaning: "How long a packet would have waited there that came at the end of the window.",
        emptyWhen: "nothing waits at such a hop",
      },
    ],
  },
];
