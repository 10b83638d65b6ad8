/**
 * Law 11, lag stages: an endpoint change goes through its stages one after the other, none before the one in front.
 *
 * Owns: its own note of when each change happened and was written. The stages that the results show are the times
 * between these instants: where the instants are in order, stages are not negative, and add up to the whole.
 */
import type { SimTimeNs } from "../../../engine/index.ts";
import type { Observer } from "../../../observe/observations.ts";
import type { BrokenLaw } from "../../../observe/report.ts";

/** More of them tell nothing new. */
const REPORTED_MAX = 5;

const POD_STAGES = ["happened", "seen by the kubelet", "status stored", "slice stored"];
const NODE_STAGES = ["slice stored", "delivered", "tracked", "sync started", "in force"];

const DNS_STAGES = ["slice stored", "known", "answered"];

interface Change {
  readonly entity: string;
  readonly atNs: SimTimeNs;
  writtenAtNs: SimTimeNs | null;
}

export class LagStagesWatch implements Observer {
  readonly #changes: Change[] = [];
  readonly #broken: BrokenLaw[] = [];

  endpointChanged(
    id: number,
    service: string,
    endpoint: string,
    _kind: string,
    atNs: number,
  ): void {
    this.#changes[id] = { entity: `endpoint/${endpoint} of ${service}`, atNs, writtenAtNs: null };
  }

  endpointWritten(id: number, seenAtNs: number, statusAtNs: number, atNs: SimTimeNs): void {
    const change = this.#changes[id]!;
    change.writtenAtNs = atNs;
    this.#judge(change, POD_STAGES, [change.atNs, seenAtNs, statusAtNs, atNs], atNs);
  }

  endpointProgrammed(
    id: number,
    node: string,
    atNs: SimTimeNs,
    deliveredAtNs: SimTimeNs,
    trackedAtNs: SimTimeNs,
    syncStartedAtNs: SimTimeNs,
  ): void {
    const change = this.#changes[id]!;
    const stages = [deliveredAtNs, trackedAtNs, syncStartedAtNs, atNs];
    if (change.writtenAtNs === null) {
      this.#note(change, `in force on ${node} before any slice told of it`, atNs);
    } else {
      this.#judge(change, NODE_STAGES, [change.writtenAtNs, ...stages], atNs, ` on ${node}`);
    }
  }

  endpointAnswered(id: number, server: string, knownAtNs: number, answeredAtNs: SimTimeNs): void {
    const change = this.#changes[id]!;
    if (change.writtenAtNs === null) {
      this.#note(change, `known to ${server} before any slice told of it`, knownAtNs);
    } else {
      const instants = [change.writtenAtNs, knownAtNs, answeredAtNs];
      this.#judge(change, DNS_STAGES, instants, knownAtNs, ` at ${server}`);
    }
  }

  broken(): readonly BrokenLaw[] {
    return this.#broken;
  }

  /** @param instants in the order of `names`; -1 for a stage that the change did not take */
  #judge(
    change: Change,
    names: readonly string[],
    instants: readonly number[],
    atNs: SimTimeNs,
    where = "",
  ): void {
    let last = 0;
    for (let i = 1; i < instants.length; i++) {
      if (instants[i] === -1) continue;
      if (instants[i]! < instants[last]!) {
        const when = `${instants[i]} ns, before ${names[last]} at ${instants[last]} ns`;
        this.#note(change, `${names[i]}${where} at ${when}`, atNs);
      }
      last = i;
    }
  }

  #note({ entity }: Change, detail: string, atNs: SimTimeNs): void {
    if (this.#broken.length === REPORTED_MAX) return;
    this.#broken.push({ law: "11 lag stages", entity, atNs, detail });
  }
}
