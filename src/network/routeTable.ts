/**
 * Routes by destination: longest-prefix match.
 *
 * Owns: the routes and the search among them, which costs one look per prefix length in use, however many routes there
 * are. Refuses to own: what lies behind a route (host.ts). Hosts that route alike share one table: that each of
 * thousands of nodes has a route to every other's guests must not cost nodes times nodes.
 */
import type { AddressId, AddressTable, Prefix } from "./address.ts";

export interface Route {
  readonly prefix: Prefix;
  /** `bridge`: on-link on this host's bridge. A number: by way of that host; for the host itself its bridge. */
  readonly to: "bridge" | number;
}

/** Routes to prefixes of one length in one family, by the bits of the prefix. */
interface Level {
  readonly family: 4 | 6;
  readonly length: number;
  readonly routes: Map<number | bigint, Route>;
}

export class RouteTable {
  readonly #addresses: AddressTable;
  /** Longest first. */
  readonly #levels: Level[] = [];

  constructor(addresses: AddressTable) {
    this.#addresses = addresses;
  }

  /** Of two routes to one prefix the first counts. */
  add(route: Route): void {
    const { family, length, first } = route.prefix;
    let level = this.#levels.find((each) => each.family === family && each.length === length);
    if (level === undefined) {
      level = { family, length, routes: new Map() };
      this.#levels.push(level);
      this.#levels.sort((a, b) => b.length - a.length);
    }
    const bits = first >> BigInt((family === 4 ? 32 : 128) - length);
    const key = family === 4 ? Number(bits) : bits;
    if (!level.routes.has(key)) level.routes.set(key, route);
  }

  /** undefined: no route leads there. */
  lookup(destination: AddressId): Route | undefined {
    const family = this.#addresses.family(destination);
    for (const level of this.#levels) {
      if (level.family !== family) continue;
      const route = level.routes.get(this.#addresses.prefixBits(destination, level.length));
      if (route !== undefined) return route;
    }
    return undefined;
  }
}
