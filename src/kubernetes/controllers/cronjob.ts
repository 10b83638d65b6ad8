/**
 * The CronJob controller: a Job each time that a schedule is due.
 *
 * Owns: which time is due and whether it is too late, what the concurrency policy makes of Jobs that still run, and
 * taking finished Jobs away beyond the history limits. Refuses to own: reading a schedule (cron/), the pods (job.ts),
 * and what a deleted Job leaves (garbageCollector.ts). Source: pkg/controller/cronjob/cronjob_controllerv2.go,
 * utils.go; timings §3.1. Not modelled: time zones.
 */
import { seconds, type SimTimeNs } from "../../engine/index.ts";
import type { Informer } from "../api/contract.ts";
import { objectKey, type CronJob, type Job } from "../api/types.ts";
import { parseSchedule, type Schedule } from "../cron/schedule.ts";
import type { Controller, ControllerContext } from "./contract.ts";
import { jobLabels, noJobStatus } from "./job.ts";
import { newMeta } from "./pods.ts";
import { syncQueue, tried, written, WriteFailed, type Steps } from "./steps.ts";
import type { WorkQueue } from "./workqueue.ts";

type Status = CronJob["status"];

/** What a look at the schedule came to. */
interface Due {
  /** The last time that is due and has not had its Job; null: none is. */
  readonly dueNs: SimTimeNs | null;
  /** null: never again. */
  readonly nextNs: SimTimeNs | null;
}

export class CronJobController implements Controller {
  readonly name = "cronjob-controller";
  #context!: ControllerContext;
  #queue!: WorkQueue;
  #cronJobs!: Informer<"CronJob">;
  #jobs!: Informer<"Job">;

  /** The next time that is due is not waited for. */
  get isIdle(): boolean {
    return this.#queue.isResting;
  }

