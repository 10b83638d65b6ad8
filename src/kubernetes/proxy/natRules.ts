/**
 * From a route to nat's decision, for the modes that translate in netfilter.
 *
 * Owns: taking the route, letting the mode choose among its candidates, and filling in the decision.
 * Refuses to own: the route (route.ts), the choice and its cost (modes/).
 */
import {
  NatVerdict,
  type FirstPacket,
  type NatDecision,
  type NatHookPoint,
  type NatRules,
} from "../../network/nat.ts";
import type { DataPlane } from "./contract.ts";
import { emptyRoute, Router, type Route, type RouteTraits } from "./route.ts";
import type { RuleEndpoint } from "./rules.ts";

/** What a mode adds to the common rules. */
export interface Chooser {
  /** One of the candidates, of which there is at least one. */
  choose(route: Route, packet: FirstPacket): RuleEndpoint;
  /** Time the first packet spends in the rules; `chosen` is null where none was. */
  walkNs(route: Route, chosen: RuleEndpoint | null): number;
}

export class RoutedRules implements NatRules {
  readonly #router: Router;
  readonly #chooser: Chooser;
  readonly #routed: DataPlane["routed"];
  readonly #route = emptyRoute();

  constructor(plane: DataPlane, traits: RouteTraits, chooser: Chooser) {
    this.#router = new Router(plane.table, plane.view, traits);
    this.#chooser = chooser;
    this.#routed = plane.routed;
  }

  decide(_point: NatHookPoint, packet: FirstPacket, decision: NatDecision): void {
    const route = this.#route;
    this.#router.route(packet, route);
    if (route.verdict === "endpoints") {
      const chosen = this.#chooser.choose(route, packet);
      decision.dnatAddress = chosen.address;
      decision.dnatPort = chosen.port;
      decision.masquerade = route.masquerade || packet.source === chosen.address;
      decision.walkNs = this.#chooser.walkNs(route, chosen);
      this.#routed(packet.originSocket, chosen);
      return;
    }
    decision.walkNs = this.#chooser.walkNs(route, null);
    if (route.verdict === "drop") decision.verdict = NatVerdict.drop;
    else if (route.verdict === "reject") decision.verdict = NatVerdict.reject;
    decision.rule = route.cause;
  }
}
