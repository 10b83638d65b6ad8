/**
 * The kubelet of one node: its pods, its PLEG, its one status writer.
 *
 * Owns: what the node believes about its pods, from its own watch. Refuses to own: a pod's steps
 * (podWorker.ts), the network (PodNetwork), what containers do (ContainerRuntime).
 */
import {
  createDistribution,
  Phase,
  type Distribution,
  type Simulation,
} from "../../engine/index.ts";
import type { AddressId } from "../../network/address.ts";
import type { Observations } from "../../observe/observations.ts";
import type { ApiClient, ApiServer } from "../api/contract.ts";
import type { Pod } from "../api/types.ts";
import type { ChangeLedger } from "../ledger.ts";
import type { ContainerProcess, ContainerRuntime, PodNetwork, Prober } from "./contract.ts";
import { PodWorker } from "./podWorker.ts";
import type { KubeletProfile } from "./profile.ts";
import { StatusManager } from "./statusManager.ts";

export interface KubeletOptions {
  readonly sim: Simulation;
  readonly api: ApiServer;
  readonly profile: KubeletProfile;
  readonly node: number;
  readonly nodeName: string;
  readonly network: PodNetwork;
  readonly runtime: ContainerRuntime;
  readonly prober: Prober;
  readonly ledger: ChangeLedger;
  readonly observations: Observations;
  readonly addressText: (id: AddressId) => string;
}

/** What a kubelet's pod workers share. */
export interface KubeletContext extends KubeletOptions {
  readonly client: ApiClient;
  readonly distributions: {
    readonly volumes: Distribution;
    readonly sandbox: Distribution;
    readonly containerStart: Distribution;
    readonly teardown: Distribution;
  };
  readonly statusManager: () => StatusManager;
  readonly forget: (worker: PodWorker) => void;
}

export class Kubelet {
  readonly #context: KubeletContext;
  readonly #workers = new Map<string, PodWorker>();
  readonly #status: StatusManager;

  constructor(options: KubeletOptions) {
    const { api, profile, nodeName } = options;
    const client = api.client({
      name: `kubelet/${nodeName}`,
      user: `system:node:${nodeName}`,
      qps: profile.statusQps,
      burst: profile.statusBurst,
    });
    this.#context = {
      ...options,
      client,
      distributions: {
        volumes: createDistribution(profile.volumesTime),
        sandbox: createDistribution(profile.sandboxTime),
        containerStart: createDistribution(profile.containerStartTime),
        teardown: createDistribution(profile.sandboxTeardownTime),
      },
      statusManager: () => this.#status,
      forget: (worker) => this.#workers.delete(worker.uid),
    };
    this.#status = new StatusManager(
      client,
      (key) => {
        const worker = this.#byKey(key);
        const status = worker?.status() ?? null;
        return worker === undefined || status === null ? null : { uid: worker.uid, status };
      },
      (key, pod) => this.#byKey(key)?.statusWritten(pod),
    );
  }

  /** Takes over a pod that has been running for days; gives it back with its address and status. */
  startAtRest(pod: Pod): Pod {
    const worker = new PodWorker(pod, this.#context);
    this.#workers.set(worker.uid, worker);
    return worker.startAtRest();
  }

  /** Begins to watch and to relist. */
  start(): void {
    const { sim, api, nodeName, profile } = this.#context;
    const pods = api.watch("Pod", {
      watcher: `kubelet/${nodeName}`,
      nodeName,
      handlers: {
        added: (pod) => this.#added(pod),
        updated: (_previous, pod) => this.#workers.get(pod.metadata.uid)?.updated(pod),
        deleted: (pod) => this.#deleted(pod),
      },
    });
    for (const pod of pods.values()) this.#added(pod);
    const phase = sim.streams.get(`kubelet/${nodeName}/pleg`).uniform();
    this.#relistAfter(Math.floor(phase * profile.plegRelistNs));
  }

  /** The process of a running pod's main container, for faults; null if none runs. */
  mainProcess(pod: Pod): ContainerProcess | null {
    return this.#workers.get(pod.metadata.uid)?.mainContainer?.process ?? null;
  }

  #byKey(key: string): PodWorker | undefined {
    // A force-deleted pod may still be going down while its successor of the same name runs.
    return [...this.#workers.values()].findLast((worker) => worker.key === key);
  }

  #added(pod: Pod): void {
    if (this.#workers.has(pod.metadata.uid)) return;
    const worker = new PodWorker(pod, this.#context);
    this.#workers.set(worker.uid, worker);
    worker.begin();
  }

  #deleted(pod: Pod): void {
    const worker = this.#workers.get(pod.metadata.uid);
    if (worker === undefined) return;
    worker.deleted();
    if (worker.isFinished) this.#workers.delete(worker.uid);
  }

  #relistAfter(delayNs: number): void {
    const { sim, profile } = this.#context;
    sim.callAfter(delayNs, Phase.start, () => {
      for (const worker of this.#workers.values()) worker.relist();
      this.#relistAfter(profile.plegRelistNs);
    });
  }
}
