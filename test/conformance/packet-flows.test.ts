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
import { TransportProtocol, type FirstPacket } from "../../src/network/nat.ts";
import { nodeOf, packetFlows } from "./cases.ts";

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
  const cases = scenario.proxyMode.flatMap((mode) =>
    scenario.steps.flatMap((step) =>
      step.flows
        .filter(({ modes }) => modes === undefined || modes.includes(mode))
        .map((flow) => ({ mode, step, flow, name: `${mode}, ${step.description}: ${flow.name}` })),
    ),
  );

  it.each(cases)("$name", ({ mode, step, flow }) => {
    const { table, view } = nodeOf(scenario, step, mode);
    const { addresses } = view;
    const router = new Router(table, view, traits[mode]);
    const source = addresses.intern(flow.sourceIP);
    const packet: FirstPacket = {
      protocol: TransportProtocol[flow.protocol],
      source,
      sourcePort: 40_000,
      destination: addresses.intern(flow.destIP),
      destinationPort: flow.destPort,
      destinationIsLocal: false,
      originSocket: -1,
    };
    const route = emptyRoute();
    router.route(packet, route);
    const isHairpin = route.candidates.some(({ address }) => address === source);
    expect({ output: outputOf(route), masq: route.masquerade || isHairpin }).toEqual({
      output: flow.output,
      masq: flow.masq,
    });
  });
});
