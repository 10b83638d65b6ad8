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
];
