/**
 * CronJobs: when their Jobs begin, what becomes of those that still run, and of those that have ended. Facts: timings
 * §3.1 (syncCronJob, cleanupFinishedJobs; 100 ms after the time).
 */
import { describe, expect, test } from "vitest";
import { ms, seconds } from "../../src/engine/index.ts";
import type { CronJob, Job, Pod } from "../../src/kubernetes/api/types.ts";
import { CronJobController } from "../../src/kubernetes/controllers/cronjob.ts";
import { GarbageCollector } from "../../src/kubernetes/controllers/garbageCollector.ts";
import { JobController } from "../../src/kubernetes/controllers/job.ts";
import { newMeta } from "../../src/kubernetes/controllers/pods.ts";
import { parseInstant } from "../../src/kubernetes/cron/calendar.ts";
import { compile } from "../../src/scenario/compile.ts";
import { defaultProfile } from "../../src/scenario/profile.ts";
import { fakeKubelets, runControllers } from "../helpers/controllers.ts";
import { job, WRITE_NS } from "../helpers/kube-objects.ts";
import { loadFiles, mistakesIn } from "../scenario/files.ts";

/** Half a minute before nine on a Monday. */
const EPOCH = parseInstant("2026-01-05T08:59:30Z")!;
const NINE = EPOCH / 60 + 0.5;

function cronJob(change: Partial<CronJob["spec"]> = {}): CronJob {
  const { template, selector: _own, ...own } = job().spec;
  return {
    kind: "CronJob",
    metadata: { ...newMeta("default", "tick"), uid: "uid-of-tick" },
    spec: {
      schedule: "* * * * *",
      suspend: false,
      concurrencyPolicy: "Allow",
      startingDeadlineNs: null,
      successfulJobsHistoryLimit: 3,
      failedJobsHistoryLimit: 1,
      job: own,
      template,
      ...change,
    },
    status: { active: [], lastScheduleTimeNs: null },
  };
}

/** Pods of a Job end after `lastsS`, never without one. */
function running(object: CronJob, lastsS: number | null) {
  const log: [string, number][] = [];
  const run = runControllers({
    controllers: [new CronJobController(), new JobController(), new GarbageCollector()],
    epochSeconds: EPOCH,
    seen: (kind, previous, now) => {
      const atS = run.sim.nowNs / seconds(1);
      if (kind !== "Job") return;
      const name = (now ?? previous)!.metadata.name.replace(`tick-${NINE}`, "nine");
      const short = name.replace(
        /tick-(\d+)/,
        (_all, minute: string) => `+${Number(minute) - NINE}`,
      );
      if (previous === null) log.push([`${short} made`, atS]);
      else if (now === null) log.push([`${short} gone`, atS]);
      else if ((previous as Job).status.finished !== (now as Job).status.finished) {
        log.push([`${short} ${(now as Job).status.finished}`, atS]);
      }
    },
  });
  run.api.preload("CronJob", object);
  run.start();
  fakeKubelets(run, { readyNs: () => null, goneNs: seconds(1) });
  if (lastsS !== null) {
    run.api.watch("Pod", {
      watcher: "ends",
      handlers: {
        added: (pod: Pod) =>
          run.sim.callAfter(seconds(lastsS), 0, () =>
            run.hand.patch("Pod", `default/${pod.metadata.name}`, (stored) => ({
              ...stored,
              status: { ...stored.status, phase: "Succeeded" },
            })),
          ),
      },
    });
  }
  const made = (): string[] =>
    log.flatMap(([what]) => (what.endsWith(" made") ? [what.slice(0, -5)] : []));
  return { ...run, log, made, status: () => run.get("CronJob", "default/tick").status };
}

test("a Job each minute, 100 ms after it, named by the minute", () => {
  // Broken on purpose: the clock of the run in the place of the day's: the first comes 60 s after the start.
  const run = running(cronJob(), 5);
  run.sim.run(seconds(160));
  expect(run.made()).toEqual(["nine", "+1", "+2"]);
  const times = run.log.flatMap(([what, atS]) => (what.endsWith("made") ? [atS] : []));
  expect(times[0]! * 1e9).toBeCloseTo(seconds(30) + ms(100) + WRITE_NS, -3);
  expect(times[1]! - times[0]!).toBeCloseTo(60, 6);
  expect(run.list("Job")[0]!.metadata.ownerUid).toBe("uid-of-tick");
  expect(run.status()).toMatchObject({ active: [], lastScheduleTimeNs: seconds(150) });
});

