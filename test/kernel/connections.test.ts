/**
 * With a node's rules in the machine's own kernel and real sockets behind them, connections land where the
 * model's route says: on the same endpoints, masqueraded or not, refused, or in silence. Where the model has no
 * rule for a packet, its socket sees what it sees without any rules. The cases are the conformance data's, and
 * one for session affinity.
 *
 * Seen to fail: with endpoints left out of KUBE-SVC chains, without the mark in KUBE-EXT (the server sees the
 * client), and without the rules that look into the affinity sets. Packets without a rule: with a model that
 * knows nothing of node ports refused at addresses that have none (iptables), and of ports that no Service has
 * (nftables).
 */
import { afterEach, describe, expect, it } from "vitest";
import { iptablesTraits } from "../../src/kubernetes/proxy/modes/iptables.ts";
import { nftablesTraits } from "../../src/kubernetes/proxy/modes/nftables.ts";
import { emptyRoute, Router } from "../../src/kubernetes/proxy/route.ts";
import { ruleRenderers } from "../../src/inspect/rules/index.ts";
import type { Programmed } from "../../src/inspect/rules/contract.ts";
import {
  firstPacketOf,
  ownScenario,
  packetFlows,
  type Flow,
  type Mode,
} from "../conformance/cases.ts";
import { programmedOf, stickyStep } from "../inspect/programmed.ts";
import { Lab, type Dial } from "./lab.ts";
import { whyNot } from "./namespaces.ts";

const reason = whyNot();
const traits = { iptables: iptablesTraits, nftables: nftablesTraits };

let lab: Lab | null = null;
afterEach(() => {
  lab?.close();
  lab = null;
});

/** What becomes of a flow's connections. */
interface Landing {
  readonly endpoints: readonly string[];
  readonly masqueraded: boolean;
  readonly failure: "refused" | "silence" | null;
}

/** What the model says; null where it leaves the packet to others. */
function expected({ view, table }: Programmed, mode: Mode, flow: Flow): Landing | null {
  const { addresses } = view;
  const packet = firstPacketOf(flow, addresses);
  const route = emptyRoute();
  new Router(table, view, traits[mode]).route(packet, route);
  const { verdict, candidates, masquerade } = route;
  if (verdict === "none" || verdict === "accept") return null;
  return {
    endpoints: candidates.map(({ text }) => text),
    masqueraded: masquerade || candidates.some(({ address }) => address === packet.source),
    failure: verdict === "reject" ? "refused" : verdict === "drop" ? "silence" : null,
  };
}

/** What really happened. */
function landing(results: readonly string[], source: string): Landing {
  const seen = results.filter((result) => result.startsWith("{"));
  const answers = seen.map(
    (text) => JSON.parse(text) as { address: string; port: number; from: string },
  );
  const texts = answers.map(({ address, port }) =>
    address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`,
  );
  const failures = results.filter((result) => !result.startsWith("{"));
  const failure = failures.includes("timeout") ? "silence" : failures.length > 0 ? "refused" : null;
  return {
    endpoints: [...new Set(texts)].toSorted(),
    masqueraded: answers.some(({ from }) => from !== source),
    failure,
  };
}

/** With n endpoints, none is missed but once in 10^9 runs: n (1 - 1/n)^times. */
function timesFor(landed: Landing | null): number {
  return landed === null || landed.failure !== null ? 1 : 1 + 24 * (landed.endpoints.length - 1);
}

async function labFor(programmed: Programmed, sources: readonly string[]): Promise<Lab> {
  const { view, table, ownAddresses, family } = programmed;
  const own = ownAddresses
    .filter((address) => view.addresses.family(address) === family)
    .map((address) => view.addresses.text(address));
  const endpoints = [...table.destinations()].flatMap(({ rules }) =>
    rules.all.map(({ address, port }) => ({ address: view.addresses.text(address), port })),
  );
  const known = new Set([...own, ...endpoints.map(({ address }) => address), "127.0.0.1", "::1"]);
  const clients = [...new Set(sources)].filter((source) => !known.has(source));
  lab = new Lab(family, { own, endpoints, clients });
  await lab.listen();
  return lab;
}

const cases = packetFlows.flatMap((scenario) =>
  scenario.proxyMode.flatMap((mode) =>
    scenario.steps.map((step, i) => ({
      mode,
      scenario,
      step,
      name: `${mode}: ${scenario.id} ${i + 1}`,
    })),
  ),
);

describe.skipIf(reason !== null)("connections through the kernel's own rules", () => {
  it.each(cases)("$name", async ({ mode, scenario, step }) => {
    const programmed = programmedOf(scenario, step, mode);
    // Node's sockets speak no SCTP.
    const flows = step.flows.filter(
      ({ modes, protocol }) => protocol !== "SCTP" && (modes?.includes(mode) ?? true),
    );
    const wanted = flows.map((flow) => expected(programmed, mode, flow));
    const sources = flows.map(({ sourceIP }) => sourceIP);
    const { lines } = ruleRenderers[mode].render(programmed);
    const running = await labFor(programmed, sources);
    running.load(mode, lines);
    const dials = flows.map(({ protocol, sourceIP, destIP, destPort }, i): Dial => {
      const times = timesFor(wanted[i]!);
      const target = { address: destIP, port: destPort, times };
      return { protocol: protocol === "UDP" ? "UDP" : "TCP", source: sourceIP, ...target };
    });
    const landed = running.dial(dials).map((results, i) => landing(results, sources[i]!));
    running.unload();
    const unruled = flows.flatMap((_flow, i) => (wanted[i] === null ? [i] : []));
    const without = running.dial(unruled.map((i) => dials[i]!));
    const asWithout = new Map(
      unruled.map((i, k) => [i, landing(without[k]!, sources[i]!)] as const),
    );
    const names = (all: readonly unknown[]): unknown =>
      all.map((each, i) => [flows[i]!.name, each]);
    expect(names(landed)).toEqual(names(wanted.map((each, i) => each ?? asWithout.get(i))));
  });

  // 12 clients that all meet one of three endpoints by chance: once in 3^11 runs.
  it.each(["iptables", "nftables"] as const)(
    "%s: a client comes back to its endpoint",
    async (mode) => {
      const scenario = ownScenario("internal-external-masquerade-base");
      const [step] = scenario.steps;
      const programmed = programmedOf(scenario, stickyStep(step!), mode);
      const clients = Array.from({ length: 12 }, (_, i) => `203.0.113.${i + 2}`);
      const running = await labFor(programmed, clients);
      running.load(mode, ruleRenderers[mode].render(programmed).lines);
      const target = { protocol: "TCP", address: "172.30.0.99", port: 80, times: 10 } as const;
      const landed = running
        .dial(clients.map((source) => ({ ...target, source })))
        .map((results, i) => landing(results, clients[i]!).endpoints);
      expect(landed.map(({ length }) => length)).toEqual(clients.map(() => 1));
      expect(new Set(landed.flat()).size).toBeGreaterThan(1);
    },
  );
});
