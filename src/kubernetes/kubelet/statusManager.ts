/**
 * The status manager: one writer for all pods of a node, one pod at a time.
 *
 * Owns: that the latest status of each pod that changed is written, in order, one write after the
 * other, and that one which failed is written again with the next full pass. Source:
 * pkg/kubelet/status/status_manager.go; timings §1.2.
 */
import { Phase } from "../../engine/index.ts";
import type { ApiClient } from "../api/contract.ts";
import type { Pod, PodStatus } from "../api/types.ts";
import type { NodeClock } from "./nodeClock.ts";
import type { KubeletProfile } from "./profile.ts";

interface StatusManagerParts {
  readonly client: ApiClient;
  readonly clock: NodeClock;
  readonly profile: KubeletProfile;
}

export class StatusManager {
  readonly #parts: StatusManagerParts;
  readonly #statusOf: (key: string) => { readonly uid: string; readonly status: PodStatus } | null;
  readonly #written: (key: string, pod: Pod | null) => void;
  readonly #dirty = new Set<string>();
  readonly #failed = new Set<string>();
  #writing = false;

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

  /** The pod's status has changed. */
  update(key: string): void {
    this.#dirty.add(key);
    this.#next();
  }

  #next(): void {
    if (this.#writing) return;
    const [key] = this.#dirty;
    if (key === undefined) return;
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
      (stored) => (stored.metadata.uid === now.uid ? { ...stored, status: now.status } : null),
      clock.hears((pod, error) => {
        this.#writing = false;
        // An object that has gone has no status any more.
        if (error === null || error === "NotFound") this.#written(key, pod);
        else this.#retryLater(key);
        this.#next();
      }),
    );
  }

  #retryLater(key: string): void {
    const { clock, profile } = this.#parts;
    this.#failed.add(key);
    if (this.#failed.size > 1) return;
    clock.after(profile.statusReconcileNs, Phase.start, () => {
      const again = [...this.#failed];
      this.#failed.clear();
      for (const each of again) this.update(each);
    });
  }
}