describe("while one still runs", () => {
  test("Allow begins the next beside it", () => {
    const run = running(cronJob(), 100);
    run.sim.run(seconds(100));
    expect(run.status().active.map(({ name }) => name)).toHaveLength(2);
  });

  test("Forbid leaves the time out, and makes up for the last one as soon as it may", () => {
    // Due at 30, 90, 150 s; the first one ends at about 131: the one of 90 s follows at once, that of 150 s waits.
    // Broken on purpose: active Jobs not asked for.
    const run = running(cronJob({ concurrencyPolicy: "Forbid" }), 100);
    run.sim.run(seconds(200));
    expect(run.made()).toEqual(["nine", "+1"]);
    const [, atS] = run.log.find(([what]) => what === "+1 made")!;
    expect(atS).toBeGreaterThan(130);
    expect(atS).toBeLessThan(135);
  });

  test("Replace ends it, with its pods", () => {
    // Broken on purpose: without a garbage collector the pods of the Job that was replaced run on.
    const run = running(cronJob({ concurrencyPolicy: "Replace" }), null);
    run.sim.run(seconds(100));
    expect(run.log.map(([what]) => what)).toEqual(["nine made", "nine gone", "+1 made"]);
    expect(run.list("Pod").map(({ metadata }) => metadata.labels["job-name"])).toEqual([
      `tick-${NINE + 1}`,
    ]);
  });
});

test("startingDeadlineSeconds: what is made up for too late is not begun", () => {
  // The one of 90 s would begin at about 131 s. Broken on purpose: no time too late.
  const late = cronJob({ concurrencyPolicy: "Forbid", startingDeadlineNs: seconds(20) });
  const run = running(late, 100);
  run.sim.run(seconds(149));
  expect(run.made()).toEqual(["nine"]);
  run.sim.run(seconds(160));
  expect(run.made()).toEqual(["nine", "+2"]);
});

test("the oldest finished Jobs go beyond the limit, with their pods", () => {
  const run = running(cronJob({ successfulJobsHistoryLimit: 2 }), 5);
  run.sim.run(seconds(260));
  expect(run.made()).toHaveLength(4);
  expect(run.log.filter(([what]) => what.endsWith("gone")).map(([what]) => what)).toEqual([
    "nine gone",
    "+1 gone",
  ]);
  expect(run.list("Pod")).toHaveLength(2);
  const none = running(cronJob({ successfulJobsHistoryLimit: 0 }), 5);
  none.sim.run(seconds(80));
  expect(none.list("Job")).toEqual([]);
});

test("a suspended one begins nothing; one that is not any more begins what it has missed last", () => {
  const run = running(cronJob({ suspend: true }), 5);
  run.sim.run(seconds(160));
  expect(run.made()).toEqual([]);
  run.hand.patch("CronJob", "default/tick", (stored) => ({
    ...stored,
    spec: { ...stored.spec, suspend: false },
  }));
  run.sim.run(seconds(165));
  expect(run.made()).toEqual(["+2"]);
});

const manifest = (spec: string, name = "tick"): string => `apiVersion: batch/v1
kind: CronJob
metadata: { name: ${name} }
spec: ${spec}
`;
const jobTemplate =
  "jobTemplate: { spec: { template: { metadata: { labels: { app: tick } }, spec: { restartPolicy: Never, containers: [{ name: main, image: x }] } } } }";

describe("in a scenario", () => {
  const scenario = (fields = ""): string => `export default {
  duration: "150s", startsAt: "2026-01-05T08:59:30Z", cluster: { nodes: 2, manifests: ["tick.yaml"] },
  servers: { "cronjob/tick": { kind: "task", duration: "3s" } }, ${fields}
};`;

  test("its Jobs run what its server does, by the time of day", async () => {
    // Broken on purpose: pods of its Jobs known by no server run the default one, and never end.
    const files = {
      "scenario.ts": scenario(),
      "tick.yaml": manifest(`{ schedule: "* 9 * * mon", ${jobTemplate} }`),
    };
    const loaded = await loadFiles(files, { profile: defaultProfile });
    const events: string[] = [];
    const event = (atNs: number, kind: string, object: string, detail: string): void => {
      if (kind.startsWith("job_")) {
        events.push(
          `${Math.floor(atNs / 1e9)} ${kind} ${object.replace(`${NINE}`, "nine")} ${detail}`,
        );
      }
    };
    const run = compile(loaded, [{ event }]);
    run.runUntil(loaded.durationNs);
    expect(run.finish().brokenLaws).toEqual([]);
    expect(events[0]).toBe("30 job_created job/default/tick-nine ");
    expect(events[1]).toMatch(/^3[4-9] job_finished job\/default\/tick-nine Complete$/);
    expect(events.filter((each) => each.includes("job_created"))).toHaveLength(2);
  });

  test("mistakes are told together", async () => {
    const text = manifest(`{ schedule: "61 * * * *", concurrencyPolicy: Never, ${jobTemplate} }`);
    const files = {
      "scenario.ts": scenario().replace("08:59:30Z", "8:59"),
      "tick.yaml": `${text}---\n${manifest(`{ schedule: "* * * *", ${jobTemplate} }`, "b".repeat(53))}`,
    };
    const found = await mistakesIn(files);
    expect(found.map((line) => line.replace(/; allowed.*/, ""))).toEqual([
      'scenario.ts:2:21 startsAt: "2026-01-05T8:59"',
      'tick.yaml:4:33 spec.concurrencyPolicy: "Never"',
      "tick.yaml:8:13 metadata.name: 53 characters",
      "tick.yaml:9:9 spec.schedule: 4 fields",
    ]);
  });
});
