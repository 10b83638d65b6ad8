/**
 * ClusterIP allocation within the service CIDR.
 *
 * Owns: which address a Service gets, by the rules of the API server's ipallocator. Refuses to own:
 * the Services, and what an address routes to. IPv4 only, so far.
 */
import { Address4 } from "ip-address";
import type { RandomStream } from "../../engine/index.ts";
import { parsePrefix, type Prefix } from "../../network/address.ts";
import { BandedRange, type BandRule } from "./banded-range.ts";

/** Addresses. Kubernetes: pkg/registry/core/service/ipallocator, calculateRangeOffset (KEP-3070). */
const STATIC_BAND: BandRule = { min: 16, max: 256, step: 16 };

export type ClusterIpRefusal = "outside" | "taken";

export class ClusterIpAllocator {
  readonly #prefix: Prefix;
  readonly #range: BandedRange;

  /** @throws RangeError unless `cidr` is an IPv4 prefix of length 8 to 30 */
  constructor(cidr: string, stream: RandomStream) {
    this.#prefix = parsePrefix(cidr);
    if (this.#prefix.family !== 4 || this.#prefix.length < 8 || this.#prefix.length > 30) {
      throw new RangeError(`${cidr}: a service CIDR is an IPv4 prefix of length 8 to 30`);
    }
    const addresses = 2 ** (32 - this.#prefix.length);
    // Neither the network's address nor its broadcast address is ever given out.
    this.#range = new BandedRange(addresses - 2, addresses, STATIC_BAND, stream);
  }

  get free(): number {
    return this.#range.free;
  }

  /** Takes the address that a Service asks for; null when it is granted. */
  take(address: string): ClusterIpRefusal | null {
    const slot = this.#slotOf(address);
    if (slot === null) return "outside";
    return this.#range.take(slot) ? null : "taken";
  }

  /** An address of the allocator's choice, or null when the range is used up. */
  takeNext(): string | null {
    const slot = this.#range.takeNext();
    return slot < 0 ? null : this.addressAt(slot);
  }

  release(address: string): void {
    const slot = this.#slotOf(address);
    if (slot !== null) this.#range.release(slot);
  }

  /** The address of a slot: slot 0 is the first usable address. */
  addressAt(slot: number): string {
    return Address4.fromBigInt(this.#prefix.first + 1n + BigInt(slot)).correctForm();
  }

  #slotOf(address: string): number | null {
    if (!Address4.isValid(address) || address.includes("/")) return null;
    const slot = new Address4(address).bigInt() - this.#prefix.first - 1n;
    return slot >= 0n && slot < BigInt(this.#range.size) ? Number(slot) : null;
  }
}
