/**
 * Address allocation as Docker's default IPAM does it for a bridge: always the lowest free address.
 *
 * Owns: which address of the range comes next. So an address that was just given back is the next to be
 * given, if no lower one is free. Source: moby defaultipam; timings §8.
 */
import { parsePrefix } from "../address.ts";

export class LowestFreeAllocator {
  /** The gateway: the first address of the network. */
  readonly gateway: bigint;
  readonly #last: bigint;
  readonly #used = new Set<bigint>();

  /** @param cidr the bridge's IPv4 network; its first address is the network's, its last broadcasts */
  constructor(cidr: string) {
    const { first, last } = parsePrefix(cidr);
    this.gateway = first + 1n;
    this.#last = last - 1n;
  }

  /** The lowest free address, or null when all are in use. */
  allocate(): bigint | null {
    for (let address = this.gateway + 1n; address <= this.#last; address++) {
      if (this.#used.has(address)) continue;
      this.#used.add(address);
      return address;
    }
    return null;
  }

  release(address: bigint): void {
    this.#used.delete(address);
  }
}
