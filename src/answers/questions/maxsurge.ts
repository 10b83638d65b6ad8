/** Whether a rollout with maxSurge 100 % is safe, and what it gives and takes next to what the Deployment has. */
import { counted, duration } from "../../output/index.ts";
import type { Figure, Question } from "../contract.ts";
import type { Lab, Point } from "../lab.ts";
import { callersAssume, prepareRestart, restartMeasures, RestartWatch } from "../rollout.ts";
import type { Settings } from "../settings.ts";
import { value, withRange } from "../words.ts";

export const maxsurge: Question = {
  name: "maxsurge",
  asks: "Is maxSurge 100 % safe: does a rollout lose requests, or leave a node without endpoints?",
  does: ({ workload }) =>
    `${workload} is restarted as by kubectl rollout restart, with its own maxSurge and with 100 %, on the same draws`,
  duration: "10m",
  prepare: prepareRestart,
  watch: (scenario, target) => new RestartWatch(scenario, target),
  measure: restartMeasures,
  find,
  changes: () => [
    { title: "pods without a readiness probe", settings: { readinessProbe: "none" } },
    { title: "a preStop sleep of 15 s", settings: { sleep: 15 } },
    { title: "pods that take 10 s to start", settings: { startup: "10s" } },
    { title: "minSyncPeriod 10s", settings: { minSyncPeriod: "10s" } },
  ],
  assumes: callersAssume,
  unknown: [
    "What all pods starting at once do to a database or a registry.",
    "Whether a cluster autoscaler would make room for twice the pods; nodes are those that are there.",
    "Warm-up: a new pod is as fast as an old one.",
  ],
};

async function find(lab: Lab, settings: Settings): ReturnType<Question["find"]> {
  const own = await lab.at(settings);
  const all = await lab.at({ ...settings, maxSurge: "100%" });
  const { workload, replicas } = lab.target;
  const lost = failedOf(all);
  const least = Math.min(...all.values("leastHeld"));
  const zero = least <= 0;
  const isOver = [own, all].map((each) => each.values("restartNs").length === each.trials.length);
  const times = [all, own].map((point) => timeOf(point));
  const held = `no node's rules ever hold fewer than ${counted(Math.max(0, least), "endpoint")} of ${replicas}`;
  const safety = zero
    ? `is not safe for ${workload}: in ${all.count(({ leastHeld }) => leastHeld! <= 0)} of ${all.trials.length} restarts a node's rules hold no endpoint`
    : lost.mean === 0
      ? `is safe for ${workload}: no request fails, and ${held}`
      : `costs ${workload} ${withRange(lost)} of the requests during a restart, next to ${withRange(failedOf(own))} with its own, and ${held}`;
  const stuck = isOver[1] ? "" : "; there is no room for all the pods at once, and it is not over";
  return {
    sentence: `maxSurge 100 % ${safety}; the restart takes ${times[0]} rather than ${times[1]}, with ${value(podsOf(all))} pods at once rather than ${value(podsOf(own))}${stuck}.`,
    figures: [
      lost,
      all.moreThan(own, "more than with its own maxSurge", "lost", "share"),
      all.figure("fewest endpoints in any node's rules", "leastHeld", "count"),
      all.figure("time of the restart", "restartNs", "ns"),
    ],
    tables: [
      {
        title: "maxSurge",
        head: [
          "failed a restart",
          "fewest held",
          "fewest ready",
          "pods",
          "time",
          "syncs of a node",
        ],
        rows: [
          ["its own", ...columns(own)],
          ["100 %", ...columns(all)],
        ],
      },
    ],
  };
}

function columns(point: Point): string[] {
  const mean = (measure: string) => value(point.figure("", measure, "count"));
  return [
    mean("failed"),
    String(Math.min(...point.values("leastHeld"))),
    String(Math.min(...point.values("leastUsable"))),
    mean("mostPods"),
    timeOf(point),
    mean("syncs"),
  ];
}

function timeOf(point: Point): string {
  const { mean } = point.figure("", "restartNs", "ns");
  return mean === null ? "more than the run" : duration(Math.round(mean));
}

function podsOf(point: Point): Figure {
  return point.figure("", "mostPods", "count");
}

function failedOf(point: Point): Figure {
  return point.figure("requests that fail, with maxSurge 100 %", "lost", "share");
}
