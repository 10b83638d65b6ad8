/**
 * The garbage collector: what a deleted owner leaves behind is deleted after it.
 *
 * Owns: which objects those are, by the uid of their owner, and deleting them in the background. Refuses to own: who
 * deletes an owner. Source: pkg/controller/garbagecollector/garbagecollector.go; timings §3.1. Not modelled: the
 * foreground, orphaning, owners of several objects, EndpointSlices (a Service is not deleted in a run).
 */
import type { Informer } from "../api/contract.ts";
import { objectKey, type Job, type Pod, type ReplicaSet, type Workload } from "../api/types.ts";
import type { ByOwner, Controller, ControllerContext } from "./contract.ts";
import { syncQueue, tried, WriteFailed, type Steps } from "./steps.ts";
import type { WorkQueue } from "./workqueue.ts";

type OwnerKind = Exclude<Workload["kind"], "ReplicationController">;

const OWNERS: readonly OwnerKind[] = [
  "Deployment",
  "ReplicaSet",
  "StatefulSet",
  "DaemonSet",
  "Job",
  "CronJob",
];

export class GarbageCollector implements Controller {
  readonly name = "garbage-collector-controller";
  #context!: ControllerContext;
  #queue!: WorkQueue;
  #pods!: ByOwner<"Pod">;
  #replicaSets!: Informer<"ReplicaSet">;
  #jobs!: Informer<"Job">;

  get isIdle(): boolean {
    return this.#queue.isIdle;
  }

  start(context: ControllerContext): void {
    this.#context = context;
    const { profile, informers } = context;
    const { workers } = profile.garbageCollector;
    const limits = { workers, maxRetries: Infinity };
    this.#queue = syncQueue(context, limits, (key) => this.#attemptToDelete(key));
    this.#pods = informers.byOwner("Pod");
    for (const kind of OWNERS) {
      informers.on(kind, {
        deleted: ({ metadata }: { readonly metadata: Pod["metadata"] }) => {
          for (const item of this.#dependentsOf(metadata.uid)) this.#queue.add(item);
        },
      });
    }
    this.#replicaSets = informers.on("ReplicaSet", {});
    this.#jobs = informers.on("Job", {});
  }

  /** "KIND namespace/name uid" of each. */
  #dependentsOf(ownerUid: string): string[] {
    const own = (object: Pod | ReplicaSet | Job): boolean =>
      object.metadata.ownerUid === ownerUid && object.metadata.deletionTimestampNs === null;
    const found: (Pod | ReplicaSet | Job)[] = [
      ...this.#pods.of(ownerUid),
      ...this.#replicaSets.values(),
      ...this.#jobs.values(),
    ];
    return found.filter(own).map((each) => `${each.kind} ${objectKey(each)} ${each.metadata.uid}`);
  }

  *#attemptToDelete(item: string): Steps<void> {
    const [kind, key, uid] = item.split(" ") as ["Pod" | "ReplicaSet" | "Job", string, string];
    const { client } = this.#context;
    const { error } = yield* tried((done) => client.delete(kind, key, { uid }, done));
    if (error !== null && error !== "NotFound") throw new WriteFailed(error);
  }
}
