/**
 * A pod's life on its node, from the first watch event to the last write.
 *
 * Owns: the order of the steps: volumes, sandbox, containers, readiness; and on the way out preStop,
 * SIGTERM, SIGKILL, sandbox, object. Source: timings §1.3, §1.5. Not modelled yet: init containers,
 * image pulls, preStop handlers other than sleep, postStart.
 */
import {
  Phase,
  sampleNs,
  seconds,
  type Distribution,
  type RandomStream,
} from "../../engine/index.ts";
import { objectKey, type Pod, type PodStatus } from "../api/types.ts";
import { Container } from "./container.ts";
import type { Sandbox, Signal } from "./contract.ts";
import type { KubeletContext } from "./kubelet.ts";

const NS_PER_SECOND = seconds(1);

export class PodWorker {
  readonly uid: string;
  readonly key: string;
  #pod: Pod;
  readonly #context: KubeletContext;
  readonly #stream: RandomStream;
  #sandbox: Sandbox | null = null;
  #containers: Container[] = [];
  #status: PodStatus;
  /** Containers whose exit the PLEG has yet to see, and whether one that started is yet to be seen. */
  readonly #exitedUnseen = new Set<Container>();
  #observedCauseNs = 0;
  #terminating = false;
  #objectGone = false;
  #finished = false;

  constructor(pod: Pod, context: KubeletContext) {
    this.#pod = pod;
    this.uid = pod.metadata.uid;
    this.key = objectKey(pod);
    this.#context = context;
    this.#status = pod.status;
    this.#stream = context.sim.streams.get(`kubelet/${context.nodeName}/${this.key}`);
  }

