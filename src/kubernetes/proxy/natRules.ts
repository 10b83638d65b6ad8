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
  type NatVerdictCode,
} from "../../network/nat.ts";
import type { AddressId } from "../../network/address.ts";
import type { DataPlane } from "./contract.ts";
import { emptyRoute, Router, type Route, type RouteTraits } from "./route.ts";
import { DestinationKind, type RuleEndpoint } from "./rules.ts";

/** What a mode adds to the common rules. */
export interface Chooser {
  /** One of the candidates, of which there is at least one; null: none of them takes it. */
  choose(route: Route, packet: FirstPacket): RuleEndpoint | null;
  /** Time the first packet spends in the rules; `chosen` is null where none was. */
  walkNs(route: Route, chosen: RuleEndpoint | null): number;
}

export class RoutedRules implements NatRules {
  readonly dropsInvalid: boolean;
  readonly #router: Router;
  readonly #refusesExternalAtOutput: boolean;
  readonly #chooser: Chooser;
  readonly #routed: DataPlane["routed"];
  /** What the last decision was made by: for whoever looks at packets. */
  readonly route = emptyRoute();

  constructor(plane: DataPlane, traits: RouteTraits, chooser: Chooser) {
    this.#router = new Router(plane.table, plane.view, traits);
    this.#refusesExternalAtOutput = traits.refusesExternalAtOutput;
    this.dropsInvalid = traits.dropsInvalid && !plane.profile.conntrackTcpBeLiberal;
    this.#chooser = chooser;
    this.#routed = plane.routed;
  }

  /** Whether the local detector takes the source for no pod. */
  isForeign(source: AddressId): boolean {
    return this.#router.isForeign(source);
  }

  decide(point: NatHookPoint, packet: FirstPacket, decision: NatDecision): void {
    const { route } = this;
    this.#router.route(packet, route);
    if (point === "OUTPUT" && !this.#refusesExternalAtOutput) leaveIfExternal(packet, route);
    const chosen = route.verdict === "endpoints" ? this.#chooser.choose(route, packet) : null;
    decision.walkNs = this.#chooser.walkNs(route, chosen);
    if (chosen !== null) {
      decision.dnatAddress = chosen.address;
      decision.dnatPort = chosen.port;
      decision.masquerade = route.masquerade || packet.source === chosen.address;
      this.#routed(packet, chosen, decision.walkNs);
      return;
    }
    if (route.verdict === "endpoints") refuse(decision, NatVerdict.reject, "no_destination");
    else if (route.verdict === "drop") refuse(decision, NatVerdict.drop, route.cause);
    else if (route.verdict === "reject") refuse(decision, NatVerdict.reject, route.cause);
  }
}

/** What is external and nobody serves is not refused on its way out; the source ranges' rule is at OUTPUT too. */
function leaveIfExternal({ destinationIsLocal }: FirstPacket, route: Route): void {
  const { verdict, cause, destination } = route;
  if (destinationIsLocal || verdict === "endpoints" || cause === "source_range") return;
  const kind = destination?.kind;
  if (kind === DestinationKind.externalIP || kind === DestinationKind.loadBalancer) {
    route.verdict = "none";
  }
}

function refuse(decision: NatDecision, verdict: NatVerdictCode, cause: string): void {
  decision.verdict = verdict;
  decision.rule = cause;
}
