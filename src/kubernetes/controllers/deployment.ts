/**
 * The Deployment controller: keeps the ReplicaSet of the present template at the wanted size.
 *
 * Owns: making and scaling that ReplicaSet and the Deployment's status. Not modelled yet: rolling
 * updates between templates, progress deadlines, rollback.
 */
import { objectKey, type Deployment, type ReplicaSet } from "../api/types.ts";
import type { Informer } from "../api/contract.ts";
import type { Controller, ControllerContext } from "./contract.ts";
import { replicaSetFor } from "./pods.ts";
import { WorkQueue } from "./workqueue.ts";

export class DeploymentController implements Controller {
  readonly name = "deployment-controller";
  #context!: ControllerContext;
  #queue!: WorkQueue;
  #deployments!: Informer<"Deployment">;
  #replicaSets!: Informer<"ReplicaSet">;

  get isIdle(): boolean {
    return this.#queue.isIdle;
  }

  start(context: ControllerContext, synced: boolean): void {
    this.#context = context;
    const { sim, profile, informers } = context;
    const { workers, maxRetries } = profile.deployment;
    const options = { ...profile, workers, maxRetries };
    this.#queue = new WorkQueue(sim, options, (key, done) => this.#sync(key, done));
    const ask = (deployment: Deployment): void => this.#queue.add(objectKey(deployment));
    this.#deployments = informers.on("Deployment", {
      added: ask,
      updated: (_previous, deployment) => ask(deployment),
    });
    const askOwner = (set: ReplicaSet): void => {
      for (const deployment of this.#deployments.values()) {
        if (deployment.metadata.uid === set.metadata.ownerUid) ask(deployment);
      }
    };
    this.#replicaSets = informers.on("ReplicaSet", {
      added: askOwner,
      updated: (_previous, set) => askOwner(set),
      deleted: askOwner,
    });
    if (!synced) for (const deployment of this.#deployments.values()) ask(deployment);
  }

  #sync(key: string, done: (retry: boolean) => void): void {
    const deployment = this.#deployments.get(key);
    if (deployment === undefined) {
      done(false);
      return;
    }
    const wanted = replicaSetFor(deployment);
    const present = this.#replicaSets.get(objectKey(wanted));
    const { client } = this.#context;
    if (present === undefined) {
      client.create("ReplicaSet", wanted, (_set, error) => done(error === "NotFound"));
    } else if (present.spec.replicas !== deployment.spec.replicas) {
      const spec = { ...present.spec, replicas: deployment.spec.replicas };
      client.update("ReplicaSet", { ...present, spec }, (_set, error) => done(error !== null));
    } else {
      this.#writeStatus(deployment, present, done);
    }
  }

  #writeStatus(deployment: Deployment, set: ReplicaSet, done: (retry: boolean) => void): void {
    const { replicas, readyReplicas, availableReplicas } = set.status;
    const { status } = deployment;
    const same =
      status.replicas === replicas &&
      status.readyReplicas === readyReplicas &&
      status.availableReplicas === availableReplicas;
    if (same) {
      done(false);
      return;
    }
    this.#context.client.patch(
      "Deployment",
      objectKey(deployment),
      (stored) => ({ ...stored, status: set.status }),
      () => done(false),
    );
  }
}
