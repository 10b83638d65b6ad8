/**
 * The Job controller: pods until enough of them have succeeded.
 *
 * Owns: how many run at a time, what counts as a success and a failure, the wait after a failure, and
 * giving up. A pod that was deleted before it ended has failed. Refuses to own: what a pod does
 * (workload/), and restarts inside one (kubelet). Source: pkg/controller/job/job_controller.go; timings §3.
 *
 * Not modelled: indexed completions, pod failure and success policies, suspend, activeDeadlineSeconds,
 * ttlSecondsAfterFinished, finalizers on pods (a controller that starts again counts what is stored).
 */
import type { Informer } from "../api/contract.ts";
import { objectKey, type Job, type JobStatus, type Labels, type Pod } from "../api/types.ts";
import type { ByOwner, Controller, ControllerContext } from "./contract.ts";
import { createPods, deletePods, Expectations } from "./podControl.ts";
import { compareVictims, isActive, isReady, podFor } from "./pods.ts";
import { syncQueue, written, WriteFailed, type Steps } from "./steps.ts";
import type { WorkQueue } from "./workqueue.ts";

/** Pods of a Job that have ended, by uid, and since when the last failures in a row wait. */
interface Ended {
  readonly succeeded: Set<string>;
  readonly failed: Set<string>;
  failuresInARow: number;
  lastFailureNs: number;
}

export class JobController implements Controller {
  readonly name = "job-controller";
  #context!: ControllerContext;
  #queue!: WorkQueue;
  #jobs!: Informer<"Job">;
  #pods!: ByOwner<"Pod">;
  #expectations!: Expectations;
  readonly #byUid = new Map<string, string>();
  readonly #ended = new Map<string, Ended>();

  get isIdle(): boolean {
    return this.#queue.isIdle;
  }

  /** Jobs begin when the controller does, also in a cluster at rest: there is no job that runs for days. */
  start(context: ControllerContext): void {
    this.#context = context;
    const { sim, profile, informers } = context;
    const { workers, maxRetries } = profile.job;
    this.#queue = syncQueue(context, { workers, maxRetries }, (key) => this.#sync(key));
    this.#expectations = new Expectations(sim, profile.expectationsTimeoutNs);
    const seen = (job: Job): void => {
      this.#byUid.set(job.metadata.uid, objectKey(job));
      this.#queue.add(objectKey(job));
    };
    this.#jobs = informers.on("Job", { added: seen, updated: (_previous, job) => seen(job) });
    this.#pods = informers.byOwner("Pod");
    informers.on("Pod", {
      added: (pod) => this.#podSeen(pod, true),
      updated: (_previous, pod) => this.#podSeen(pod, false),
      deleted: (pod) => this.#podGone(pod),
    });
    for (const job of this.#jobs.values()) {
      seen(job);
      for (const pod of this.#pods.of(job.metadata.uid)) this.#note(pod, false);
    }
  }

  #podSeen(pod: Pod, isNew: boolean): void {
    const key = this.#byUid.get(pod.metadata.ownerUid ?? "");
    if (key === undefined) return;
    if (isNew) this.#expectations.creationSeen(pod.metadata.ownerUid!);
    if (pod.metadata.deletionTimestampNs !== null) {
      this.#expectations.deletionSeen(pod.metadata.ownerUid!, objectKey(pod));
    }
    this.#note(pod, false);
    this.#queue.addAfter(key, this.#context.profile.job.batchPeriodNs);
  }

