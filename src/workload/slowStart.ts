/**
 * Slow start of an application that balances by itself, as Envoy with a STRICT_DNS cluster does: an address that
 * is new to it gets a growing share.
 *
 * Owns: when each address of a name was first in an answer, and the draw by weights. Refuses to own: what the
 * name's answers are (dns/resolver.ts). Source: Envoy's documentation, upstream load balancing, slow start:
 * weight = max(min_weight_percent, (max(seconds since it joined, 1) / window) ^ (1 / aggression)), with
 * min_weight_percent 10 and aggression 1 by default. Envoy draws by an EDF schedule, here it is a random draw.
 */
import { seconds, type DurationNs, type RandomStream, type SimTimeNs } from "../engine/index.ts";
import type { AddressId } from "../network/address.ts";

/** Envoy's default of min_weight_percent, as a share. */
const LEAST_WEIGHT = 0.1;

export class SlowStart {
  readonly #windowNs: DurationNs;
  readonly #stream: RandomStream;
  /** When each address of the last answer joined; those of the first have been there for long. */
  readonly #joinedNs = new Map<AddressId, SimTimeNs>();
  #isFirst = true;

  constructor(windowNs: DurationNs, stream: RandomStream) {
    this.#windowNs = windowNs;
    this.#stream = stream;
  }

  /** One of the addresses, at least one. */
  pick(addresses: readonly AddressId[], nowNs: SimTimeNs): AddressId {
    if (this.#isFirst) for (const each of addresses) this.#joinedNs.set(each, -Infinity);
    this.#isFirst = false;
    let total = 0;
    for (const address of addresses) total += this.#weightOf(address, nowNs);
    if (this.#joinedNs.size > addresses.length) this.#forgetAllBut(addresses);
    let draw = this.#stream.uniform() * total;
    for (const address of addresses) {
      draw -= this.#weightOf(address, nowNs);
      if (draw < 0) return address;
    }
    return addresses.at(-1)!;
  }

  #weightOf(address: AddressId, nowNs: SimTimeNs): number {
    let joinedNs = this.#joinedNs.get(address);
    if (joinedNs === undefined) this.#joinedNs.set(address, (joinedNs = nowNs));
    const factor = Math.max(nowNs - joinedNs, seconds(1)) / this.#windowNs;
    return Math.min(1, Math.max(LEAST_WEIGHT, factor));
  }

  /** One that comes back later is new again. */
  #forgetAllBut(addresses: readonly AddressId[]): void {
    for (const address of this.#joinedNs.keys()) {
      if (!addresses.includes(address)) this.#joinedNs.delete(address);
    }
  }
}
