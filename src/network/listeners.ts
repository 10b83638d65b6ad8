/**
 * Who listens: bind(2) and the look-up of a listener for a SYN.
 *
 * Owns: which port of which address is taken. UDP's sockets are udp.ts' own.
 */
import { NO_ADDRESS, type AddressId } from "./address.ts";
import type { Namespace } from "./host.ts";
import type { Packet } from "./packet.ts";
import type { Listener } from "./socket.ts";

export class ListenerTable {
  /** By namespace, then by protocol and port. */
  readonly #listeners = new Map<number, Map<number, Listener[]>>();

  /** @returns null when the port is taken (EADDRINUSE) */
  add(bound: Omit<Listener, "pending" | "open">): Listener | null {
    const { namespace, protocol, address, port } = bound;
    let ports = this.#listeners.get(namespace.index);
    if (ports === undefined) this.#listeners.set(namespace.index, (ports = new Map()));
    const key = keyOf(protocol, port);
    const others = ports.get(key) ?? [];
    if (others.some((other) => conflicts(other.address, address))) return null;
    const listener: Listener = { ...bound, pending: 0, open: true };
    ports.set(key, [...others, listener]);
    return listener;
  }

  has({ index }: Namespace, protocol: number, port: number): boolean {
    return this.#listeners.get(index)?.has(keyOf(protocol, port)) ?? false;
  }

  close(listener: Listener): void {
    listener.open = false;
    const ports = this.#listeners.get(listener.namespace.index);
    if (ports === undefined) return;
    const key = keyOf(listener.protocol, listener.port);
    const others = ports.get(key)?.filter((other) => other !== listener) ?? [];
    if (others.length > 0) ports.set(key, others);
    else ports.delete(key);
  }

  closeNamespace({ index }: Namespace): void {
    this.#listeners.delete(index);
  }

  /** The listener that a SYN is for. */
  find({ index }: Namespace, { protocol, destination, destinationPort }: Packet): Listener | null {
    const listeners = this.#listeners.get(index)?.get(keyOf(protocol, destinationPort));
    if (listeners === undefined) return null;
    for (const listener of listeners) {
      if (listener.address === NO_ADDRESS || listener.address === destination) return listener;
    }
    return null;
  }
}

function keyOf(protocol: number, port: number): number {
  return (protocol << 16) | port;
}

/** bind(2): the same address, or all of them on either side. */
function conflicts(a: AddressId, b: AddressId): boolean {
  return a === b || a === NO_ADDRESS || b === NO_ADDRESS;
}
