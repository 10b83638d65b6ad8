/**
 * Law 2, membership: a node sends a new connection only to an endpoint that its own programmed rules hold for the
 * Service; so a pod that left gets none from a node that has programmed its removal.
 *
 * Seen to fail when: rules come into force a second after the sync that reported them; iptables chooses from the
 * first rules that it had for the Service; it translates to the address next to the chosen one (only the look at
 * conntrack sees that).
 */
import { expect, test } from "vitest";
import { Direction } from "../../src/network/conntrackTable.ts";
import type { Observer } from "../../src/observe/observations.ts";
import type { Run } from "../../src/scenario/compile.ts";
import { scenarios } from "../../src/testing/arbitraries/scenarios.ts";
import { lawHolds, play } from "./law.ts";

interface Endpoint {
  readonly service: number;
  readonly ip: string;
  /** In truth, as of the last change. */
  usable: boolean;
  /** Nodes whose rules hold it as usable; null: all, since before the run. */
  nodes: Set<number> | null;
}

/** What each node has programmed, told by observations only; beside it the rules that node has in force. */
class Picture implements Observer {
  run: Run | null = null;
  readonly routed = new Set<string>();
  readonly #nodes: string[] = [];
  readonly #services: string[] = [];
  readonly #endpoints: Endpoint[] = [];
  readonly #changed: Endpoint[] = [];
  readonly #changeIsUsable: boolean[] = [];

  nodeNamed(_node: number, name: string): void {
    this.#nodes.push(name);
  }

  serviceNamed(_service: number, name: string): void {
    this.#services.push(name);
  }

  endpointNamed(_endpoint: number, service: number, address: string): void {
    const ip = address.slice(0, address.lastIndexOf(":"));
    this.#endpoints.push({ service, ip, usable: true, nodes: null });
  }

  endpointChanged(
    id: number,
    service: string,
    address: string,
    change: string,
    _atNs: number,
    usable: 0 | 1,
  ): void {
    const index = this.#services.indexOf(service);
    const endpoint = this.#endpoints.findLast(
      (each) => each.service === index && address.startsWith(`${each.ip}:`),
    )!;
    endpoint.usable = usable === 1;
    if (change === "added") endpoint.nodes = new Set();
    this.#changed[id] = endpoint;
    this.#changeIsUsable[id] = usable === 1;
  }

  endpointProgrammed(id: number, name: string): void {
    const endpoint = this.#changed[id]!;
    const node = this.#nodes.indexOf(name);
    endpoint.nodes ??= new Set(this.#nodes.keys());
    if (this.#changeIsUsable[id]) endpoint.nodes.add(node);
    else endpoint.nodes.delete(node);
  }

  hasEndpoint(ip: string): boolean {
    return this.#endpoints.some((endpoint) => endpoint.ip === ip);
  }

  connectionRouted(node: number, index: number, atNs: number): void {
    const endpoint = this.#endpoints[index]!;
    const { service, ip, usable } = endpoint;
    const where = `${this.#nodes[node]} to ${ip} of ${this.#services[service]} at ${atNs} ns`;
    this.routed.add(`${node} ${ip}`);
    const ready = this.#endpoints.filter((each) => each.service === service && isOn(each, node));
    // With no ready endpoint at all kube-proxy falls back to those that terminate and still serve.
    const isFallback = ready.length === 0 && !usable;
    if (!isOn(endpoint, node) && !isFallback) throw new Error(`not programmed: ${where}`);
    if (!this.#rulesHold(node, this.#services[service]!, ip)) throw new Error(`no rule: ${where}`);
  }

  /** Asked in the middle of the decision: what is in force at this instant. */
  #rulesHold(node: number, key: string, ip: string): boolean {
    const { cluster, transport } = this.run!;
    const service = [...cluster.api.list("Service")].find(
      ({ metadata }) => `${metadata.namespace}/${metadata.name}` === key,
    );
    const address = transport.network.addresses.intern(service!.spec.clusterIP);
    return service!.spec.ports.some(({ port }) => {
      const rules = cluster.proxies[node]!.of(4)!.table.atAddress(address, 6, port)?.rules;
      return rules?.cluster?.some(({ text }) => text.startsWith(`${ip}:`));
    });
  }
}

function isOn({ nodes }: Endpoint, node: number): boolean {
  return nodes === null || nodes.has(node);
}

/** What conntrack translates to is what the node was seen to choose. */
function checkTranslations({ transport: { network }, cluster }: Run, picture: Picture): void {
  const pods = [...cluster.api.list("Pod")];
  const { conntracks } = network;
  for (let id = 0; id < conntracks.size; id++) {
    const endpoint = conntracks.sourceOf(id, Direction.reply);
    const dialled = conntracks.destinationOf(id, Direction.original);
    if (!conntracks.isAlive(id) || endpoint === dialled) continue;
    const ip = network.addresses.text(endpoint);
    if (ip.startsWith("10.244.") && !picture.hasEndpoint(ip)) {
      // A pod that became ready only after it was told to go can be a fallback; nobody is told of it.
      const pod = pods.find(({ status }) => status.podIPs.includes(ip));
      expect(pod?.metadata.deletionTimestampNs, `pod at ${ip}`).not.toBeNull();
      continue;
    }
    const choice = `${conntracks.hostOf(id)} ${ip}`;
    expect(picture.routed.has(choice), `host and address ${choice} were chosen`).toBe(true);
  }
}

test("2 membership", () => {
  lawHolds(
    "2 membership",
    scenarios({ clientsMin: 1, durationMs: [1500, 5000] }),
    (scenario) => {
      const picture = new Picture();
      const { end } = play(scenario, {
        observers: [picture],
        pieces: 10,
        before: (run) => (picture.run = run),
        look: (run) => checkTranslations(run, picture),
      });
      expect(end.brokenLaws).toEqual([]);
    },
    { cases: 80 },
  );
});
