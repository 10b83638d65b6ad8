/** How uneven the load is after a rolling update whose clients keep their connections. */
import { seconds, type DurationNs } from "../../engine/index.ts";
import { keepAlive } from "../../scenario/language/scenario.ts";
import type { RunResult } from "../../library/result.ts";
import type { Measures, Question, Watch } from "../contract.ts";
import type { Draft, Target } from "../draft.ts";
import type { Lab, Point } from "../lab.ts";
import { callersAre, nothingSeen, prepareRestart, RestartWatch } from "../rollout.ts";
import type { Settings } from "../settings.ts";
import { value, withRange } from "../words.ts";

const WINDOW = "5s";
/** How long the load is looked at when the restart is over. */
const AFTER = "60 s";
const AFTER_NS = seconds(60);
/** Busiest pod over mean: dialling clients stay below. */
const EVEN = 1.5;
const CALLERS = [2, 10, 40];

export const keepaliveSkew: Question = {
  name: "keepalive-skew",
  asks: "How uneven is the load after a rolling update with kept connections?",
  does: ({ workload }) =>
    `${workload} is restarted as by kubectl rollout restart while clients keep their connections, and once more while they dial for each request, on the same draws; requests are counted by pod for ${AFTER} after the restart, in windows of 5 s`,
  duration: "10m",
  prepare,
  watch: (scenario, target) => new RestartWatch(scenario, target, AFTER_NS),
  measure,
  find,
  changes: () => [
    { title: "40 client pods", settings: { callers: 40 } },
    { title: "maxSurge 100 %", settings: { maxSurge: "100%" } },
    { title: "pods that take 10 s to start", settings: { startup: "10s" } },
  ],
  assumes: (target) => [
    `a client keeps every connection it has opened until the pod behind it goes, uses the one first that became idle last, and dials another when none is free; requests have 2 s and are not tried again; ${callersAre(target)}`,
  ],
  unknown: [
    "Connections that a client or a server closes by age, by number of requests or by idle time: the model keeps them, and has no age of connections to vary.",
    "Requests side by side on one connection, as with HTTP/2 and gRPC.",
    "Proxies that balance each request (a mesh, an ingress controller).",
  ],
};

function prepare(draft: Draft): void {
  prepareRestart(draft);
  draft.scenario.window = WINDOW;
  for (const client of draft.scenario.clients ?? []) client.connections = keepAlive();
}

function measure(run: RunResult, { serviceKey }: Target, watch: Watch | null): Measures {
  const { restartedNs } = watch as RestartWatch;
  if (restartedNs === null) return {};
  const rows = run
    .table("load_skew.csv")
    .filter((row) => row["service"] === serviceKey && typeof row["max_over_mean"] === "number")
    .map((row) => ({
      atNs: Number(row["window_start_ns"]),
      maxOverMean: Number(row["max_over_mean"]),
      gini: Number(row["gini"]),
    }))
    .filter(({ atNs }) => atNs >= restartedNs);
  const lastUneven = rows.findLastIndex(({ maxOverMean }) => maxOverMean > EVEN);
  const evenAt = rows[lastUneven + 1];
  const count = rows.length;
  const mean = (of: (row: (typeof rows)[number]) => number): number | null =>
    count === 0 ? null : rows.reduce((sum, row) => sum + of(row), 0) / count;
  const evenNs: DurationNs | null =
    evenAt === undefined ? null : lastUneven === -1 ? 0 : evenAt.atNs - restartedNs;
  return { maxOverMean: mean((row) => row.maxOverMean), gini: mean((row) => row.gini), evenNs };
}

async function find(lab: Lab, settings: Settings): ReturnType<Question["find"]> {
  const kept = await lab.at(settings);
  const figure = skewOf(kept);
  // What is otherwise is asked for the difference alone.
  if (Object.keys(settings).length > 0) return { sentence: "", figures: [figure], tables: [] };
  if (figure.mean === null) {
    return { sentence: nothingSeen(lab.target), figures: [figure], tables: [] };
  }
  const points = new Map([["kept", kept]]);
  for (const callers of CALLERS) {
    points.set(`kept, ${callers} client pods`, await lab.at({ callers }));
  }
  const dialling = await lab.at({ connections: "one each" });
  points.set("one each", dialling);
  return {
    sentence: `After a rolling update of ${lab.target.workload} under kept connections the busiest pod has ${withRange(figure)} times the mean, next to ${withRange(skewOf(dialling))} with a connection for each request; ${rebalanced(kept)}.`,
    figures: [
      figure,
      kept.figure("Gini coefficient of requests by pod", "gini", "ratio"),
      kept.moreThan(dialling, "max/mean more than with one each", "maxOverMean", "ratio"),
    ],
    tables: [
      {
        title: "Connections",
        head: ["max/mean", "Gini", `even (max/mean ${EVEN}) within ${AFTER}`, "after"],
        rows: [...points].map(([name, point]) => [
          name,
          value(skewOf(point)),
          value(point.figure("", "gini", "ratio")),
          `${point.values("evenNs").length} of ${point.trials.length}`,
          value(point.figure("", "evenNs", "ns")),
        ]),
      },
    ],
  };
}

function rebalanced(point: Point): string {
  const even = point.values("evenNs").length;
  const of = `in ${even} of ${point.trials.length} restarts it is even (max/mean at most ${EVEN}) within ${AFTER}`;
  return even === 0 ? of : `${of}, after ${value(point.figure("", "evenNs", "ns"))} on average`;
}

function skewOf(point: Point): ReturnType<Point["figure"]> {
  return point.figure("busiest pod over the mean, after the restart", "maxOverMean", "ratio");
}
