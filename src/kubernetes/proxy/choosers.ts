/**
 * How a mode chooses among the endpoints that a route leaves: one draw a connection, and session affinity.
 *
 * Owns: the uniform choice and the client that is remembered, for every mode whose rules do it so. Refuses to own:
 * which endpoints may be chosen (route.ts), the lists of clients (affinity.ts) and what a choice costs (modes/).
 */
import type { FirstPacket } from "../../network/nat.ts";
import type { AffinityLists } from "./affinity.ts";
import type { DataPlane, ProgrammedRules } from "./contract.ts";
import { RoutedRules, type Chooser } from "./natRules.ts";
import type { Route, RouteTraits } from "./route.ts";
import type { RuleEndpoint } from "./rules.ts";

/** Index of the candidate that a connection without a memory gets. */
export type Draw = (candidates: readonly RuleEndpoint[], packet: FirstPacket) => number;

/** A drawn endpoint, or the one that remembers the client. */
export class AffineChooser implements Chooser {
  readonly #plane: DataPlane;
  readonly #affinity: AffinityLists;
  readonly #draw: Draw;
  readonly #cost: (route: Route, chosen: RuleEndpoint | null) => number;

  constructor(
    plane: DataPlane,
    affinity: AffinityLists,
    draw: Draw,
    cost: (route: Route, chosen: RuleEndpoint | null) => number,
  ) {
    this.#plane = plane;
    this.#affinity = affinity;
    this.#draw = draw;
    this.#cost = cost;
  }

  choose(route: Route, packet: FirstPacket): RuleEndpoint {
    const { candidates, destination } = route;
    const { rules } = destination!;
    const { affinityNs } = rules;
    if (affinityNs === null) return candidates[this.#draw(candidates, packet)]!;
    const { source } = packet;
    const { nowNs } = this.#plane.sim;
    const remembered = this.#affinity.find(rules, candidates, source, affinityNs, nowNs);
    route.isRemembered = remembered !== undefined;
    const chosen = remembered ?? candidates[this.#draw(candidates, packet)]!;
    this.#affinity.remember(rules, chosen, source, nowNs);
    return chosen;
  }

  walkNs(route: Route, chosen: RuleEndpoint | null): number {
    return this.#cost(route, chosen);
  }
}

/** Rule i of n matches with probability 1/(n-i): each endpoint gets 1/n, one draw a connection. */
export function randomRules(
  plane: DataPlane,
  traits: RouteTraits,
  affinity: AffinityLists,
  cost: (route: Route, chosen: RuleEndpoint | null) => number,
): ProgrammedRules {
  const draw: Draw = (candidates) => plane.stream.below(candidates.length);
  return {
    nat: new RoutedRules(plane, traits, new AffineChooser(plane, affinity, draw, cost)),
    socketNat: null,
    watcher: null,
    changed: (before, after) => affinity.changed(before, after),
  };
}
