/**
 * A component's HTTP/2 connection to the API server, which its requests and its watches share.
 *
 * Owns: whether what one side sends reaches the other, what waits for that, and when the client gives a
 * silent connection up and dials anew. Refuses to own: what is sent. Source: apimachinery
 * pkg/util/net/http.go (read-idle and ping time-outs), client-go; timings §6.
 */
import { Phase, type EventHandle, type SimTimeNs, type Simulation } from "../../engine/index.ts";
import type { ApiServerProfile } from "./profile.ts";

/** Who sends. Each has a queue of what is not acknowledged, and retransmits by its own clock. */
export type Side = "client" | "server";

const sides = ["client", "server"] as const;

/** A message that cannot get through at the moment. */
interface Held {
  readonly sentNs: SimTimeNs;
  readonly deliver: () => void;
  readonly lost: Lost;
}

/** It never gets through. @param refused the host answers that nobody listens there: connect() has failed at once */
export type Lost = (refused: boolean) => void;

/** SYNs of a dial that is not answered go out again after so many seconds (timings §10). */
const SYN_RETRIES_S = [1, 2, 3, 4, 5, 7, 11, 19, 35];
const NS_PER_SECOND = 1_000_000_000;

export class Connection {
  readonly name: string;
  readonly #sim: Simulation;
  readonly #profile: ApiServerProfile;
  /** What keeps the two apart, by cause: a partition, a server that stands still. */
  readonly #causes = new Set<string>();
  /** Nobody listens at the other end: the host's kernel refuses. */
  #isRefused = false;
  /** The process at the other end is gone, and the client has not been told yet. */
  #isDoomed = false;
  /** As the client sees it: it has not closed the connection. */
  #isOpen = true;
  /** Sent and not acknowledged, in order: on a dead connection, or until a dial succeeds. */
  readonly #held: Record<Side, Held[]> = { client: [], server: [] };
  readonly #retransmits: Record<Side, EventHandle> = { client: 0, server: 0 };
  #lastFrameNs: SimTimeNs = 0;
  /** When the client gives the silent connection up, if nothing comes; null: it has no reason to. */
  #closeNs: SimTimeNs | null = null;
  /** Of that, or of a dial. */
  #timer: EventHandle = 0;
  #dialledNs: SimTimeNs | null = null;
  /** Requests that have no answer yet, each told when the connection is closed. */
  #unanswered = new Set<() => void>();
  readonly #onClosed: ((silentNs: number) => void)[] = [];

  constructor(name: string, sim: Simulation, profile: ApiServerProfile) {
    this.name = name;
    this.#sim = sim;
    this.#profile = profile;
  }

  /** What this side sends now arrives. */
  isThroughFrom(side: Side): boolean {
    const isThrough = this.#isOpen && !this.#isDoomed && this.#causes.size === 0;
    return isThrough && this.#held[side].length === 0;
  }

  /** A frame is on its way. */
  sent(): void {
    this.#lastFrameNs = this.#sim.nowNs;
  }

  /** @param listener told for how long nothing had come before it was closed */
  onClosed(listener: (silentNs: number) => void): void {
    this.#onClosed.push(listener);
  }

  /** A request is under way until the returned function is called; `lost` if the connection closes first. */
  expectAnswer(lost: () => void): () => void {
    this.#unanswered.add(lost);
    return () => void this.#unanswered.delete(lost);
  }

