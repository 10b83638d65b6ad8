/**
 * The kubelet of one node: its pods, its PLEG, its one status writer.
 *
 * Owns: what the node believes about its pods, from its own watch, and what a freeze, a crash and a boot
 * of the node mean to it. Refuses to own: a pod's steps (podWorker.ts), the network (PodNetwork), what
 * containers do (ContainerRuntime), signs of life (heartbeat.ts), memory pressure (eviction.ts).
 */
import {
  createDistribution,
  type Distribution,
  type DurationNs,
  type SimTimeNs,
  type Simulation,
} from "../../engine/index.ts";
import type { AddressId } from "../../network/address.ts";
import type { Observations } from "../../observe/observations.ts";
import type { ApiClient, ApiServer, Informer } from "../api/contract.ts";
import type { Pod } from "../api/types.ts";
import type { ChangeLedger } from "../ledger.ts";
import type { ContainerProcess, ContainerRuntime, PodNetwork, Prober } from "./contract.ts";
import { EvictionManager } from "./eviction.ts";
import { Heartbeat } from "./heartbeat.ts";
import { ImageManager, type ImageSizes } from "./images.ts";
import { NodeClock } from "./nodeClock.ts";
import { Pleg } from "./pleg.ts";
import { PodWorker, type EarlierRuns } from "./podWorker.ts";
import type { KubeletProfile } from "./profile.ts";
import { NodeShutdown } from "./shutdown.ts";
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
  /** Images that nodes have to pull. Absent: every image is on every node. */
  readonly images?: ImageSizes;
  /** Whether any process of the run counts its memory: else there is no pressure to look for. */
  readonly countsMemory?: boolean;
}

/** What a kubelet's pod workers share. */
export interface KubeletContext extends Omit<KubeletOptions, "images"> {
  readonly clock: NodeClock;
  readonly images: ImageManager;
  readonly client: ApiClient;
  readonly distributions: {
    readonly volumes: Distribution;
    readonly sandbox: Distribution;
    readonly containerStart: Distribution;
    readonly teardown: Distribution;
  };
  readonly pleg: () => Pleg;
  readonly statusManager: () => StatusManager;
  readonly forget: (worker: PodWorker) => void;
  /** The first tick of the kubelet's loop at or after `atNs`: it takes up due pods only then. */
  readonly syncTickNs: (atNs: SimTimeNs) => SimTimeNs;
  /** Whether the pod network of the node works. */
  readonly isNetworkReady: () => boolean;
  /** Whether the kubelet itself started less than `periodNs` ago. */
  readonly isYoung: (periodNs: DurationNs) => boolean;
}

export class Kubelet {
  readonly #context: KubeletContext;
  readonly #workers = new Map<string, PodWorker>();
  readonly #heartbeat: Heartbeat;
  readonly #eviction: EvictionManager;
  readonly #shutdown: NodeShutdown;
  readonly #phase: number;
  #status: StatusManager;
  #pleg: Pleg;
  #pods: Informer<"Pod"> | null = null;
  #networkReady = true;
  #isUp = true;
  #bootedNs = -Infinity;
  /** What the runtime remembers over a crash: runs by pod and container. */
  #earlier = new Map<string, EarlierRuns>();

