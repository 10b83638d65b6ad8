/**
 * A kind of pod network: how guests get an address and a link, and how hosts reach each other's.
 *
 * Owns: the contract of the members in this folder; index.ts lists them.
 */
import type { AddressId } from "../address.ts";
import type { Host } from "../host.ts";
import type { Network } from "../network.ts";
import type { PortMapping } from "../portmap.ts";
import type { NetworkStack } from "../stack.ts";
import type { Transport } from "../transport.ts";

export interface GuestHost {
  readonly host: Host;
  /** Range that the host's guests get their addresses from; of each family one, with a comma between. */
  readonly cidr: string;
}

export interface Guest {
  readonly namespace: number;
  readonly node: number;
  /** One of each range of its host, in their order. */
  readonly addresses: readonly AddressId[];
}

/** A network that is set up: what a CNI plugin does on ADD and DEL. */
export interface GuestNetwork {
  /**
   * null: the host's range has no free address.
   * @param wanted its address of the first range, where that is free
   * @param ports of the host that lead to it (CNI's portMappings)
   */
  add(
    host: number,
    name: string,
    wanted?: string | null,
    ports?: readonly PortMapping[],
  ): Guest | null;
  del(guest: Guest): void;
}

export interface NetworkKind {
  /** Sets up routes between the hosts. */
  install(parts: {
    readonly network: Network;
    readonly stack: NetworkStack;
    readonly transport: Transport;
    readonly hosts: readonly GuestHost[];
  }): GuestNetwork;
}