  /** A new pod: everything takes its time. */
  begin(): void {
    const { sim, distributions } = this.#context;
    if (this.#pod.metadata.deletionTimestampNs !== null) {
      this.terminate(this.#pod);
      return;
    }
    const waitNs = this.#sample(distributions.volumes) + this.#sample(distributions.sandbox);
    sim.callAfter(waitNs, Phase.topology, () => this.#addSandbox());
  }

  /**
   * A pod that has been running for days when the simulation begins.
   * @throws Error when the node has no address for it
   */
  startAtRest(): Pod {
    const { network, node, nodeName, sim, ledger } = this.#context;
    this.#sandbox = network.add(node, this.#pod.metadata.name);
    if (this.#sandbox === null) throw new Error(`${nodeName} has no address for pod ${this.key}`);
    this.#makeContainers(true);
    for (const container of this.#containers) container.startAtRest();
    this.#status = {
      phase: "Running",
      podIPs: this.#sandbox.addresses.map((id) => this.#context.addressText(id)),
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
    if (this.#finished) return;
    this.terminate(this.#pod);
  }

  /** What the PLEG sees at a relist. */
  relist(): void {
    if (this.#finished) return;
    let changed = false;
    for (const container of this.#containers) {
      if (this.#exitedUnseen.delete(container)) {
        changed = true;
        if (!this.#terminating && this.#pod.spec.restartPolicy !== "Never") container.restart();
      }
      if (container.running && container.noticeRunning()) {
        this.#observe();
        changed = true;
      } else if (container.running && this.#status.phase === "Pending") {
        // It has an address from now on, which some Services publish before it is ready.
        this.#observe();
        changed = true;
      }
    }
    if (changed) this.#statusChanged();
  }

  /** The status to write now; null after the pod's last word. */
  status(): PodStatus | null {
    return this.#objectGone ? null : this.#status;
  }

  /** A status write has come through. The last one is followed by the object's removal (canBeDeleted). */
  statusWritten(stored: Pod | null): void {
    if (this.#objectGone || stored?.status.phase !== "Succeeded") return;
    this.#context.client.delete("Pod", this.key, { gracePeriodNs: 0, uid: this.uid });
  }

  /** Its containers are down; only the object may be left. */
  get isFinished(): boolean {
    return this.#finished;
  }

  get mainContainer(): Container | null {
    return this.#containers[0] ?? null;
  }

  /** preStop inside the grace period, then SIGTERM, then SIGKILL. Only the first call counts. */
  terminate(pod: Pod): void {
    if (this.#terminating) return;
    this.#terminating = true;
    const { sim, profile } = this.#context;
    const graceNs = this.#objectGone
      ? profile.forcedGraceNs
      : Math.max(profile.forcedGraceNs, pod.metadata.deletionGracePeriodNs ?? 0);
    for (const container of this.#containers) container.beginStop();
    this.#endIfStopped();
    for (const container of this.#containers) {
      if (!container.running) continue;
      const preStopNs = Math.min(container.spec.preStopSleepNs ?? 0, graceNs);
      // executePreStopHook counts whole seconds.
      const usedNs = preStopNs - (preStopNs % NS_PER_SECOND);
      const killNs = preStopNs + Math.max(profile.minimumGraceNs, graceNs - usedNs);
      if (preStopNs > 0) this.#event("pre_stop", container.spec.name);
      sim.callAfter(preStopNs, Phase.start, () => this.#signal(container, "SIGTERM"));
      sim.callAfter(killNs, Phase.timeout, () => this.#signal(container, "SIGKILL"));
    }
  }

  #signal(container: Container, signal: Signal): void {
    if (container.running) this.#event(signal.toLowerCase(), container.spec.name);
    container.signal(signal);
  }

  #event(kind: string, detail: string): void {
    const { sim, observations } = this.#context;
    observations.event(sim.nowNs, kind, `pod/${this.key}`, detail);
  }

  #sample(distribution: Distribution): number {
    return sampleNs(distribution, this.#stream);
  }

  #addSandbox(): void {
    if (this.#terminating) return;
    const { sim, network, node, profile, nodeName } = this.#context;
    this.#sandbox = network.add(node, this.#pod.metadata.name);
    if (this.#sandbox === null) {
      this.#event("no_address", nodeName);
      // Jitter of the back-off: times 1 to 1.5 (timings §1.2).
      const jitter = sim.streams.get(`kubelet/${nodeName}/${this.key}/retry`).uniform();
      const retryNs = Math.round(profile.addressRetryNs * (1 + jitter / 2));
      sim.callAfter(retryNs, Phase.start, () => this.#addSandbox());
      return;
    }
    this.#event("sandbox_created", this.#podIPs().join(" "));
    this.#makeContainers(false);
    this.#startNext(0);
  }

  #makeContainers(atRest: boolean): void {
    this.#containers = this.#pod.spec.containers.map((spec) => {
      const periodNs = spec.readinessProbe?.periodNs ?? spec.livenessProbe?.periodNs ?? 0;
      const phaseNs = atRest ? Math.floor(this.#stream.uniform() * periodNs) : 0;
      const container: Container = new Container(
        spec,
        {
          ...this.#context,
          startTime: this.#context.distributions.containerStart,
          stream: this.#stream,
          pod: () => ({
            ...this.#pod,
            status: { ...this.#status, restartCount: container.restarts },
          }),
          sandbox: () => this.#sandbox!,
          readinessChanged: () => {
            this.#observe();
            this.#statusChanged();
          },
          started: () => this.#event("container_started", container.spec.name),
          exited: () => this.#containerExited(container),
        },
        phaseNs,
      );
      return container;
    });
  }

  /** Containers start one after the other. */
  #startNext(index: number): void {
    const container = this.#containers[index];
    if (container === undefined || this.#terminating) return;
    container.start(() => this.#startNext(index + 1));
  }

  #containerExited(container: Container): void {
    this.#event("container_exited", container.spec.name);
    this.#observe();
    if (this.#terminating) this.#endIfStopped();
    else this.#exitedUnseen.add(container);
  }

  /** Something happened in the pod now, whoever learns of it later. */
  #observe(): void {
    const { sim, ledger } = this.#context;
    const ready = this.#allReady();
    this.#observedCauseNs = sim.nowNs;
    const podIPs = this.#podIPs();
    if (podIPs.length > 0) {
      ledger.readiness({ ...this.#pod, status: { ...this.#status, podIPs } }, ready, sim.nowNs);
    }
  }

  #allReady(): boolean {
    return this.#containers.length > 0 && this.#containers.every((container) => container.ready);
  }

  #podIPs(): string[] {
    return this.#sandbox === null
      ? []
      : this.#sandbox.addresses.map((id) => this.#context.addressText(id));
  }

  #statusChanged(): void {
    const { sim, statusManager } = this.#context;
    const ready = this.#allReady();
    const restarts = this.#containers.reduce((sum, { restarts }) => sum + restarts, 0);
    const was = this.#status.ready;
    this.#status = {
      phase: this.#containers.some(({ running }) => running) ? "Running" : this.#status.phase,
      podIPs: this.#podIPs(),
      ready: ready === was.status ? was : { status: ready, lastTransitionTimeNs: sim.nowNs },
      restartCount: restarts,
      observedCauseNs: ready === was.status ? this.#status.observedCauseNs : this.#observedCauseNs,
      observedSeenNs: ready === was.status ? this.#status.observedSeenNs : sim.nowNs,
    };
    statusManager().update(this.key);
  }

  /** All containers are down: the sandbox goes, then the last status, then the object. */
  #endIfStopped(): void {
    if (this.#finished || this.#containers.some((container) => container.running)) return;
    this.#finished = true;
    const { sim, distributions, network, forget, statusManager } = this.#context;
    for (const container of this.#containers) container.stopProbes();
    const teardownNs = this.#sandbox === null ? 0 : this.#sample(distributions.teardown);
    sim.callAfter(teardownNs, Phase.topology, () => {
      if (this.#sandbox !== null) {
        network.del(this.#sandbox);
        this.#event("sandbox_removed", this.#podIPs().join(" "));
      }
      if (this.#objectGone) {
        forget(this);
        return;
      }
      this.#status = {
        ...this.#status,
        phase: "Succeeded",
        ready: { status: false, lastTransitionTimeNs: sim.nowNs },
      };
      statusManager().update(this.key);
    });
  }
}