  start(context: ControllerContext): void {
    this.#context = context;
    const { profile, informers } = context;
    const { workers } = profile.cronJob;
    const limits = { workers, maxRetries: Infinity };
    this.#queue = syncQueue(context, limits, (key) => this.#sync(key));
    const ask = (object: CronJob): void => this.#queue.add(objectKey(object));
    this.#cronJobs = informers.on("CronJob", {
      added: ask,
      updated: (_previous, object) => ask(object),
      deleted: ask,
    });
    const askOwner = ({ metadata }: Job): void => {
      if (metadata.ownerUid === null) return;
      for (const each of this.#cronJobs.values()) {
        if (each.metadata.uid === metadata.ownerUid) ask(each);
      }
    };
    this.#jobs = informers.on("Job", {
      added: askOwner,
      updated: (_previous, job) => askOwner(job),
      deleted: askOwner,
    });
    for (const each of this.#cronJobs.values()) ask(each);
  }

  *#sync(key: string): Steps<void> {
    const cronJob = this.#cronJobs.get(key);
    if (cronJob === undefined) return;
    const { uid } = cronJob.metadata;
    const jobs = [...this.#jobs.values()].filter(({ metadata }) => metadata.ownerUid === uid);
    const kept = yield* this.#cleanUp(cronJob, jobs);
    const active = yield* this.#stillActive(cronJob, jobs);
    let status: Status = { ...cronJob.status, active };
    if (!cronJob.spec.suspend) {
      const schedule = parseSchedule(cronJob.spec.schedule);
      // The API server refuses such a thing.
      if (typeof schedule === "string") return;
      status = yield* this.#runDue(cronJob, schedule, status, kept);
    }
    yield* this.#writeStatus(cronJob, status);
  }

  /** cleanupFinishedJobs: the oldest go beyond the limits. Returns those that are left. */
  *#cleanUp({ spec }: CronJob, jobs: readonly Job[]): Steps<readonly Job[]> {
    const surplus = (finished: "Complete" | "Failed", limit: number): Job[] => {
      const own = jobs.filter(({ status }) => status.finished === finished).sort(olderFirst);
      return own.slice(0, Math.max(0, own.length - limit));
    };
    const gone = [
      ...surplus("Complete", spec.successfulJobsHistoryLimit),
      ...surplus("Failed", spec.failedJobsHistoryLimit),
    ];
    for (const job of gone) yield* this.#deleteJob(objectKey(job));
    return jobs.filter((job) => !gone.includes(job));
  }

  /** Those of the status that have not ended; one that the watch does not show is asked for. */
  *#stillActive({ status, metadata }: CronJob, jobs: readonly Job[]): Steps<Status["active"]> {
    const active: Status["active"][number][] = [];
    for (const each of status.active) {
      const job = jobs.find(({ metadata: own }) => own.uid === each.uid);
      if (job !== undefined) {
        if (job.status.finished === null) active.push(each);
        continue;
      }
      const key = `${metadata.namespace}/${each.name}`;
      const { client } = this.#context;
      const { error } = yield* tried<"Job">((done) => client.patch("Job", key, () => null, done));
      if (error === null) active.push(each);
      else if (error !== "NotFound") throw new WriteFailed(error);
    }
    return active;
  }

  /** syncCronJob from the schedule on. */
  *#runDue(
    cronJob: CronJob,
    schedule: Schedule,
    status: Status,
    jobs: readonly Job[],
  ): Steps<Status> {
    const { nowNs } = this.#context.sim;
    const { spec } = cronJob;
    const { dueNs, nextNs } = this.#dueOf(cronJob, schedule);
    if (nextNs !== null) {
      const { delayNs } = this.#context.profile.cronJob;
      this.#queue.addAfter(objectKey(cronJob), nextNs + delayNs - nowNs);
    }
    if (dueNs === null) return status;
    const { startingDeadlineNs, concurrencyPolicy } = spec;
    if (startingDeadlineNs !== null && dueNs + startingDeadlineNs < nowNs) return status;
    const job = jobFor(cronJob, this.#epochMinutes(dueNs));
    const isMade = status.active.some(({ name }) => name === job.metadata.name);
    if (isMade || status.lastScheduleTimeNs === dueNs) return status;
    if (concurrencyPolicy === "Forbid" && status.active.length > 0) return status;
    const replaced = concurrencyPolicy === "Replace" ? status.active : [];
    for (const { name } of replaced) {
      yield* this.#deleteJob(`${cronJob.metadata.namespace}/${name}`);
    }
    const uid = yield* this.#create(job, jobs);
    const active = [
      ...(replaced.length > 0 ? [] : status.active),
      { name: job.metadata.name, uid },
    ];
    return { active, lastScheduleTimeNs: dueNs };
  }

  /** The uid of the Job; one that is there already, made before a status could be written, is its own. */
  *#create(job: Job, jobs: readonly Job[]): Steps<string> {
    const { client } = this.#context;
    const { object, error } = yield* tried<"Job">((done) => client.create("Job", job, done));
    if (error !== "AlreadyExists") client.recordEvent(job.metadata.ownerUid!);
    if (object !== null) return object.metadata.uid;
    const known = jobs.find(({ metadata }) => metadata.name === job.metadata.name);
    if (error !== "AlreadyExists" || known === undefined) throw new WriteFailed(String(error));
    return known.metadata.uid;
  }

  *#deleteJob(key: string): Steps<void> {
    const { client } = this.#context;
    const { error } = yield* tried((done) => client.delete("Job", key, {}, done));
    if (error !== null && error !== "NotFound") throw new WriteFailed(error);
  }

  *#writeStatus(cronJob: CronJob, status: Status): Steps<void> {
    const { status: before } = cronJob;
    const same =
      before.lastScheduleTimeNs === status.lastScheduleTimeNs &&
      before.active.length === status.active.length &&
      before.active.every(({ uid }, i) => uid === status.active[i]!.uid);
    if (same) return;
    yield* written<"CronJob">((done) =>
      this.#context.client.update("CronJob", { ...cronJob, status }, done),
    );
  }

  /** mostRecentScheduleTime, and the time after it. */
  #dueOf({ metadata, status }: CronJob, { next }: Schedule): Due {
    const { nowNs } = this.#context.sim;
    const epochSeconds = this.#epochSeconds;
    const after = (atNs: SimTimeNs): SimTimeNs | null => {
      const atS = next(epochSeconds + atNs / seconds(1));
      return atS === null ? null : seconds(atS - epochSeconds);
    };
    let dueNs: SimTimeNs | null = null;
    let nextNs = after(status.lastScheduleTimeNs ?? metadata.creationTimestampNs);
    while (nextNs !== null && nextNs <= nowNs) {
      dueNs = nextNs;
      nextNs = after(nextNs);
    }
    return { dueNs, nextNs };
  }

  /** getTimeHashInMinutes. */
  #epochMinutes(atNs: SimTimeNs): number {
    return Math.floor((this.#epochSeconds + atNs / seconds(1)) / 60);
  }

  get #epochSeconds(): number {
    return this.#context.epochSeconds ?? 0;
  }
}

function olderFirst(a: Job, b: Job): number {
  const byTime = a.metadata.creationTimestampNs - b.metadata.creationTimestampNs;
  return byTime || (a.metadata.name < b.metadata.name ? -1 : 1);
}

/** getJobFromTemplate2: named by its time, so that no time has two. */
export function jobFor({ metadata, spec }: CronJob, epochMinutes: number): Job {
  const name = `${metadata.name}-${epochMinutes}`;
  const { template } = spec;
  return {
    kind: "Job",
    metadata: { ...newMeta(metadata.namespace, name), ownerUid: metadata.uid },
    spec: {
      ...spec.job,
      selector: { matchLabels: { "job-name": name }, matchExpressions: [] },
      template: { ...template, labels: { ...template.labels, ...jobLabels(name) } },
    },
    status: noJobStatus,
  };
}
