/**
 * A pod's worker: a pod's life on its node, from the first watch event to the last write.
 *
 * Owns: that one thing is done for the pod at a time, volumes, sandbox, containers; when it is looked at
 * again; and the way out: containers, sandbox, last status, object. Refuses to own: which containers a
 * sync starts (podSync.ts), how one is stopped (killing.ts), what is said of it (podStatus.ts).
 * Source: pkg/kubelet/pod_workers.go, kubelet.go SyncPod; timings §1.3 to §1.5. A resync that would find
 * nothing to do is left out.
 */
import {
  Phase,
  sampleNs,
  type Distribution,
  type EventHandle,
  type RandomStream,
} from "../../engine/index.ts";
import { objectKey, type Pod, type PodStatus } from "../api/types.ts";
import { Container } from "./container.ts";
import { portMappings } from "./hostPorts.ts";
import type { Sandbox } from "./contract.ts";
import type { KubeletContext } from "./kubelet.ts";
import { killContainer, TerminationOrder } from "./killing.ts";
import type { Listed } from "./pleg.ts";
import {
  allReady,
  containerStatuses,
  finalPhase,
  podPhase,
  sameStatus,
  type PodContainers,
} from "./podStatus.ts";
import { syncContainers, type SyncResult } from "./podSync.ts";

/** Runs that its containers have had before, as the runtime remembers them over a reboot. */
export type EarlierRuns = ReadonlyMap<string, number>;

export class PodWorker implements Listed {
  readonly uid: string;
  readonly key: string;
  #pod: Pod;
  readonly #context: KubeletContext;
  #sandbox: Sandbox | null = null;
  #containers: PodContainers = { init: [], main: [] };
  #status: PodStatus;
  #observedCauseNs = 0;
  /** What was last told to the ledger. */
  #truth = "";
  #volumesReady = false;
  /** A sync is under way, and whether there is news since it began. */
  #working = false;
  #news = false;
  /** End of the last sync: the next one waits for a cache that is newer. */
  #lastSyncNs = -Infinity;
  #wake: EventHandle = 0;
  /** Goes up when the pod is told to go, or to go faster: what was begun before is void. */
  #turn = 0;
  #terminating = false;
  #graceNs = Infinity;
  #reason: string | null = null;
  #objectGone = false;
  #finished = false;
  readonly #onFinished: (() => void)[] = [];
  /** All that is left is the object: the kubelet may delete it. */
  #terminated = false;
  #terminalWritten = false;
  #streamOrNull: RandomStream | null = null;

  constructor(pod: Pod, context: KubeletContext) {
    this.#pod = pod;
    this.uid = pod.metadata.uid;
    this.key = objectKey(pod);
    this.#context = context;
    this.#status = pod.status;
  }

