/** What externalTrafficPolicy Local costs and saves next to Cluster: while a node is drained, and with it empty. */
import { seconds } from "../../engine/index.ts";
import type { ResultRow, RunResult } from "../../library/result.ts";
import { drain } from "../../scenario/faults/words.ts";
import { openLoop } from "../../scenario/language/scenario.ts";
import { skewIndices } from "../../stats/index.ts";
import type { Figure, Measures, Question, Watch } from "../contract.ts";
import type { Draft, Target } from "../draft.ts";
import type { Lab, Point } from "../lab.ts";
import { evenServiceTime, evenServiceTimeAssumes, prepareOutside, WaysWatch } from "../outside.ts";
import { callersAssume, refuseSingleNode } from "../rollout.ts";
import type { Settings } from "../settings.ts";
import { value, withRange } from "../words.ts";

const WINDOW = "5s";
const DRAINED = "5s";
const DRAINED_NS = seconds(5);
/** By then the balancer has turned away from a node without a pod: three checks, one every 8 s. */
const SETTLED_NS = seconds(35);
/** Who dials node ports himself: a share of those that come through the load balancer. */
const DIALLING = 0.1;
const NODE_PORT = "node-port";

export const etp: Question = {
  name: "etp",
  asks: "What does externalTrafficPolicy Local cost and save?",
  does: ({ workload }) =>
    `a node that runs a pod of ${workload}, drawn from those that do, is drained at 5 s as for an upgrade and stays empty, with externalTrafficPolicy Cluster and with Local, on the same draws; hosts outside send requests through a load balancer, and a tenth as many to the node port of any node, for 60 s from then on`,
  duration: "65s",
  prepare,
  watch: () => new WaysWatch(2, DRAINED_NS),
  measure,
  find,
  changes: () => [
    { title: "a preStop sleep of 30 s", settings: { sleep: 30 } },
    { title: "a balancer that checks nodes every 2 s", settings: { healthCheckInterval: "2s" } },
    { title: "minSyncPeriod 10s", settings: { minSyncPeriod: "10s" } },
  ],
  assumes: (target) => [
    evenServiceTimeAssumes,
    ...callersAssume({ ...target, type: "LoadBalancer" }),
    "the load balancer sends each connection to a node that passes its checks, whatever pods it has, and gives a node up after three failed checks, one every 8 s",
  ],
  unknown: [
    "How your cloud's load balancer checks nodes and draws among them: each has its own times, and some send to pods themselves.",
    "What clients' addresses are worth to you: allow lists, rate limits and logs by client need them.",
    "Where the scheduler puts your pods next time: spread constraints keep it even.",
  ],
};

function prepare(draft: Draft): void {
  const { scenario, target, rate } = draft;
  const client = prepareOutside(draft, "loadBalancer");
  scenario.clients = [
    client,
    {
      ...client,
      name: NODE_PORT,
      to: { kind: "nodePort", service: target.service },
      load: openLoop(rate * DIALLING),
    },
  ];
  scenario.faults = [drain({ workload: target.workload, at: DRAINED })];
  scenario.window = WINDOW;
  evenServiceTime(draft);
}

function measure(run: RunResult, target: Target, watch: Watch | null): Measures {
  const [balanced, dialling] = (watch as WaysWatch).ways;
  const routes = run.table("routes.csv").filter(({ client }) => client !== NODE_PORT);
  const [connections, masqueraded] = [total(routes, "connections"), total(routes, "masqueraded")];
  return {
    ...balanced!.measures,
    diallingLost: dialling!.measures["failedShare"] ?? null,
    maxOverMean: skewOf(run, target),
    ownAddress: connections === 0 ? null : 1 - masqueraded / connections,
  };
}

/** Of requests by pod, once all has settled. */
function skewOf(run: RunResult, { serviceKey }: Target): number | null {
  const byPod = new Map<string, number>();
  for (const { service, pod, window_start_ns: startNs, requests } of run.table(
    "endpoint_load.csv",
  )) {
    if (service !== serviceKey || Number(startNs) < SETTLED_NS) continue;
    byPod.set(String(pod), (byPod.get(String(pod)) ?? 0) + Number(requests));
  }
  const { maxOverMean } = skewIndices([...byPod.values()]);
  return Number.isNaN(maxOverMean) ? null : maxOverMean;
}

function total(rows: readonly ResultRow[], column: string): number {
  return rows.reduce((sum, row) => sum + Number(row[column]), 0);
}

async function find(lab: Lab, settings: Settings): ReturnType<Question["find"]> {
  refuseSingleNode(lab.target);
  const cluster = await lab.at({ ...settings, externalTrafficPolicy: "Cluster" });
  const local = await lab.at({ ...settings, externalTrafficPolicy: "Local" });
  const name = "requests lost, more with Local";
  const figure = local.moreThan(cluster, name, "failedShare", "share");
  // What is otherwise is asked for the difference alone.
  if (Object.keys(settings).length > 0) return { sentence: "", figures: [figure], tables: [] };
  const hop = cluster.excess("a second hop, on average", ["hoppedMeanNs", "stayedMeanNs"], "ns");
  const share = cluster.figure("requests with a second hop, with Cluster", "hopShare", "share");
  return {
    sentence: `With externalTrafficPolicy Local ${lab.target.workload} loses ${withRange(lost(local))} of the requests through its load balancer in the minute after a node is drained, instead of ${withRange(lost(cluster))} with Cluster, and the busiest pod then has ${value(skew(local))} times the mean, instead of ${value(skew(cluster))}; it spares ${value(share)} of the requests a second hop of ${value(hop)}, and pods see the client's own address on ${value(own(local))} of the connections, instead of ${value(own(cluster))}.`,
    figures: [
      figure,
      local.moreThan(cluster, "lost at node ports, more with Local", "diallingLost", "share"),
      local.moreThan(cluster, "busiest pod over the mean, more with Local", "maxOverMean", "ratio"),
      share,
      hop,
    ],
    tables: [
      {
        title: "Policy",
        head: ["lost", "at node ports", "max/mean", "mean", "p99", "own address"],
        rows: [
          ["Cluster", ...columns(cluster)],
          ["Local", ...columns(local)],
        ],
      },
    ],
  };
}

function columns(point: Point): string[] {
  return [
    lost(point),
    point.figure("", "diallingLost", "share"),
    skew(point),
    point.figure("", "allMeanNs", "ns"),
    point.figure("", "allP99Ns", "ns"),
    own(point),
  ].map(value);
}

function lost(point: Point): Figure {
  return point.figure("", "failedShare", "share");
}

function skew(point: Point): Figure {
  return point.figure("", "maxOverMean", "ratio");
}

function own(point: Point): Figure {
  return point.figure("", "ownAddress", "share");
}
