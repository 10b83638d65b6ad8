/** What a rollout costs while its new pods are cold, next to the same rollout of pods that are warm at once. */
import { seconds } from "../../engine/index.ts";
import type { RunResult } from "../../library/result.ts";
import { count } from "../../output/index.ts";
import type { Figure, Measures, Question, Watch } from "../contract.ts";
import type { Draft, Target } from "../draft.ts";
import type { Lab, Point } from "../lab.ts";
import {
  callersAssume,
  nothingSeen,
  prepareRestart,
  restartMeasures,
  RestartWatch,
} from "../rollout.ts";
import { WARM_UP_REQUESTS, type Settings } from "../settings.ts";
import { value, withRange } from "../words.ts";

const WINDOW = "5s";
/** How long requests are looked at when the restart is over. */
const AFTER_NS = seconds(60);
/** How many times as long a process takes for its first request: as in the shipped scenario. */
const FACTOR = 10;
/** Degraded: a window whose p99 is more than so many times that of the window before the restart. */
const DEGRADED = 2;
const FACTORS = [1, 3, FACTOR, 30];

export const coldPods: Question = {
  name: "cold-pods",
  asks: "What does a rollout cost while its new pods are cold?",
  does: ({ workload }) =>
    `${workload} is restarted as by kubectl rollout restart, with pods that are slow at first and with pods that are not, on the same draws; requests are looked at until 60 s after the restart, in windows of 5 s`,
  duration: "10m",
  prepare,
  watch: (scenario, target) => new RestartWatch(scenario, target, AFTER_NS),
  measure,
  find,
  changes: () => [
    { title: "a first request that takes 30 times as long", settings: { warmUp: 30 } },
    { title: "maxSurge 100 %", settings: { maxSurge: "100%" } },
    { title: "clients keep their connections", settings: { connections: "kept" } },
  ],
  assumes: (target) => [
    ...callersAssume(target),
    `a process takes ${FACTOR} times as long for its first request, evenly down to once at its ${count(WARM_UP_REQUESTS)}th; its probes warm nothing`,
  ],
  unknown: [
    "How cold your pods are: compare the first minute of a new pod's latencies with an old one's.",
    "Clients or proxies with a slow start, which give a new pod a growing share (the shipped scenario cold-pods compares one).",
    "What new pods cost elsewhere: empty caches that a database pays for.",
  ],
};

function prepare(draft: Draft): void {
  prepareRestart(draft);
  draft.scenario.window = WINDOW;
}

function measure(run: RunResult, target: Target, watch: Watch | null): Measures {
  const windows = run
    .table("requests.csv")
    .filter((row) => row["outcome"] === "served")
    .map((row) => [Number(row["window_start_ns"]), Number(row["latency_p99_ns"])] as const)
    .filter(([atNs]) => atNs >= seconds(5));
  const before = run
    .table("requests.csv")
    .find((row) => row["outcome"] === "served" && row["window_start_ns"] === 0);
  const usualNs = Number(before?.["latency_p99_ns"] ?? 0);
  const isOver = (watch as RestartWatch).restartedNs !== null;
  const degraded = windows.filter(([, p99]) => usualNs > 0 && p99 > DEGRADED * usualNs).length;
  return {
    ...restartMeasures(run, target, watch),
    failedShare: run.requests.ended === 0 ? null : run.requests.failed / run.requests.ended,
    degradedNs: usualNs === 0 || !isOver ? null : degraded * seconds(5),
    worstNs: windows.length === 0 ? null : Math.max(...windows.map(([, p99]) => p99)),
  };
}

async function find(lab: Lab, settings: Settings): ReturnType<Question["find"]> {
  const cold = await lab.at({ warmUp: FACTOR, ...settings });
  const figure = degradedOf(cold);
  // What is otherwise is asked for the difference alone.
  if (Object.keys(settings).length > 0) return { sentence: "", figures: [figure], tables: [] };
  if (figure.mean === null) {
    return { sentence: nothingSeen(lab.target), figures: [figure], tables: [] };
  }
  const points = new Map<number, Point>();
  for (const warmUp of FACTORS) points.set(warmUp, await lab.at({ warmUp }));
  const warm = points.get(1)!;
  return {
    sentence: `A rollout of ${lab.target.workload} whose pods take ${FACTOR} times as long at first has a p99 of more than ${DEGRADED} times the usual one for ${withRange(figure)}, next to ${value(degradedOf(warm))} with pods that are warm at once: at worst it is ${value(worstOf(cold))} instead of ${value(worstOf(warm))}, and ${value(failedOf(cold))} instead of ${value(failedOf(warm))} of the requests fail.`,
    figures: [
      figure,
      cold.moreThan(warm, "longer than with warm pods", "degradedNs", "ns"),
      cold.moreThan(warm, "worst p99, more than with warm pods", "worstNs", "ns"),
      cold.moreThan(warm, "requests that fail, more than with warm pods", "failedShare", "share"),
    ],
    tables: [
      {
        title: "First request",
        head: [`p99 above ${DEGRADED} times the usual`, "worst p99", "failed"],
        rows: [...points].map(([factor, point]) => [
          factor === 1 ? "as any other" : `${factor} times as long`,
          ...[degradedOf(point), worstOf(point), failedOf(point)].map(value),
        ]),
      },
    ],
  };
}

function degradedOf(point: Point): Figure {
  return point.figure(`p99 above ${DEGRADED} times the usual, for`, "degradedNs", "ns");
}

function worstOf(point: Point): Figure {
  return point.figure("worst p99 of a window", "worstNs", "ns");
}

function failedOf(point: Point): Figure {
  return point.figure("requests that fail", "failedShare", "share");
}
