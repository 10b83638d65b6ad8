/** What the second hop of a node port costs: how many requests take it, and how much later they are answered. */
import type { Figure, Question } from "../contract.ts";
import type { Lab, Point } from "../lab.ts";
import { evenServiceTime, evenServiceTimeAssumes, prepareOutside, WaysWatch } from "../outside.ts";
import { callersAssume } from "../rollout.ts";
import type { Settings } from "../settings.ts";
import { value, withRange } from "../words.ts";

export const nodeportHop: Question = {
  name: "nodeport-hop",
  asks: "What does the second hop of a node port cost?",
  does: ({ workload }) =>
    `hosts outside dial ${workload}'s node port on any of the nodes, with externalTrafficPolicy Cluster and with Local, on the same draws; requests are told by whether their pod is on the node that was dialled`,
  duration: "30s",
  prepare(draft) {
    prepareOutside(draft, "nodePort");
    evenServiceTime(draft);
  },
  watch: () => new WaysWatch(1),
  measure: (_run, _target, watch) => (watch as WaysWatch).ways[0]!.measures,
  find,
  changes: () => [
    { title: "answers of 64 KiB", settings: { responseSize: "64Ki" } },
    { title: "nodes with wires of 1 Gbit/s", settings: { linkRate: 1e9 } },
    { title: "clients keep their connections", settings: { connections: "kept" } },
  ],
  assumes: (target) => [
    evenServiceTimeAssumes,
    ...callersAssume({ ...target, type: "NodePort" }),
    "each node is dialled alike",
  ],
  unknown: [
    "What your own nodes take to pass a packet on: the model's are idle but for these requests, and have wires of 10 Gbit/s.",
    "Zones: a hop between two costs more time, and often money for each byte.",
    "How much less the cluster can deliver, as every answer leaves by two wires: the shipped scenario nodeport-hop shows it.",
  ],
};

async function find(lab: Lab, settings: Settings): ReturnType<Question["find"]> {
  const cluster = await lab.at({ ...settings, externalTrafficPolicy: "Cluster" });
  const name = "a request that hops, later on average";
  const figure = cluster.excess(name, ["hoppedMeanNs", "stayedMeanNs"], "ns");
  // What is otherwise is asked for the difference alone.
  if (Object.keys(settings).length > 0) return { sentence: "", figures: [figure], tables: [] };
  const local = await lab.at({ externalTrafficPolicy: "Local" });
  const share = cluster.figure("requests that take the second hop", "hopShare", "share");
  const { mean } = figure;
  const cost =
    mean === null
      ? `${value(share)} of the requests take a second hop`
      : `${withRange(share)} of the requests take a second hop, which costs each ${withRange(figure)} on average`;
  const [p50, p99] = ["P50", "P99"].map(
    (each) => `${latency(local, `all${each}Ns`)} instead of ${latency(cluster, `all${each}Ns`)}`,
  );
  return {
    sentence: `At a node port of ${lab.target.workload} ${cost}; with externalTrafficPolicy Local none does: p50 is ${p50}, p99 ${p99}, and ${lost(local, cluster)}.`,
    figures: [
      figure,
      share,
      cluster.moreThan(local, "p50, more with Cluster than with Local", "allP50Ns", "ns"),
      cluster.moreThan(local, "p99, more with Cluster than with Local", "allP99Ns", "ns"),
      local.moreThan(cluster, "requests that fail, more with Local", "failedShare", "share"),
    ],
    tables: [
      {
        title: "Requests",
        head: ["share of those served", "mean", "p50", "p99", "failed"],
        rows: [
          ["Cluster", "all", ...columns(cluster, "all"), value(failed(cluster))],
          ["  hopping", value(share), ...columns(cluster, "hopped"), ""],
          ["  staying", value(rest(share)), ...columns(cluster, "stayed"), ""],
          ["Local", "all", ...columns(local, "all"), value(failed(local))],
        ],
      },
    ],
  };
}

/** What Local loses, and why where it does. */
function lost(local: Point, cluster: Point): string {
  const [those, usual] = [failed(local), failed(cluster)];
  if (those.mean === 0) return "no request fails";
  const instead = usual.mean === 0 ? "" : ` instead of ${value(usual)}`;
  const why = (those.mean ?? 0) > (usual.mean ?? 0);
  return `${withRange(those)} of the requests fail${instead}${why ? ", as a node without a pod drops what it is sent" : ""}`;
}

function columns(point: Point, which: "all" | "hopped" | "stayed"): string[] {
  return ["Mean", "P50", "P99"].map((each) => latency(point, `${which}${each}Ns`));
}

function latency(point: Point, measure: string): string {
  return value(point.figure("", measure, "ns"));
}

function rest({ mean }: Figure): Pick<Figure, "mean" | "unit"> {
  return { mean: mean === null ? null : 1 - mean, unit: "share" };
}

function failed(point: Point): Figure {
  return point.figure("requests that fail", "failedShare", "share");
}
