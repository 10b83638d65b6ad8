/** What minSyncPeriod should be: the smallest with which kube-proxies spend little of a storm of changes in syncs. */
import { seconds } from "../../engine/index.ts";
import { count } from "../../output/index.ts";
import { resetPods } from "../../scenario/faults/words.ts";
import type { Figure, Question } from "../contract.ts";
import { found, type Lab, type Point } from "../lab.ts";
import { prepareCallers, proxyMeasures } from "../rollout.ts";
import type { Settings } from "../settings.ts";
import { value, withRange } from "../words.ts";

/** Share of the time that is to be left between syncs, while pods go one after another. */
const GOAL = 0.9;
/** Seconds: kube-proxy's own bound for a quiet node, its syncPeriod. */
const MOST = 30;
/** Seconds: kube-proxy's default, with which a sync is timed. */
const TIMED = 1;
/** Seconds, for the table; 10 s is what GKE sets. */
const SHOWN = [0, 1, 5, 10];
/** How long syncs take depends on the tables, not on draws. */
const FEW = 2;

export const minsync: Question = {
  name: "minsync",
  asks: "What should minSyncPeriod be at my number of Services?",
  does: ({ workload }) =>
    `a pod of ${workload} is deleted every second; the smallest whole number of seconds is looked for with which kube-proxies spend so much of the time outside syncs (--goal, 90 %)`,
  fillsWith: 5000,
  hasGoal: true,
  duration: "31s",
  prepare(draft) {
    prepareCallers(draft);
    const { workload } = draft.target;
    draft.scenario.faults = [resetPods({ workload, count: 1, at: "1s", every: "1s", times: 30 })];
  },
  measure: proxyMeasures,
  find,
  changes: ({ services, filler }) => [
    { title: "twice as many Services", settings: { services: services + 2 * filler } },
    { title: "kube-proxy in nftables mode", settings: { mode: "nftables" } },
  ],
  assumes: () => [
    "a change every few hundred milliseconds, as in a rollout of many Deployments; with fewer changes a shorter period costs the same as a longer one",
  ],
  unknown: [
    "What a sync takes on a busy node or a slower CPU: kube-proxy's own sync_proxy_rules_duration_seconds tells that of yours.",
    "Changes of all your other Services: only the Deployment's pods go.",
    "What CPU time kube-proxy spends outside syncs, on reading EndpointSlices.",
  ],
};

async function find(lab: Lab, settings: Settings): ReturnType<Question["find"]> {
  const goal = lab.goal ?? GOAL;
  const at = (period: number, replications?: number): Promise<Point> =>
    lab.at({ ...settings, minSyncPeriod: `${period}s` }, replications);
  const timed = await at(TIMED, FEW);
  // Where no draw moves it, a second replication says what the first has said.
  const few = new Set(timed.values("syncShare")).size > 1 ? FEW : 1;
  const leaves = async (period: number): Promise<boolean> =>
    1 - inSyncs(await at(period, few)).mean! >= goal;
  // A change always waits, so that a sync follows as soon as the period after the last one is over.
  const syncNs = timed.figure("", "syncNs", "ns").mean ?? 0;
  const near = Math.min(MOST, Math.ceil((syncNs * goal) / (1 - goal) / seconds(1)));
  const period = await lab.smallest(leaves, { near, most: MOST });
  const name = "smallest minSyncPeriod, in whole seconds";
  const figure = found(name, "ns", period === null ? null : seconds(period));
  // What is otherwise is asked for the difference alone.
  if (Object.keys(settings).length > 0) return { sentence: "", figures: [figure], tables: [] };
  const chosen = period ?? MOST;
  const points = new Map<number, Point>();
  for (const each of [...new Set([...SHOWN, chosen])].sort((a, b) => a - b)) {
    points.set(each, await at(each));
  }
  const point = points.get(chosen)!;
  const own = count(lab.target.services + lab.target.filler);
  const left = `${Number((100 * (1 - goal)).toPrecision(6))} %`;
  const head =
    period === null
      ? `At ${own} Services no minSyncPeriod of up to ${MOST} s keeps kube-proxies below ${left} of the time in syncs: with ${MOST} s`
      : `At ${own} Services a minSyncPeriod of ${period} s is the smallest that keeps kube-proxies at ${left} of the time in syncs or less, with a change every few hundred milliseconds: with it`;
  return {
    sentence: `${head} they spend ${withRange(inSyncs(point))}, half the removals are known on a node after ${value(lag(point, "P50"))} and 99 % after ${value(lag(point, "P99"))}, and ${withRange(stale(point))} of the requests are sent to a pod that is to go.`,
    figures: [figure, inSyncs(point), lag(point, "P50"), lag(point, "P99"), stale(point)],
    tables: [
      {
        title: "minSyncPeriod",
        head: ["removal, p50", "p99", "stale", "time in syncs", "syncs of a node", "failed"],
        rows: [...points].map(([each, tries]) => [`${each} s`, ...columns(tries)]),
      },
    ],
  };
}

function columns(point: Point): string[] {
  return [
    lag(point, "P50"),
    lag(point, "P99"),
    stale(point),
    inSyncs(point),
    point.figure("", "syncs", "count"),
    point.figure("", "failed", "count"),
  ].map(value);
}

function inSyncs(point: Point): Figure {
  return point.figure("time in syncs", "syncShare", "share");
}

function stale(point: Point): Figure {
  return point.figure("requests sent to a pod that is to go", "stale", "share");
}

function lag(point: Point, quantile: "P50" | "P99"): Figure {
  const name = `a removal known on a node, ${quantile.toLowerCase()}`;
  return point.figure(name, `removal${quantile}Ns`, "ns");
}
