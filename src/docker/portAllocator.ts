/**
 * Host ports as one daemon gives them out.
 *
 * Owns: which (address, port) a container of this daemon holds; 0.0.0.0 conflicts with every address. Refuses
 * to own: what other processes hold, which only bind() tells. Source: moby libnetwork/portallocator; timings §8.
 */
import { ANY_ADDRESS, type PublishedPort } from "./contract.ts";

export class PortAllocator {
  /** By protocol and port: the addresses that hold it. */
  readonly #held = new Map<string, Set<string>>();

  /** @returns null, or the daemon's error */
  request({ protocol, hostIP, hostPort }: PublishedPort): string | null {
    const key = `${protocol} ${hostPort}`;
    const held = this.#held.get(key) ?? new Set();
    for (const other of held) {
      if (conflicts(other, hostIP)) {
        return `Bind for ${other}:${hostPort} failed: port is already allocated`;
      }
    }
    this.#held.set(key, held.add(hostIP));
    return null;
  }

  release({ protocol, hostIP, hostPort }: PublishedPort): void {
    this.#held.get(`${protocol} ${hostPort}`)?.delete(hostIP);
  }
}

/** Whether two sockets cannot both have one port. */
export function conflicts(a: string, b: string): boolean {
  return a === b || a === ANY_ADDRESS || b === ANY_ADDRESS;
}
