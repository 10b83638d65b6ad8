/** How long a preStop sleep has to be: the smallest with which a rolling restart serves nearly every request. */
import { seconds } from "../../engine/index.ts";
import { count, counted } from "../../output/index.ts";
import { optionMistake, UserError } from "../../scenario/index.ts";
import type { Figure, Question } from "../contract.ts";
import { found, type Lab, type Point } from "../lab.ts";
import { callersAssume, prepareRestart, restartMeasures, RestartWatch } from "../rollout.ts";
import type { Settings } from "../settings.ts";
import { value, withRange } from "../words.ts";

/** Share of the requests during the restart that are to be served. */
const GOAL = 0.999;
/** Seconds: nobody sleeps longer. */
const MOST = 120;
/** Where the search begins: the model's own minSyncPeriod and a sync take about as long. */
const NEAR = 2;

export const prestop: Question = {
  name: "prestop",
  asks: "How long a preStop sleep do I need?",
  does: ({ workload }) =>
    `${workload} is restarted as by kubectl rollout restart; the smallest sleep is looked for with which the lower end of the interval of the share of requests served during the restart reaches the goal (--goal, 99.9 %)`,
  hasGoal: true,
  duration: "10m",
  prepare: prepareRestart,
  watch: (scenario, target) => new RestartWatch(scenario, target),
  measure: restartMeasures,
  find,
  changes: () => [
    { title: "minSyncPeriod 10s", settings: { minSyncPeriod: "10s" } },
    { title: "5,000 more Services", settings: { services: 5000 } },
    { title: "kube-proxy in nftables mode", settings: { mode: "nftables" } },
    { title: "clients keep their connections", settings: { connections: "kept" } },
  ],
  assumes: (target) => [
    ...callersAssume(target),
    "a sleep takes the place of the preStop hooks that are there, and terminationGracePeriodSeconds is at least the sleep and 10 s",
  ],
  unknown: [
    "Clients that retry: they hide failures that the sleep would prevent.",
    "Load balancers and ingress controllers that go by endpoints themselves: they learn later than kube-proxy.",
    "How your process ends: it is taken to stop listening at SIGTERM and to finish what it has accepted.",
    "kube-proxies that are slow because their node is busy.",
  ],
};

async function find(lab: Lab, settings: Settings): ReturnType<Question["find"]> {
  const goal = lab.goal ?? GOAL;
  const tried = new Map<number, Point>();
  const at = async (sleep: number): Promise<Point> => {
    const point = await lab.at({ ...settings, sleep });
    tried.set(sleep, point);
    return point;
  };
  const reaches = (served: Figure): boolean =>
    served.mean !== null && (served.low ?? served.mean) >= goal;
  const servedAt = (point: Point): Figure => servedOf(point, lab.confidence);
  const holds = async (sleep: number): Promise<boolean> => {
    const point = await at(sleep);
    checkRequests(point, goal, lab.confidence);
    return reaches(servedAt(point));
  };
  const sleep = await lab.smallest(holds, { near: NEAR, most: MOST });
  const point = tried.get(sleep ?? MOST)!;
  const served = servedAt(point);
  const removal = point.figure("until no node sends to a pod that is to go", "removalNs", "ns");
  const shorter = sleep === null || sleep === 0 ? undefined : tried.get(sleep - 1);
  const { workload } = lab.target;
  const percent = percentOf(goal);
  const but =
    shorter === undefined ? "" : `; with ${sleep! - 1} s it is ${withRange(servedAt(shorter))}`;
  const sentence =
    sleep === null
      ? `No preStop sleep of up to ${MOST} s lets ${workload} serve ${percent} of the requests during a rolling restart: with ${MOST} s it is ${withRange(served)}, so something else fails them.`
      : sleep === 0
        ? `${workload} needs no preStop sleep: without one ${withRange(served)} of the requests during a rolling restart are served.`
        : `${workload} needs a preStop sleep of ${sleep} s: with it ${withRange(served)} of the requests during a rolling restart are served${but}.`;
  const name = "smallest preStop sleep, in whole seconds";
  return {
    sentence,
    figures: [found(name, "ns", sleep === null ? null : seconds(sleep)), served, removal],
    tables: [
      {
        title: "preStop sleep",
        head: ["served", "failed a restart", "restarts without a failure"],
        rows: [...tried]
          .sort(([a], [b]) => a - b)
          .map(([each, tries]) => [
            `${each} s`,
            withRange(servedAt(tries)),
            value(tries.figure("", "failed", "count")),
            `${tries.count(({ failed }) => failed === 0)} of ${counted(tries.trials.length, "restart")}`,
          ]),
      },
    ],
  };
}

/** Where nothing failed at all replications say the same, and only the number of requests says how sure that is. */
function servedOf(point: Point, confidence: number): Figure {
  const figure = point.figure("requests served during the restart", "served", "share");
  const isAll = point.count(({ failed }) => failed === 0) === point.trials.length;
  return isAll ? { ...figure, low: leastShare(requestsOf(point), confidence), high: 1 } : figure;
}

function requestsOf(point: Point): number {
  return point.values("ended").reduce((sum, each) => sum + each, 0);
}

/** The lower end of the exact binomial interval (Clopper and Pearson) of n successes in n. */
function leastShare(n: number, confidence: number): number {
  return n === 0 ? 0 : Math.pow((1 - confidence) / 2, 1 / n);
}

/** Requests of which none may fail, for an interval that reaches the goal. */
function checkRequests(point: Point, goal: number, confidence: number): void {
  const requests = requestsOf(point);
  if (requests === 0 || leastShare(requests, confidence) >= goal) return;
  const needed = Math.log((1 - confidence) / 2) / Math.log(goal);
  const replications = Math.ceil((point.trials.length * needed) / requests);
  const found = `${count(requests)} requests during the restarts are too few to tell ${percentOf(goal)}`;
  const allowed = `--replications ${replications} or more, a higher --rate, or a lower --goal`;
  throw new UserError([optionMistake(`--replications ${point.trials.length}`, found, allowed)]);
}

function percentOf(share: number): string {
  return `${Number((share * 100).toPrecision(6))} %`;
}
