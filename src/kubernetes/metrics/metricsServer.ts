/**
 * From the CPU time that processes have used to the CPU use that the metrics API tells.
 *
 * Owns: the samples that each node's cAdvisor takes by its own clock, the scrapes of metrics-server, and the
 * rate between the last two samples that it has seen. So what the API tells is 15 to 40 s behind. Refuses to
 * own: what uses CPU (workload/), and who asks (controllers/autoscaler.ts). Timings §11.
 *
 * Not modelled: containers other than a pod's first, the time that a scrape takes, metrics-server as a pod that
 * can be away, its shortcut for containers between 10 and 15 s old.
 */
import { Phase, type SimTimeNs, type Simulation } from "../../engine/index.ts";
import type { ApiServer } from "../api/contract.ts";
import type { Node, Pod } from "../api/types.ts";
import type { PodMetric } from "../controllers/replicaCalculator.ts";
import type { ContainerProcess } from "../kubelet/contract.ts";
import type { MetricsProfile } from "./profile.ts";

export interface MetricsServerOptions {
  readonly sim: Simulation;
  readonly api: ApiServer;
  readonly profile: MetricsProfile;
  readonly nodes: readonly Node[];
  /** The process of a running pod's main container; null if none runs. */
  readonly processOf: (pod: Pod) => ContainerProcess | null;
}

interface Sample {
  readonly process: ContainerProcess;
  readonly atNs: SimTimeNs;
  readonly usedNs: number;
}

export class MetricsServer {
  readonly #options: MetricsServerOptions;
  readonly #podsOn = new Map<string, Map<string, Pod>>();
  /** What each node's cAdvisor knows now, by pod uid. */
  readonly #sampled = new Map<string, Sample>();
  /** The last two samples that were scraped. */
  readonly #scraped = new Map<string, { readonly last: Sample; readonly before: Sample | null }>();
  readonly #metrics = new Map<string, PodMetric>();

  constructor(options: MetricsServerOptions) {
    this.#options = options;
    const { api, sim, profile, nodes } = options;
    const pods = api.watch("Pod", {
      watcher: "metrics-server",
      handlers: {
        added: (pod) => this.#seen(pod),
        updated: (_previous, pod) => this.#seen(pod),
        deleted: (pod) => this.#gone(pod),
      },
    });
    for (const pod of pods.values()) this.#seen(pod);
    for (const { metadata } of nodes) {
      const phase = sim.streams.get(`metrics/cadvisor/${metadata.name}`).uniform();
      this.#every(profile.housekeepingNs, phase, () => this.#sample(metadata.name));
    }
    const phase = sim.streams.get("metrics/metrics-server").uniform();
    this.#every(profile.resolutionNs, phase, () => this.#scrape());
  }

  /** What the metrics API answers, by pod uid. */
  readonly podMetrics = (): ReadonlyMap<string, PodMetric> => this.#metrics;

  #every(periodNs: number, phase: number, act: () => void): void {
    const { sim } = this.#options;
    const tick = (): void => {
      act();
      sim.callAfter(periodNs, Phase.sample, tick);
    };
    sim.callAfter(Math.ceil(phase * periodNs), Phase.sample, tick);
  }

  #seen(pod: Pod): void {
    const { nodeName } = pod.spec;
    if (nodeName === null) return;
    let pods = this.#podsOn.get(nodeName);
    if (pods === undefined) this.#podsOn.set(nodeName, (pods = new Map()));
    pods.set(pod.metadata.uid, pod);
  }

  #gone({ spec, metadata }: Pod): void {
    this.#podsOn.get(spec.nodeName ?? "")?.delete(metadata.uid);
    this.#sampled.delete(metadata.uid);
    this.#scraped.delete(metadata.uid);
    this.#metrics.delete(metadata.uid);
  }

  /** cAdvisor looks at the containers of its node. */
  #sample(node: string): void {
    const { sim, processOf } = this.#options;
    for (const [uid, pod] of this.#podsOn.get(node) ?? []) {
      const process = processOf(pod);
      if (process === null) this.#sampled.delete(uid);
      else {
        const usedNs = process.cpuUsedNs?.(sim.nowNs) ?? 0;
        this.#sampled.set(uid, { process, atNs: sim.nowNs, usedNs });
      }
    }
  }

  /** metrics-server asks every kubelet; two samples of one process make a rate. */
  #scrape(): void {
    for (const [uid, sample] of this.#sampled) {
      const known = this.#scraped.get(uid);
      if (known?.last === sample) continue;
      const before = known?.last.process === sample.process ? known.last : null;
      this.#scraped.set(uid, { last: sample, before });
      if (before === null) {
        this.#metrics.delete(uid);
        continue;
      }
      const windowNs = sample.atNs - before.atNs;
      const cpuMillis = (1000 * (sample.usedNs - before.usedNs)) / windowNs;
      this.#metrics.set(uid, { cpuMillis, atNs: sample.atNs, windowNs });
    }
  }
}