  #podGone(pod: Pod): void {
    const key = this.#byUid.get(pod.metadata.ownerUid ?? "");
    if (key === undefined) return;
    this.#expectations.deletionSeen(pod.metadata.ownerUid!, objectKey(pod));
    this.#note(pod, true);
    this.#queue.addAfter(key, this.#context.profile.job.batchPeriodNs);
  }

  #endedOf(uid: string): Ended {
    let ended = this.#ended.get(uid);
    if (ended === undefined) {
      ended = { succeeded: new Set(), failed: new Set(), failuresInARow: 0, lastFailureNs: 0 };
      this.#ended.set(uid, ended);
    }
    return ended;
  }

  /** Each pod counts once, by how it ended first. */
  #note(pod: Pod, isGone: boolean): void {
    const ended = this.#endedOf(pod.metadata.ownerUid!);
    const { uid } = pod.metadata;
    if (ended.succeeded.has(uid) || ended.failed.has(uid)) return;
    if (pod.status.phase === "Succeeded" && pod.metadata.deletionTimestampNs === null) {
      ended.succeeded.add(uid);
      ended.failuresInARow = 0;
    } else if (pod.status.phase === "Failed" || isGone) {
      ended.failed.add(uid);
      ended.failuresInARow++;
      ended.lastFailureNs = this.#context.sim.nowNs;
    }
  }

  *#sync(key: string): Steps<void> {
    const job = this.#jobs.get(key);
    if (job === undefined || job.status.finished !== null) return;
    const { uid } = job.metadata;
    const ended = this.#endedOf(uid);
    const active = this.#pods
      .of(uid)
      .filter((pod) => isActive(pod) && !ended.failed.has(pod.metadata.uid));
    const hasFailed = this.#hasFailed(job, ended, active);
    let failures = 0;
    if (hasFailed) {
      failures = yield* deletePods(this.#context.client, this.#expectations, uid, active);
    } else if (this.#expectations.isSatisfied(uid)) {
      failures = yield* this.#manage(job, ended, active);
    }
    yield* this.#writeStatus(job, active, hasFailed);
    if (failures > 0) throw new WriteFailed(`${failures} pods`);
  }

  /** More failures than backoffLimit; restarts inside pods count with restartPolicy OnFailure. */
  #hasFailed({ spec }: Job, ended: Ended, active: readonly Pod[]): boolean {
    if (ended.failed.size > spec.backoffLimit) return true;
    if (spec.template.spec.restartPolicy !== "OnFailure") return false;
    const restarts = active.reduce((sum, { status }) => sum + status.restartCount, 0);
    return spec.backoffLimit === 0 ? restarts > 0 : restarts >= spec.backoffLimit;
  }

  /** The number of pods that could not be made or deleted. */
  *#manage(job: Job, ended: Ended, active: readonly Pod[]): Steps<number> {
    const { client, sim, profile } = this.#context;
    const { uid } = job.metadata;
    const wanted = wantedActive(job, ended.succeeded.size, active.length);
    if (active.length > wanted) {
      const surplus = [...active].sort(compareVictims(new Map(), sim.nowNs));
      const victims = surplus.slice(0, active.length - wanted);
      return yield* deletePods(client, this.#expectations, uid, victims);
    }
    const count = Math.min(wanted - active.length, profile.job.burstReplicas);
    const waitNs = this.#waitNs(ended);
    if (count === 0) return 0;
    if (waitNs > 0) {
      this.#queue.addAfter(objectKey(job), waitNs);
      return 0;
    }
    const names = sim.streams.get(`names/${objectKey(job)}`);
    this.#expectations.expectCreates(uid, count);
    const { slowStartInitial } = profile.replicaSet;
    const failed = yield* createPods(client, count, slowStartInitial, () => podFor(job, names));
    this.#expectations.creationSeen(uid, failed);
    return failed;
  }

  /** 10 s after one failure, doubling with each that follows without a success between, up to 10 min. */
  #waitNs({ failuresInARow, lastFailureNs }: Ended): number {
    if (failuresInARow === 0) return 0;
    const { failureBackoffNs, failureBackoffMaxNs } = this.#context.profile.job;
    const delayNs = Math.min(
      failureBackoffMaxNs,
      failureBackoffNs * 2 ** Math.min(failuresInARow - 1, 40),
    );
    return Math.max(0, lastFailureNs + delayNs - this.#context.sim.nowNs);
  }

  *#writeStatus(job: Job, active: readonly Pod[], hasFailed: boolean): Steps<void> {
    const { succeeded, failed } = this.#endedOf(job.metadata.uid);
    const isOver = hasFailed ? true : isComplete(job, succeeded.size, active.length);
    const status: JobStatus = {
      active: isOver ? 0 : active.length,
      ready: isOver ? 0 : active.filter(isReady).length,
      succeeded: Math.max(job.status.succeeded, succeeded.size),
      failed: Math.max(job.status.failed, failed.size + (hasFailed ? active.length : 0)),
      finished: isOver ? (hasFailed ? "Failed" : "Complete") : null,
    };
    if (Object.entries(status).every(([k, v]) => job.status[k as keyof JobStatus] === v)) return;
    yield* written<"Job">((done) =>
      this.#context.client.patch("Job", objectKey(job), (stored) => ({ ...stored, status }), done),
    );
  }
}

/** manageJob: no more than can still be needed; without completions no new ones after the first success. */
export function wantedActive({ spec }: Job, succeeded: number, active: number): number {
  if (spec.completions === null) return succeeded > 0 ? active : spec.parallelism;
  return Math.max(0, Math.min(spec.completions - succeeded, spec.parallelism));
}

function isComplete({ spec }: Job, succeeded: number, active: number): boolean {
  if (spec.completions === null) return succeeded > 0 && active === 0;
  return succeeded >= spec.completions;
}

/** What the API server gives the pods of a Job to know them by. */
export function jobLabels(name: string): Labels {
  return { "batch.kubernetes.io/job-name": name, "job-name": name };
}

export const noJobStatus: JobStatus = {
  active: 0,
  ready: 0,
  succeeded: 0,
  failed: 0,
  finished: null,
};
