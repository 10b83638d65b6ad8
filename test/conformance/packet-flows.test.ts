/**
 * What the real kube-proxy does with a connection's first packet, as its own unit tests say it, against the
 * code that routes simulated packets. Data: test/conformance/README.md.
 *
 * Seen to fail: without the pod rule of externalTrafficPolicy Local (KUBE-EXT's first rule), 5 flows of
 * `internal-external-masquerade-base` and the scenario of test/kubernetes/proxy-routes.test.ts.
 */
import { describe, expect, it } from "vitest";
import { iptablesTraits } from "../../src/kubernetes/proxy/modes/iptables.ts";
import { nftablesTraits } from "../../src/kubernetes/proxy/modes/nftables.ts";
import { emptyRoute, Router, type Route } from "../../src/kubernetes/proxy/route.ts";
import { firstPacketOf, flowCases, nodeOf, packetFlows } from "./cases.ts";

const traits = { iptables: iptablesTraits, nftables: nftablesTraits };

/** As upstream's tracer words it. */
function outputOf({ verdict, candidates }: Route): string {
  switch (verdict) {
    case "none":
      return "";
    case "endpoints":
      return candidates.map(({ text }) => text).join(", ");
    case "accept":
    case "drop":
    case "reject":
      return verdict.toUpperCase();
  }
}

describe.each(packetFlows)("$id", (scenario) => {
  it.each(flowCases(scenario))("$name", ({ mode, step, flow }) => {
    const { table, view } = nodeOf(scenario, step, mode);
    const { addresses } = view;
    const router = new Router(table, view, traits[mode]);
    const packet = firstPacketOf(flow, addresses);
    const route = emptyRoute();
    router.route(packet, route);
    const isHairpin = route.candidates.some(({ address }) => address === packet.source);
    expect({ output: outputOf(route), masq: route.masquerade || isHairpin }).toEqual({
      output: flow.output,
      masq: flow.masq,
    });
  });
});
