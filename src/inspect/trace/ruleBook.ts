/**
 * Which rules of a node a packet matched, and what the hooks are called there.
 *
 * Owns: walking the rendered rules to what the run has decided. Refuses to own: rendering and walking (../rules).
 */
import { DockerNatRules } from "../../docker/natRules.ts";
import { RoutedRules } from "../../kubernetes/proxy/natRules.ts";
import type { AddressId } from "../../network/address.ts";
import type { Host } from "../../network/host.ts";
import type { NatHookPoint } from "../../network/nat.ts";
import type { Run } from "../../scenario/compile.ts";
import type { ResolvedScenario } from "../../scenario/resolved.ts";
import { programmedOn, proxyMode, rulesOn } from "../node.ts";
import type { Hook } from "../rules/contract.ts";
import { ruleRenderers } from "../rules/index.ts";
import { firstHook, walk } from "../rules/walk.ts";
import { dockerRules } from "./dockerRules.ts";
import type { TraceRule } from "./record.ts";
import type { PacketView, RuleBook } from "./recorder.ts";

export class NodeRuleBook implements RuleBook {
  readonly #run: Run;
  readonly #scenario: ResolvedScenario;

  constructor(run: Run, scenario: ResolvedScenario) {
    this.#run = run;
    this.#scenario = scenario;
  }

  nameOf(host: Host, point: NatHookPoint): string {
    const { cluster } = this.#run;
    if (cluster.proxies[host.index] === undefined) return point;
    return this.#hookName(firstHook(point), point);
  }

  #hookName(hook: Hook, point: NatHookPoint): string {
    if (point === "CONNECT") return "connect()";
    return ruleRenderers[proxyMode(this.#scenario)].hookNames?.[hook] ?? hook.toUpperCase();
  }

  /** The rules that the node's kernel would have matched, walked to the endpoint that the run has chosen. */
  matched(
    host: Host,
    point: NatHookPoint,
    before: PacketView,
    after: PacketView,
  ): readonly TraceRule[] {
    const { cluster, transport } = this.#run;
    const { addresses } = transport.network;
    if (host.nat instanceof DockerNatRules) {
      const daemon = { ...this.#scenario.docker, nat: host.nat, addresses };
      return dockerRules(daemon, point, before, after);
    }
    if (cluster.proxies[host.index] === undefined) return [];
    const family = addresses.family(before.destination);
    const { view, kernel } = programmedOn(this.#run, host.index, family);
    const isTranslated =
      before.destination !== after.destination || before.destinationPort !== after.destinationPort;
    const judge = point === "CONNECT" ? kernel?.socketNat : kernel?.nat;
    const decided = judge instanceof RoutedRules ? judge.route : null;
    // Lost after the rules had let it through: conntrack or the ports of SNAT were full.
    if (decided?.verdict === "endpoints" && !isTranslated) return [];
    const text = addresses.text(after.destination);
    const endpoint = `${family === 6 ? `[${text}]` : text}:${after.destinationPort}`;
    const packet = {
      ...before,
      isMarked: false,
      chosen: isTranslated ? endpoint : null,
      isRemembered: decided?.isRemembered ?? false,
    };
    const isOwn = (address: AddressId): boolean => view.isOwn(address) || view.isLoopback(address);
    const rules = rulesOn(this.#run, this.#scenario, host.index, family);
    const { matched } = walk(rules, point, packet, isOwn);
    return matched.map((rule) => ({ ...rule, hook: this.#hookName(rule.hook, point) }));
  }
}
