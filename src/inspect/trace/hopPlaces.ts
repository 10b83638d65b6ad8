/**
 * Where each hop of a network is.
 *
 * Owns: the table, which takes in what is plugged in later when it is first asked for it.
 */
import type { Hop } from "../../network/hop.ts";
import type { Namespace } from "../../network/host.ts";
import type { Network } from "../../network/network.ts";

export class HopPlaces {
  readonly #network: Network;
  readonly #placeOf: (namespace: Namespace) => string;
  readonly #places = new Map<Hop, string>();
  #namespaces = 0;
  #hosts = 0;

  constructor(network: Network, placeOf: (namespace: Namespace) => string) {
    this.#network = network;
    this.#placeOf = placeOf;
  }

  /** "pod/web-0", "node/node-1", "switch". */
  of(hop: Hop): string {
    const known = this.#places.get(hop);
    if (known !== undefined) return known;
    this.#takeIn();
    return this.#places.get(hop) ?? hop.name;
  }

  #takeIn(): void {
    const { namespaces, hosts } = this.#network;
    for (; this.#namespaces < namespaces.length; this.#namespaces++) {
      const namespace = namespaces[this.#namespaces]!;
      const place = this.#placeOf(namespace);
      this.#places.set(namespace.loopback, place);
      if (namespace.link === null) continue;
      this.#places.set(namespace.link.out, place);
      this.#places.set(namespace.link.in, place);
    }
    for (; this.#hosts < hosts.length; this.#hosts++) {
      const { namespace, nic, bridge, switchPort } = hosts[this.#hosts]!;
      const place = this.#placeOf(namespace);
      this.#places.set(nic, place);
      if (bridge !== null) this.#places.set(bridge, place);
      this.#places.set(switchPort, "switch");
    }
  }
}
