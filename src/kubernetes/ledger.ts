/**
 * The book of endpoint changes: what changed, when it really happened, when each node's rules held it.
 *
 * Owns: numbering the changes and forwarding them to the observations. Refuses to own: any decision.
 * Components carry a change's number along (Endpoint.changeId) and report with it; none reads it back.
 */
import type { SimTimeNs } from "../engine/index.ts";
import type { Observations } from "../observe/observations.ts";

export type EndpointChangeKind = "added" | "removed" | "condition";

export class ChangeLedger {
  readonly #observations: Observations;
  #next = 0;

  constructor(observations: Observations) {
    this.#observations = observations;
  }

  /**
   * Opens a change of one endpoint ("ip:port") of one Service port's Service.
   * @param changedAtNs when the cause happened in the pod, not when a component noticed
   */
  opened(
    service: string,
    endpoint: string,
    change: EndpointChangeKind,
    changedAtNs: SimTimeNs,
  ): number {
    const id = this.#next++;
    this.#observations.endpointChanged(id, service, endpoint, change, changedAtNs);
    return id;
  }

  /** `node`'s rules hold the change from `atNs` on. */
  programmed(id: number, node: string, atNs: SimTimeNs): void {
    this.#observations.endpointProgrammed(id, node, atNs);
  }
}
