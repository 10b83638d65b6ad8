/**
 * One node of a run, as its rules are rendered: what it has programmed at this instant.
 *
 * Owns: picking that out of a run. Refuses to own: what rules it comes to (rules/).
 */
import type { KubeProxy } from "../kubernetes/proxy/kubeProxy.ts";
import type { ProxyModeName } from "../kubernetes/proxy/modes/index.ts";
import type { Proxier } from "../kubernetes/proxy/proxier.ts";
import type { Run } from "../scenario/compile.ts";
import type { ResolvedScenario } from "../scenario/resolved.ts";
import type { Programmed, Ruleset } from "./rules/contract.ts";
import { ruleRenderers } from "./rules/index.ts";

export function proxyMode({ profile }: ResolvedScenario): ProxyModeName {
  return profile.kubernetes.kubeProxy.mode;
}

/** @param node its index among the cluster's nodes */
export function programmedOn(
  { cluster, transport }: Pick<Run, "cluster" | "transport">,
  node: number,
  family: 4 | 6,
): Programmed {
  const { network } = transport;
  const proxier = proxierOf(cluster.proxies[node]!, family);
  const { table, view, size, profile } = cluster.planes[node]![proxier.family]!;
  const ownAddresses = [...network.hosts[node]!.namespace.addresses].filter(
    (address) => network.addresses.family(address) === family && !view.isLoopback(address),
  );
  return { table, view, size: size(), profile, kernel: proxier.kernel, ownAddresses, family };
}

/** Where Services have one family, there is nothing of the other to be found in what there is. */
function proxierOf(proxy: KubeProxy, family: 4 | 6): Proxier {
  return proxy.of(family) ?? proxy.proxiers[0]!;
}

export function rulesOn(
  run: Pick<Run, "cluster" | "transport">,
  scenario: ResolvedScenario,
  node: number,
  family: 4 | 6,
): Ruleset {
  return ruleRenderers[proxyMode(scenario)].render(programmedOn(run, node, family));
}
