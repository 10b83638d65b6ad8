/**
 * Address allocation as CNI's host-local plugin does it on one node.
 *
 * Owns: which address of the range comes next. It cycles: each search starts behind the last address
 * given, wraps at the end, skips the gateway, so an address comes back only after the whole range
 * has been gone through. There is no cool-down. Source: containernetworking/plugins, host-local
 * allocator.go; timings §8.
 */
import { parsePrefix } from "../address.ts";

export class HostLocalAllocator {
  readonly #first: bigint;
  readonly #count: bigint;
  readonly #used = new Set<bigint>();
  #next: bigint;

  /** @param cidr the node's range; its first address is the network, the second the gateway */
  constructor(cidr: string) {
    const prefix = parsePrefix(cidr);
    const broadcast = prefix.family === 4 ? 1n : 0n;
    this.#first = prefix.first + 2n;
    this.#count = prefix.last - broadcast - this.#first + 1n;
    this.#next = this.#first;
  }

  /** Addresses that can be given in all. */
  get capacity(): number {
    return Number(this.#count > 0n ? this.#count : 0n);
  }

  get inUse(): number {
    return this.#used.size;
  }

  /** The next free address, or null when all are in use. */
  allocate(): bigint | null {
    if (BigInt(this.#used.size) >= this.#count) return null;
    while (this.#used.has(this.#next)) this.#advance();
    const address = this.#next;
    this.#used.add(address);
    this.#advance();
    return address;
  }

  /** This address, if it is free: the next search starts behind it. host-local: Get() with a requested IP. */
  take(address: bigint): boolean {
    const isInRange = address >= this.#first && address < this.#first + this.#count;
    if (!isInRange || this.#used.has(address)) return false;
    this.#used.add(address);
    this.#next = address;
    this.#advance();
    return true;
  }

  release(address: bigint): void {
    this.#used.delete(address);
  }

  #advance(): void {
    this.#next = this.#next + 1n < this.#first + this.#count ? this.#next + 1n : this.#first;
  }
}