  /** Sends something: now, or when TCP gets it through; `lost` when it never does. */
  pass(from: Side, deliver: () => void, lost: Lost): void {
    if (this.isThroughFrom(from)) {
      this.sent();
      deliver();
      return;
    }
    this.#held[from].push({ sentNs: this.#sim.nowNs, deliver, lost });
    if (!this.#isOpen && this.#dialledNs === null) this.#dial();
  }

  /** The server's process ends: its kernel resets what it has, and refuses what comes. */
  refuse(): void {
    this.#isRefused = true;
    if (!this.#isOpen) return;
    this.#isDoomed = true;
    if (this.#causes.size === 0) this.#resetSoon();
  }

  /** A new process listens. What the last one had stays gone. */
  accept(): void {
    this.#isRefused = false;
  }

  #resetSoon(): void {
    this.#sim.callAfter(this.#profile.networkNs, Phase.deliver, () => {
      if (this.#isDoomed && this.#causes.size === 0) this.#close(0);
    });
  }

  /** From now on nothing passes, for this cause among others. */
  cut(cause: string): void {
    this.#causes.add(cause);
    if (this.#causes.size > 1 || !this.#isOpen) return;
    for (const side of sides) this.#sim.cancel(this.#retransmits[side]);
    if (this.#closeNs !== null) return;
    const { readIdleNs, pingTimeoutNs } = this.#profile.connection;
    // An idle connection is pinged each readIdle, and the answer counts as a frame.
    const idleNs = (this.#sim.nowNs - this.#lastFrameNs) % readIdleNs;
    this.#closeNs = this.#sim.nowNs - idleNs + readIdleNs + pingTimeoutNs;
    this.#arm(this.#closeNs, () => this.#close(readIdleNs + pingTimeoutNs));
  }

  mend(cause: string): void {
    if (!this.#causes.delete(cause) || this.#causes.size > 0) return;
    if (!this.#isOpen) {
      if (this.#dialledNs !== null) this.#arm(this.#nextSynNs(), () => this.#connected());
      return;
    }
    if (this.#isDoomed) {
      this.#resetSoon();
      return;
    }
    const headNs = this.#clientHeadNs();
    for (const side of sides) {
      const firstNs = side === "client" ? headNs : (this.#held.server[0]?.sentNs ?? null);
      if (firstNs === null) continue;
      const atNs = this.#nextRetransmitNs(firstNs);
      this.#retransmits[side] = this.#sim.callAt(atNs, Phase.timeout, () => this.#flush(side));
    }
    // A ping waits for its answer no longer because the network is back: TCP may be waiting still.
    if (headNs !== null && this.#nextRetransmitNs(headNs) > this.#closeNs!) return;
    this.#closeNs = null;
    this.#sim.cancel(this.#timer);
  }

  /** What the client's TCP sends again first: a request, or the ping of an idle connection. */
  #clientHeadNs(): SimTimeNs | null {
    const pingNs = this.#closeNs! - this.#profile.connection.pingTimeoutNs;
    const heldNs = this.#held.client[0]?.sentNs ?? Infinity;
    const firstNs = Math.min(heldNs, pingNs);
    return firstNs < this.#sim.nowNs || firstNs === heldNs ? firstNs : null;
  }

  #arm(atNs: SimTimeNs, then: () => void): void {
    this.#sim.cancel(this.#timer);
    this.#timer = this.#sim.callAt(atNs, Phase.timeout, then);
  }

  #nextRetransmitNs(sentNs: SimTimeNs): SimTimeNs {
    let waitNs = this.#profile.connection.retransmitNs;
    let atNs = sentNs + waitNs;
    while (atNs < this.#sim.nowNs) atNs += waitNs *= 2;
    return atNs;
  }

  /**
   * No frame and no answer to the ping, or a reset: the transport closes the connection under all that use it.
   * @param silentNs for how long nothing had come
   */
  #close(silentNs: number): void {
    this.#isOpen = false;
    this.#isDoomed = false;
    this.#closeNs = null;
    this.#sim.cancel(this.#timer);
    for (const side of sides) this.#sim.cancel(this.#retransmits[side]);
    const held = [...this.#taken("client"), ...this.#taken("server")];
    const unanswered = this.#unanswered;
    this.#unanswered = new Set();
    for (const lost of unanswered) lost();
    for (const { lost } of held) lost(false);
    for (const listener of this.#onClosed) listener(silentNs);
  }

  #dial(): void {
    const { nowNs } = this.#sim;
    const { networkNs, connection } = this.#profile;
    this.#dialledNs = nowNs;
    if (this.#causes.size > 0) {
      this.#arm(nowNs + connection.dialTimeoutNs, () => this.#dialFailed(false));
      return;
    }
    // TCP and TLS: a round trip each. A refusal is one.
    this.#arm(nowNs + (this.#isRefused ? 2 : 4) * networkNs, () => this.#connected());
  }

  #nextSynNs(): SimTimeNs {
    const { nowNs } = this.#sim;
    const retries = SYN_RETRIES_S.map((each) => this.#dialledNs! + each * NS_PER_SECOND);
    return retries.find((atNs) => atNs >= nowNs) ?? nowNs;
  }

  #dialFailed(refused: boolean): void {
    this.#dialledNs = null;
    for (const { lost } of this.#taken("client")) lost(refused);
  }

  #connected(): void {
    if (this.#causes.size > 0) {
      const { dialTimeoutNs } = this.#profile.connection;
      const endNs = Math.max(this.#sim.nowNs, this.#dialledNs! + dialTimeoutNs);
      this.#arm(endNs, () => this.#dialFailed(false));
      return;
    }
    if (this.#isRefused) {
      this.#dialFailed(true);
      return;
    }
    this.#dialledNs = null;
    this.#isOpen = true;
    this.#flush("client");
  }

  #flush(side: Side): void {
    this.sent();
    for (const { deliver } of this.#taken(side)) deliver();
  }

  #taken(side: Side): Held[] {
    return this.#held[side].splice(0);
  }
}
