/**
 * An observer that finds one request and keeps what its explanation needs.
 *
 * Owns: the tries of requests in flight, who opened which connection, and which rules each node had in force. Refuses to
 * own: judging any of it (index.ts).
 */
import type { SimTimeNs } from "../../engine/index.ts";
import { Changes } from "../../observe/changes.ts";
import { Directory } from "../../observe/directory.ts";
import { Outcome, type Observer, type OutcomeCode } from "../../observe/index.ts";
import { PodLives } from "../timeline/lives.ts";

/** A request by its number, or the first that failed with a cause. */
export type Wanted = { readonly request: number } | { readonly firstFailure: OutcomeCode };

/** A socket, since it was opened. */
export interface Dialled {
  readonly socket: number;
  readonly atNs: SimTimeNs;
}

export interface SeenTry {
  readonly startedAtNs: SimTimeNs;
  endedAtNs: SimTimeNs | null;
  outcome: OutcomeCode | null;
  readonly dialled: Dialled | null;
  endpoint: number;
  node: number;
}

export interface SeenRequest {
  readonly number: number;
  readonly client: number;
  readonly service: number;
  readonly tries: SeenTry[];
}

/** Rules that came into force. */
export interface Applied {
  readonly version: number;
  readonly atNs: SimTimeNs;
}

interface EndpointChange {
  readonly id: number;
  readonly usable: boolean;
  readonly atNs: SimTimeNs;
}

export class RequestWatch implements Observer {
  readonly directory = new Directory();
  readonly changes = new Changes(this.directory);
  readonly lives = new PodLives();
  /** By endpoint. */
  readonly endpointChanges: (EndpointChange[] | undefined)[] = [];
  found: SeenRequest | null = null;
  readonly #wanted: Wanted;
  readonly #nowNs: () => SimTimeNs;
  readonly #open = new Map<number, SeenRequest>();
  readonly #dialled = new Map<number, Dialled>();
  readonly #applied = new Map<string, Applied[]>();

  constructor(wanted: Wanted, nowNs: () => SimTimeNs) {
    this.#wanted = wanted;
    this.#nowNs = nowNs;
  }

  /** In the order in which they have to be told. */
  get observers(): readonly Observer[] {
    return [this.directory, this.changes, this.lives, this];
  }

  attemptStarted(
    number: number,
    client: number,
    service: number,
    _attempt: number,
    socket: number,
    isNew: 0 | 1,
  ): void {
    const startedAtNs = this.#nowNs();
    if (isNew === 1 && socket >= 0) this.#dialled.set(socket, { socket, atNs: startedAtNs });
    let request = this.#open.get(number);
    if (request === undefined) {
      if ("request" in this.#wanted && number !== this.#wanted.request) return;
      request = { number, client, service, tries: [] };
      this.#open.set(number, request);
      if ("request" in this.#wanted) this.found = request;
    }
    const dialled = this.#dialled.get(socket) ?? null;
    const none = { endedAtNs: null, outcome: null, endpoint: -1, node: -1 };
    request.tries.push({ startedAtNs, dialled, ...none });
  }

  attemptEnded(number: number, outcome: OutcomeCode, endpoint: number, node: number): void {
    const request = this.#open.get(number);
    const last = request?.tries.at(-1);
    if (last === undefined) return;
    Object.assign(last, { endedAtNs: this.#nowNs(), outcome, endpoint, node });
    if (outcome === Outcome.served) this.#open.delete(number);
  }

  requestFailed(number: number, _client: number, _service: number, outcome: OutcomeCode): void {
    const request = this.#open.get(number);
    this.#open.delete(number);
    if (request === undefined || this.found !== null || "request" in this.#wanted) return;
    if (outcome === this.#wanted.firstFailure) this.found = request;
  }

  endpointChanged(
    id: number,
    _service: string,
    _address: string,
    _change: string,
    atNs: SimTimeNs,
    usable: 0 | 1,
    endpoint: number,
  ): void {
    (this.endpointChanges[endpoint] ??= []).push({ id, usable: usable === 1, atNs });
  }

  rulesApplied(
    node: number,
    service: string,
    version: number,
    atNs: SimTimeNs,
    family: 4 | 6,
  ): void {
    const key = `${node} ${service} ${family}`;
    const known = this.#applied.get(key);
    if (known === undefined) this.#applied.set(key, [{ version, atNs }]);
    else known.push({ version, atNs });
  }

  /** What was in force on a node for a Service's family; null: what was there when the run began. */
  inForce(node: number, service: string, family: 4 | 6, atNs: SimTimeNs): Applied | null {
    const applied = this.#applied.get(`${node} ${service} ${family}`);
    return applied?.findLast((each) => each.atNs <= atNs) ?? null;
  }

  /** Why an endpoint was not usable at an instant: the change since which it was not; null: it was. */
  departure(endpoint: number, atNs: SimTimeNs): EndpointChange | null {
    const last = this.endpointChanges[endpoint]?.findLast((each) => each.atNs <= atNs);
    return last === undefined || last.usable ? null : last;
  }

  /** Whether an endpoint could be used at an instant: one that never changed always could. */
  isUsable(endpoint: number, atNs: SimTimeNs): boolean {
    const changes = this.endpointChanges[endpoint] ?? [];
    const last = changes.findLast((each) => each.atNs <= atNs);
    if (last !== undefined) return last.usable;
    return changes[0] === undefined || !changes[0].usable;
  }
}