  constructor(options: KubeletOptions) {
    const { sim, api, profile, nodeName, images = new Map() } = options;
    const clock = new NodeClock(sim);
    const client = api.client({
      name: `kubelet/${nodeName}`,
      user: `system:node:${nodeName}`,
      qps: profile.statusQps,
      burst: profile.statusBurst,
    });
    this.#phase = sim.streams.get(`kubelet/${nodeName}/pleg`).uniform();
    this.#context = {
      ...options,
      clock,
      client,
      images: new ImageManager(sim, clock, profile, images),
      distributions: {
        volumes: createDistribution(profile.volumesTime),
        sandbox: createDistribution(profile.sandboxTime),
        containerStart: createDistribution(profile.containerStartTime),
        teardown: createDistribution(profile.sandboxTeardownTime),
      },
      pleg: () => this.#pleg,
      statusManager: () => this.#status,
      forget: (worker) => this.#workers.delete(worker.uid),
      syncTickNs: (atNs) => this.#syncTickNs(atNs),
      isNetworkReady: () => this.#networkReady,
      isYoung: (periodNs) => sim.nowNs - this.#bootedNs < periodNs,
    };
    this.#pleg = this.#newPleg();
    this.#status = this.#newStatusManager();
    this.#heartbeat = new Heartbeat(this.#context);
    this.#eviction = new EvictionManager(this.#context, {
      workers: () => this.#workers.values(),
      node: () => this.#heartbeat.node,
      pressure: (isUnder) => this.#heartbeat.setMemoryPressure(isUnder),
    });
    this.#shutdown = new NodeShutdown(this.#context, {
      workers: () => this.#workers.values(),
      ready: (isReady) => this.#heartbeat.setReady(isReady),
    });
  }

  /** Takes over a pod that has been running for days; gives it back with its address and status. */
  startAtRest(pod: Pod): Pod {
    const worker = new PodWorker(pod, this.#context);
    this.#workers.set(worker.uid, worker);
    return worker.startAtRest();
  }

  /** Begins to watch, to relist and to say that the node lives. */
  start(): void {
    const { api, nodeName, clock } = this.#context;
    // What comes while the node is off is not lost: a kubelet lists its pods when it starts.
    const whileUp =
      <Args extends unknown[]>(fn: (...args: Args) => void) =>
      (...args: Args): void => {
        if (this.#isUp) clock.hears(fn)(...args);
      };
    this.#pods = api.watch("Pod", {
      watcher: `kubelet/${nodeName}`,
      nodeName,
      handlers: {
        added: whileUp((pod) => this.#added(pod)),
        updated: whileUp((_previous, pod) => this.#workers.get(pod.metadata.uid)?.updated(pod)),
        deleted: whileUp((pod) => this.#deleted(pod)),
      },
    });
    for (const pod of this.#pods.values()) this.#added(pod);
    this.#heartbeat.start();
    this.#eviction.start();
  }

  /** The process of a running pod's main container, for faults; null if none runs. */
  mainProcess(pod: Pod): ContainerProcess | null {
    return this.#workers.get(pod.metadata.uid)?.mainContainer?.process ?? null;
  }

  /** The kernel kills a pod's main container for its memory: exit 137, OOMKilled. @returns false if none runs */
  oomKill(pod: Pod): boolean {
    return this.#workers.get(pod.metadata.uid)?.mainContainer?.oomKill() ?? false;
  }

  /** The node's daemons stand still: nothing that is due happens, nothing that comes is read. */
  freeze(): void {
    this.#context.clock.freeze();
  }

  /** They go on; what was due meanwhile is due now. */
  resume(): void {
    this.#context.clock.resume();
  }

  /** The machine is about to go down. @param release told when it may */
  shutDown(release: () => void): void {
    if (this.#isUp) this.#shutdown.begin(release);
    else release();
  }

  /** It does not after all. */
  cancelShutdown(): void {
    this.#shutdown.cancel();
  }

  /** The node loses its power: its processes and sandboxes are gone, and nobody is told. */
  crash(): void {
    if (!this.#isUp) return;
    this.#isUp = false;
    this.#context.clock.crash();
    for (const worker of this.#workers.values()) this.#earlier.set(worker.uid, worker.vanish());
    this.#workers.clear();
    this.#context.images.crash();
    this.#eviction.crash();
    this.#shutdown.stop();
  }

  /** The node is up again: its kubelet lists its pods and gives each a new sandbox, with a new address. */
  boot(): void {
    if (this.#isUp) return;
    this.#isUp = true;
    this.#heartbeat.setReadyAtBoot();
    this.#bootedNs = this.#context.sim.nowNs;
    this.#pleg = this.#newPleg();
    this.#status = this.#newStatusManager();
    const earlier = this.#earlier;
    this.#earlier = new Map();
    for (const pod of this.#pods?.values() ?? []) this.#added(pod, earlier.get(pod.metadata.uid));
    this.#heartbeat.start();
    this.#eviction.start();
  }

  /** The CNI plugin of the node fails, or works again: no new sandbox meanwhile. */
  setNetworkReady(isReady: boolean): void {
    this.#networkReady = isReady;
  }

  #newPleg(): Pleg {
    const { sim, clock, profile } = this.#context;
    const phaseNs = Math.floor(this.#phase * profile.plegRelistNs);
    return new Pleg(sim, clock, profile, phaseNs);
  }

  #newStatusManager(): StatusManager {
    const { sim, client, clock, profile } = this.#context;
    const phaseNs = Math.floor(this.#phase * profile.statusReconcileNs);
    return new StatusManager(
      { sim, client, clock, profile, phaseNs },
      (key) => {
        const worker = this.#byKey(key);
        const status = worker?.status() ?? null;
        return worker === undefined || status === null ? null : { uid: worker.uid, status };
      },
      (key, pod) => this.#byKey(key)?.statusWritten(pod),
    );
  }

  #syncTickNs(atNs: SimTimeNs): SimTimeNs {
    const { syncTickNs } = this.#context.profile;
    const phaseNs = Math.floor(this.#phase * syncTickNs);
    return phaseNs + Math.ceil((atNs - phaseNs) / syncTickNs) * syncTickNs;
  }

  #byKey(key: string): PodWorker | undefined {
    // A force-deleted pod may still be going down while its successor of the same name runs.
    let last: PodWorker | undefined;
    for (const worker of this.#workers.values()) if (worker.key === key) last = worker;
    return last;
  }

  #added(pod: Pod, earlier?: EarlierRuns): void {
    if (this.#workers.has(pod.metadata.uid)) return;
    const { phase } = pod.status;
    // A kubelet that starts finds pods that have ended before: nothing is left to do for them.
    if (phase === "Succeeded" || phase === "Failed") return;
    const worker = new PodWorker(pod, this.#context);
    this.#workers.set(worker.uid, worker);
    worker.begin(earlier, this.#refusalOf(pod));
  }

  /** canAdmitPod: why the node does not take it. */
  #refusalOf(pod: Pod): string | null {
    if (this.#shutdown.isUnderWay) return "NodeShutdown";
    return this.#eviction.admits(pod) ? null : "Evicted";
  }

  #deleted(pod: Pod): void {
    const worker = this.#workers.get(pod.metadata.uid);
    if (worker === undefined) return;
    worker.deleted();
    if (worker.isFinished) this.#workers.delete(worker.uid);
  }
}
