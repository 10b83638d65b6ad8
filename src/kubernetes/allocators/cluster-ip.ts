/**
 * ClusterIP allocation within the service CIDR.
 *
 * Owns: which address a Service gets, by the rules of the API server's ipallocator. Refuses to own:
 * the Services, and what an address routes to.
 */
import { Address4, Address6 } from "ip-address";
import type { RandomStream } from "../../engine/index.ts";
import { parsePrefix, type Prefix } from "../../network/address.ts";
import { BandedRange, type BandRule } from "./banded-range.ts";

/** Addresses. Kubernetes: pkg/registry/core/service/ipallocator, calculateRangeOffset (KEP-3070). */
const STATIC_BAND: BandRule = { min: 16, max: 256, step: 16 };

/**
 * Shortest and longest prefix. IPv4: ours. IPv6: /108, the largest range of kube-apiserver before it could
 * hold several (cmd/kube-apiserver/app/options/validation.go, maxCIDRBits 20); kubeadm's default is a /112.
 */
const LENGTHS = { 4: [8, 30], 6: [108, 126] } as const;

export type ClusterIpRefusal = "outside" | "taken";

export class ClusterIpAllocator {
  readonly #prefix: Prefix;
  readonly #range: BandedRange;

  /** @throws RangeError unless `cidr` is an IPv4 prefix of length 8 to 30, or an IPv6 one of 108 to 126 */
  constructor(cidr: string, stream: RandomStream) {
    this.#prefix = parsePrefix(cidr);
    const { family, length } = this.#prefix;
    const [shortest, longest] = LENGTHS[family];
    if (length < shortest || length > longest) {
      const allowed = `an IPv${family} prefix of length ${shortest} to ${longest}`;
      throw new RangeError(`${cidr}: a service CIDR is ${allowed}`);
    }
    const addresses = 2 ** ((family === 4 ? 32 : 128) - length);
    // The network's address is never given out, nor is the broadcast address, which only IPv4 has.
    const unusable = family === 4 ? 2 : 1;
    this.#range = new BandedRange(addresses - unusable, addresses, STATIC_BAND, stream);
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
    const value = this.#prefix.first + 1n + BigInt(slot);
    const { family } = this.#prefix;
    return (family === 4 ? Address4 : Address6).fromBigInt(value).correctForm();
  }

  #slotOf(address: string): number | null {
    const Address = this.#prefix.family === 4 ? Address4 : Address6;
    if (!Address.isValid(address) || address.includes("/")) return null;
    const slot = new Address(address).bigInt() - this.#prefix.first - 1n;
    return slot >= 0n && slot < BigInt(this.#range.size) ? Number(slot) : null;
  }
}
