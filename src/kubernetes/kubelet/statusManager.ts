/**
 * The status manager: one writer for all pods of a node, one pod at a time.
 *
 * Owns: that the latest status of each pod that changed is written, in order, one write after the
 * other, and that one which failed is written again: with the next pod that has news, or with the full
 * pass that a ticker asks for. Source: pkg/kubelet/status/status_manager.go; timings §1.2.
 */
import { Phase, type DurationNs, type SimTimeNs, type Simulation } from "../../engine/index.ts";
import type { ApiClient } from "../api/contract.ts";
import type { Pod, PodStatus } from "../api/types.ts";
import type { NodeClock } from "./nodeClock.ts";
import type { KubeletProfile } from "./profile.ts";

interface StatusManagerParts {
  readonly client: ApiClient;
  readonly clock: NodeClock;
  readonly profile: KubeletProfile;
  readonly sim: Simulation;
  /** When the ticker of full passes ticks, within its period. */
  readonly phaseNs: DurationNs;
}

export class StatusManager {
  readonly #parts: StatusManagerParts;
  readonly #statusOf: (key: string) => { readonly uid: string; readonly status: PodStatus } | null;
  readonly #written: (key: string, pod: Pod | null) => void;
  readonly #dirty = new Set<string>();
  readonly #failed = new Set<string>();
  #writing = false;
  /** The ticker has been heard up to then: while it writes, the writer does not listen. */
  #heardNs: SimTimeNs = 0;
  #awaitsTick = false;

  /**
   * @param statusOf the pod's status as it is now; null when there is nothing more to say
   * @param written told after each write
   */
  constructor(
    parts: StatusManagerParts,
    statusOf: (key: string) => { readonly uid: string; readonly status: PodStatus } | null,
    written: (key: string, pod: Pod | null) => void,
  ) {
    this.#parts = parts;
    this.#statusOf = statusOf;
    this.#written = written;
  }

  /** The pod's status has changed: those that could not be written go with it. */
  update(key: string): void {
    this.#dirty.add(key);
    this.#addFailed();
    if (this.#writing) return;
    this.#heardNs = this.#parts.sim.nowNs;
    this.#next();
  }

  #addFailed(): void {
    for (const each of this.#failed) this.#dirty.add(each);
    this.#failed.clear();
  }

  #next(): void {
    if (this.#writing) return;
    const [key] = this.#dirty;
    if (key === undefined) {
      this.#rest();
      return;
    }
    this.#dirty.delete(key);
    const now = this.#statusOf(key);
    if (now === null) {
      this.#next();
      return;
    }
    this.#writing = true;
    const { client, clock } = this.#parts;
    client.patch(
      "Pod",
      key,
      (stored) =>
        stored.metadata.uid === now.uid
          ? { ...stored, status: { ...othersPart(stored.status), ...now.status } }
          : null,
      clock.hears((pod, error) => {
        this.#writing = false;
        // An object that has gone has no status any more.
        if (error === null || error === "NotFound") this.#written(key, pod);
        else this.#failed.add(key);
        this.#next();
      }),
    );
  }

  /** Nothing to write but what has failed. */
  #rest(): void {
    const { clock, profile, sim, phaseNs } = this.#parts;
    if (this.#failed.size === 0 || this.#awaitsTick) return;
    const passed = Math.floor((this.#heardNs - phaseNs) / profile.statusReconcileNs);
    const tickNs = phaseNs + (passed + 1) * profile.statusReconcileNs;
    this.#awaitsTick = true;
    // The ticker keeps one tick that fell while the writer was busy.
    clock.after(Math.max(0, tickNs - sim.nowNs), Phase.start, () => {
      this.#awaitsTick = false;
      if (this.#writing) return;
      this.#heardNs = sim.nowNs;
      this.#addFailed();
      this.#next();
    });
  }
}

/** What others say in a pod's status, and a kubelet leaves as it is (mergePodStatus). */
function othersPart({ nominatedNodeName, disruptionTarget }: PodStatus): Partial<PodStatus> {
  if (nominatedNodeName === undefined && disruptionTarget === undefined) return {};
  return {
    ...(nominatedNodeName !== undefined && { nominatedNodeName }),
    ...(disruptionTarget !== undefined && { disruptionTarget }),
  };
}
