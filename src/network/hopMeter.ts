/**
 * What one hop did since it was last looked at.
 *
 * Owns: what its counters were then. It reads and changes nothing: a hop does not know that it is measured, and no packet
 * costs more for it.
 */
import type { DurationNs, SimTimeNs } from "../engine/index.ts";
import { Histogram } from "../stats/index.ts";
import type { Hop } from "./hop.ts";

/** Of hops at which nothing had waited: most of a large cluster's. Nobody records into it. */
const NOTHING = new Histogram();

export class HopMeter {
  readonly hop: Hop;
  packets = 0;
  bytes = 0;
  drops = 0;
  sentForNs: DurationNs = 0;
  waitP99Ns: DurationNs = 0;
  backlogNs: DurationNs = 0;

  #packets = 0;
  #bytes = 0;
  #drops = 0;
  #sentForNs = 0;
  #readAtNs: SimTimeNs = 0;
  #trains = 0;
  #waits = NOTHING;

  constructor(hop: Hop) {
    this.hop = hop;
  }

  /** @returns whether it did anything since the last reading */
  read(nowNs: SimTimeNs): boolean {
    const { packets, bytes, droppedPackets } = this.hop;
    // Offers run up to AT_ONCE_NS (stack.ts) ahead of the clock, and a pause before one that is ahead looks busy until then:
    // what does not fit into this stretch is the next one's.
    const sentForNs = this.hop.sentForNs(nowNs) - this.#sentForNs;
    this.sentForNs = Math.max(0, Math.min(sentForNs, nowNs - this.#readAtNs));
    this.#readAtNs = nowNs;
    this.packets = packets - this.#packets;
    this.bytes = bytes - this.#bytes;
    this.drops = droppedPackets - this.#drops;
    if (this.packets === 0 && this.drops === 0 && this.sentForNs === 0) return false;
    this.backlogNs = this.hop.backlogNs(nowNs);
    this.waitP99Ns = Math.round(this.#waitQuantileNs(0.99));
    this.#packets = packets;
    this.#bytes = bytes;
    this.#drops = droppedPackets;
    this.#sentForNs += this.sentForNs;
    return true;
  }

  /** As Hop.waitQuantileNs, of the trains that came since the last reading. */
  #waitQuantileNs(q: number): number {
    const { trains, waitTimes } = this.hop;
    const came = trains - this.#trains;
    const queued = waitTimes.count - this.#waits.count;
    this.#trains = trains;
    if (queued === 0) return 0;
    const atOnce = came - queued;
    const found =
      q * came <= atOnce ? 0 : waitTimes.quantileSince(this.#waits, (q * came - atOnce) / queued);
    if (this.#waits === NOTHING) this.#waits = new Histogram();
    this.#waits.reset();
    this.#waits.merge(waitTimes);
    return found;
  }
}