  /**
   * A new pod: everything takes its time.
   * @param refusal why the node does not take it: it fails at once
   */
  begin(earlier: EarlierRuns = new Map(), refusal: string | null = null): void {
    this.#makeContainers(false, earlier);
    if (refusal !== null) this.terminate(this.#pod, refusal, 0);
    else if (this.#pod.metadata.deletionTimestampNs !== null) this.terminate(this.#pod);
    else this.#sync();
  }

  /**
   * A pod that has been running for days when the simulation begins.
   * @throws Error when the node has no address for it
   */
  startAtRest(): Pod {
    const { network, node, nodeName, sim, ledger, pleg } = this.#context;
    const [address = null] = this.#pod.status.podIPs;
    this.#sandbox = network.add(node, this.#pod.metadata.name, address, portMappings(this.#pod));
    if (this.#sandbox === null) throw new Error(`${nodeName} has no address for pod ${this.key}`);
    this.#volumesReady = true;
    this.#makeContainers(true, new Map());
    this.#truth = "at rest";
    for (const each of this.#all) {
      this.#context.images.assumePresent(each.spec.image);
      if (each.isInit && !each.isSidecar) each.endedAtRest();
      else each.startAtRest();
    }
    pleg().forget(this);
    this.#truth = this.#truthNow();
    this.#status = {
      phase: "Running",
      podIPs: this.#podIPs(),
      ready: { status: true, lastTransitionTimeNs: sim.nowNs },
      restartCount: 0,
      observedCauseNs: sim.nowNs,
    };
    this.#pod = { ...this.#pod, status: this.#status };
    ledger.atRest(this.#pod);
    return this.#pod;
  }

  /** A newer version of the object has arrived. */
  updated(pod: Pod): void {
    this.#pod = { ...pod, status: this.#status };
    if (pod.metadata.deletionTimestampNs !== null) this.terminate(pod);
  }

  /** The object has gone from the API. */
  deleted(): void {
    this.#objectGone = true;
    this.terminate(this.#pod);
  }

  look(): boolean {
    let isNews = false;
    for (const container of this.#all) isNews = container.look() || isNews;
    return isNews && !this.#finished;
  }

  news(): void {
    if (this.#finished) return;
    this.#observe();
    if (this.#terminating) this.#statusChanged();
    else this.#sync(true);
  }

  /** The status to write now; null after the pod's last word. */
  status(): PodStatus | null {
    return this.#objectGone ? null : this.#status;
  }

  /** A status write has come through. The last one is followed by the object's removal (canBeDeleted). */
  statusWritten(stored: Pod | null): void {
    if (stored !== null && isTerminal(stored.status.phase)) this.#terminalWritten = this.#finished;
    this.#deleteObject();
  }

  /** Calls `then` once that is so. */
  whenFinished(then: () => void): void {
    if (this.#finished) then();
    else this.#onFinished.push(then);
  }

  /** Its containers are down and its sandbox is gone; only the object may be left. */
  get isFinished(): boolean {
    return this.#finished;
  }

  /** It is running, and not on its way out. */
  get mayBeEvicted(): boolean {
    return !this.#terminating;
  }

  get pod(): Pod {
    return this.#pod;
  }

  get mainContainer(): Container | null {
    return this.#containers.main[0] ?? null;
  }

  get containers(): readonly Container[] {
    return this.#all;
  }

  /** The pod is to go: preStop inside the grace period, SIGTERM, SIGKILL. A grace can only shrink. */
  terminate(pod: Pod, reason: string | null = null, evictionGraceNs: number | null = null): void {
    if (this.#finished) {
      this.#deleteObject();
      return;
    }
    const { profile, clock, pleg } = this.#context;
    const wantedNs = this.#objectGone
      ? profile.forcedGraceNs
      : (evictionGraceNs ?? pod.metadata.deletionGracePeriodNs ?? 0);
    const graceNs = Math.max(profile.forcedGraceNs, wantedNs);
    if (this.#terminating && graceNs >= this.#graceNs) return;
    this.#reason ??= reason;
    this.#graceNs = graceNs;
    this.#terminating = true;
    const turn = ++this.#turn;
    clock.cancel(this.#wake);
    for (const container of this.#all) container.beginStop();
    pleg().newerThan(this.#lastSyncNs, () => {
      if (turn === this.#turn) this.#killAll(graceNs, turn);
    });
  }

  /** The node lost its power. @returns how often each container has run */
  vanish(): EarlierRuns {
    if (this.#sandbox !== null) this.#context.network.del(this.#sandbox);
    for (const container of this.#all) container.vanish();
    this.#finished = true;
    this.#observeEnd();
    return new Map(this.#all.map(({ spec, run }) => [spec.name, run]));
  }

  get #all(): readonly Container[] {
    const { init, main } = this.#containers;
    return init.length === 0 ? main : [...init, ...main];
  }

  get #stream(): RandomStream {
    const { sim, nodeName } = this.#context;
    this.#streamOrNull ??= sim.streams.get(`kubelet/${nodeName}/${this.key}`);
    return this.#streamOrNull;
  }

  #sample(distribution: Distribution): number {
    return sampleNs(distribution, this.#stream);
  }

  /** Somebody has news. @param fresh the cache is new: the PLEG itself has called */
  #sync(fresh = false): void {
    if (this.#terminating) return;
    if (this.#working) {
      this.#news = true;
      return;
    }
    this.#working = true;
    this.#news = false;
    const { clock, pleg } = this.#context;
    clock.cancel(this.#wake);
    const turn = this.#turn;
    if (fresh) this.#syncPod(turn);
    else pleg().newerThan(this.#lastSyncNs, () => turn === this.#turn && this.#syncPod(turn));
  }

  #syncPod(turn: number): void {
    this.#statusChanged();
    if (isTerminal(podPhase(this.#pod.spec, this.#containers))) {
      this.#endByItself();
      return;
    }
    this.#ensureSandbox(turn, () =>
      syncContainers(
        this.#pod.spec,
        this.#containers,
        () => turn === this.#turn,
        (container) => this.#event("container_killed", `${container.spec.name}: probe failed`),
        (result) => this.#synced(result),
      ),
    );
  }

  /** completeWork: when the pod is looked at again. */
  #synced({ failed, backoffNs }: SyncResult): void {
    const { profile } = this.#context;
    this.#statusChanged();
    const { podResyncNs, syncErrorBackoffNs, crashBackoffPollNs } = profile;
    if (failed) this.#again(syncErrorBackoffNs);
    else if (backoffNs === null) this.#again(null);
    else
      this.#again(crashBackoffPollNs > 0 ? crashBackoffPollNs : Math.min(podResyncNs, backoffNs));
  }

  /** The sync is over. @param waitNs until the next one, which comes late by a factor of [1, 1.5) */
  #again(waitNs: number | null): void {
    const { sim, clock, syncTickNs, nodeName } = this.#context;
    this.#working = false;
    this.#lastSyncNs = sim.nowNs;
    if (this.#news) {
      this.#sync();
      return;
    }
    if (waitNs === null) return;
    const jitter = sim.streams.get(`kubelet/${nodeName}/${this.key}/retry`).uniform();
    const dueNs = sim.nowNs + Math.round(waitNs * (1 + jitter / 2));
    this.#wake = clock.after(syncTickNs(dueNs) - sim.nowNs, Phase.start, () => this.#sync());
  }

  #ensureSandbox(turn: number, then: () => void): void {
    if (this.#sandbox !== null) {
      then();
      return;
    }
    const { clock, distributions, isNetworkReady, profile } = this.#context;
    if (!isNetworkReady()) {
      this.#again(profile.networkNotReadyBackoffNs);
      return;
    }
    const volumesNs = this.#volumesReady ? 0 : this.#sample(distributions.volumes);
    const waitNs = volumesNs + this.#sample(distributions.sandbox);
    clock.after(waitNs, Phase.topology, () => {
      if (turn !== this.#turn) return;
      this.#volumesReady = true;
      if (this.#addSandbox()) then();
      else this.#again(profile.syncErrorBackoffNs);
    });
  }

  #addSandbox(): boolean {
    const { network, node, nodeName } = this.#context;
    this.#sandbox = network.add(node, this.#pod.metadata.name, null, portMappings(this.#pod));
    if (this.#sandbox === null) this.#event("no_address", nodeName);
    else this.#event("sandbox_created", this.#podIPs().join(" "));
    return this.#sandbox !== null;
  }

  #makeContainers(atRest: boolean, earlier: EarlierRuns): void {
    const { sim, nodeName, isYoung } = this.#context;
    const { initContainers = [], containers } = this.#pod.spec;
    const make = (spec: Container["spec"], isInit: boolean): Container => {
      const { readinessProbe, livenessProbe, startupProbe = null } = spec;
      const periodNs = (readinessProbe ?? livenessProbe ?? startupProbe)?.periodNs ?? 0;
      // A kubelet that has just started spreads its probes (worker.go run).
      const spreads = periodNs > 0 && (atRest || isYoung(periodNs));
      const phaseNs = spreads
        ? Math.floor(sim.streams.get(`kubelet/${nodeName}/probes`).uniform() * periodNs)
        : 0;
      return new Container(
        spec,
        isInit,
        this.#containerContext(),
        phaseNs,
        earlier.get(spec.name) ?? 0,
      );
    };
    this.#containers = {
      init: initContainers.map((spec) => make(spec, true)),
      main: containers.map((spec) => make(spec, false)),
    };
    this.#context.pleg().count(this.#all.length);
  }

  #sharedContext: Container["context"] | null = null;
  #containerContext(): Container["context"] {
    const { sim, clock, profile, runtime, prober, images, node, distributions } = this.#context;
    this.#sharedContext ??= {
      sim,
      clock,
      profile,
      runtime,
      prober,
      images,
      node,
      startTime: distributions.containerStart,
      stream: () => this.#stream,
      pod: () => this.#pod,
      sandbox: () => this.#sandbox,
      event: (kind, detail) => this.#event(kind, detail),
      changed: (container) => this.#containerChanged(container),
      probed: () => {
        this.#observe();
        // SetContainerReadiness: the status does not wait for the worker.
        this.#statusChanged();
        this.#sync();
      },
      failedProbe: () => this.#sync(),
    };
    return this.#sharedContext;
  }

  #containerChanged(container: Container): void {
    if (!container.running) {
      if (container.lastExit!.oomKilled) this.#event("oom_killed", container.spec.name);
      this.#event("container_exited", container.spec.name);
      this.#observe();
    }
    this.#context.pleg().changed(this);
  }

  #truthNow(): string {
    const isReady =
      allReady(this.#containers) && this.#containers.main.every(({ running }) => running);
    return `${isReady} ${this.#podIPs().join()}`;
  }

  /** Something may have happened in the pod now, whoever learns of it later. */
  #observe(): void {
    const truth = this.#truthNow();
    if (truth === this.#truth) return;
    this.#truth = truth;
    const { sim, ledger } = this.#context;
    this.#observedCauseNs = sim.nowNs;
    const podIPs = this.#podIPs();
    if (podIPs.length === 0) return;
    const pod = { ...this.#pod, status: { ...this.#status, podIPs } };
    ledger.readiness(pod, truth.startsWith("true"), sim.nowNs);
  }

  /** Nothing of it answers any more. */
  #observeEnd(): void {
    const { sim, ledger } = this.#context;
    ledger.readiness({ ...this.#pod, status: this.#status }, false, sim.nowNs);
  }

  #podIPs(): string[] {
    return this.#sandbox === null
      ? []
      : this.#sandbox.addresses.map((id) => this.#context.addressText(id));
  }

  #statusChanged(): void {
    if (!this.#terminating) for (const each of this.#all) each.probes.pokeUnready();
    const ready = allReady(this.#containers);
    const phase = podPhase(this.#pod.spec, this.#containers);
    // A terminal phase is not told before the sandbox is gone (mergePodStatus).
    const isKept = this.#terminating || isTerminal(phase);
    this.#setStatus(isKept ? this.#status.phase : phase, ready);
  }

  #setStatus(phase: PodStatus["phase"], ready: boolean): void {
    const { sim, statusManager } = this.#context;
    const was = this.#status.ready;
    const isEqual = ready === was.status;
    const status: PodStatus = {
      phase,
      podIPs: this.#podIPs(),
      ready: isEqual ? was : { status: ready, lastTransitionTimeNs: sim.nowNs },
      restartCount: this.#all.reduce((sum, { restarts }) => sum + restarts, 0),
      containerStatuses: containerStatuses(this.#containers),
      observedCauseNs: isEqual ? this.#status.observedCauseNs : this.#observedCauseNs,
      observedSeenNs: isEqual ? this.#status.observedSeenNs : sim.nowNs,
      ...(this.#reason !== null && { reason: this.#reason }),
    };
    if (sameStatus(this.#status, status)) return;
    this.#status = status;
    this.#pod = { ...this.#pod, status };
    statusManager().update(this.key);
  }

  /** Its containers have ended and none is to start again. */
  #endByItself(): void {
    this.#terminating = true;
    this.#turn++;
    for (const container of this.#all) container.beginStop();
    this.#stopped();
  }

  #killAll(graceNs: number, turn: number): void {
    const { init, main } = this.#containers;
    const order = init.length === 0 ? null : new TerminationOrder(init, main);
    let left = this.#all.length;
    const gone = (): void => {
      if (--left === 0 && turn === this.#turn) this.#stopped();
    };
    for (const container of this.#all) {
      killContainer(container, graceNs, order, () => turn === this.#turn, gone);
    }
  }

  /** All containers are down: the sandbox goes, then the last status, then the object. */
  #stopped(): void {
    const { clock, distributions, network, forget, pleg, sim } = this.#context;
    this.#turn++;
    for (const container of this.#all) container.probes.stop();
    const teardownNs = this.#sandbox === null ? 0 : this.#sample(distributions.teardown);
    clock.after(teardownNs, Phase.topology, () => {
      if (this.#sandbox !== null) {
        network.del(this.#sandbox);
        this.#event("sandbox_removed", this.#podIPs().join(" "));
      }
      this.#finished = true;
      for (const then of this.#onFinished) then();
      pleg().forget(this);
      pleg().count(-this.#all.length);
      if (this.#objectGone) {
        forget(this);
        return;
      }
      for (const container of this.#all) container.look();
      // Whoever was ended by the node has failed, whatever its containers have exited with.
      const phase = this.#reason === null ? finalPhase(this.#containers) : "Failed";
      this.#setStatus(phase, false);
      // syncTerminatedPod is the worker's next job, and waits for a newer cache like any other.
      pleg().newerThan(sim.nowNs, () => {
        this.#terminated = true;
        this.#deleteObject();
      });
    });
  }

  #deleteObject(): void {
    if (!this.#terminated || !this.#terminalWritten || this.#objectGone) return;
    if (this.#pod.metadata.deletionTimestampNs === null) return;
    this.#terminalWritten = false;
    this.#context.client.delete("Pod", this.key, { gracePeriodNs: 0, uid: this.uid });
  }

  #event(kind: string, detail: string): void {
    const { sim, observations } = this.#context;
    observations.event(sim.nowNs, kind, `pod/${this.key}`, detail);
  }
}

function isTerminal(phase: PodStatus["phase"]): boolean {
  return phase === "Succeeded" || phase === "Failed";
}
