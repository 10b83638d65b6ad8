/**
 * The status manager: one writer for all pods of a node, one pod at a time.
 *
 * Owns: that the latest status of each pod that changed is written, in order, one write after the
 * other. Source: pkg/kubelet/status/status_manager.go; timings §1.2.
 */
import type { ApiClient } from "../api/contract.ts";
import type { Pod, PodStatus } from "../api/types.ts";

export class StatusManager {
  readonly #client: ApiClient;
  readonly #statusOf: (key: string) => { readonly uid: string; readonly status: PodStatus } | null;
  readonly #written: (key: string, pod: Pod | null) => void;
  readonly #dirty = new Set<string>();
  #writing = false;

  /**
   * @param statusOf the pod's status as it is now; null when there is nothing more to say
   * @param written told after each write
   */
  constructor(
    client: ApiClient,
    statusOf: (key: string) => { readonly uid: string; readonly status: PodStatus } | null,
    written: (key: string, pod: Pod | null) => void,
  ) {
    this.#client = client;
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
    this.#client.patch(
      "Pod",
      key,
      (stored) => (stored.metadata.uid === now.uid ? { ...stored, status: now.status } : null),
      (pod) => {
        this.#writing = false;
        this.#written(key, pod);
        this.#next();
      },
    );
  }
}
