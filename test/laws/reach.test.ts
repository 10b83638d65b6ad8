/**
 * Law 6, reach: a ClusterIP is reached from every node and from no host outside; a node port answers on every
 * node, whether or not a pod of the Service runs there. With policy Local both do only where one does; a node port asked
 * by its own node takes no notice of that.
 *
 * Seen to fail when: addresses that nobody has are routed to the first node; a node port uses the node's own
 * endpoints only; the rules leave OUTPUT alone. With policy Local: when a node without an endpoint falls back on
 * the cluster's, when no endpoint is local to its node, and when a node is no source of its own.
 */
import { expect, test } from "vitest";
import type { AddressId } from "../../src/network/address.ts";
import type { Host, Namespace } from "../../src/network/host.ts";
import type { Socket, SocketError, SocketHandler } from "../../src/network/socket.ts";
import type { Service } from "../../src/kubernetes/api/types.ts";
import type { Run } from "../../src/scenario/compile.ts";
import type { ResolvedScenario } from "../../src/scenario/resolved.ts";
import { scenarios } from "../../src/testing/arbitraries/scenarios.ts";
import { lawHolds, play } from "./law.ts";

/** A connection that is only tried. */
class Attempt implements SocketHandler {
  readonly what: string;
  result: "connected" | "nothing" | SocketError = "nothing";
  readonly #run: Run;

  constructor(run: Run, from: Namespace, address: AddressId, port: number) {
    this.#run = run;
    const { transport } = run;
    this.what = `${from.name} to ${transport.network.addresses.text(address)}:${port}`;
    transport.connect(from, address, port, this, 0);
  }

  connected(socket: Socket): void {
    this.result = "connected";
    this.#run.transport.close(socket);
  }

  failed(_socket: Socket, error: SocketError): void {
    this.result = error;
  }

  message(): void {}

  peerClosed(): void {}
}

/** A host outside. */
function laptopOf({ transport: { network } }: Run): Namespace {
  const address = "192.0.2.7";
  return network.addHost({ name: "laptop", address, cores: 1, tracked: false }).namespace;
}

/** Nodes in their order, with their addresses. */
function nodesOf({ transport: { network } }: Run, { cluster }: ResolvedScenario): readonly Host[] {
  const nodes = network.hosts.filter(({ conntrack }) => conntrack !== null);
  expect(nodes).toHaveLength(cluster.nodes.length);
  return nodes;
}

test("6 reach", () => {
  let nodePorts = 0;
  lawHolds(
    "6 reach",
    scenarios({ faultsMax: 0, coldStart: false, profile: "default" }),
    (scenario) => {
      const answered: Attempt[] = [];
      const unreachable: Attempt[] = [];
      const before = (run: Run): void => {
        const { network } = run.transport;
        const nodes = nodesOf(run, scenario);
        const laptop = laptopOf(run);
        const attempt = (from: Namespace, address: AddressId, port: number): Attempt =>
          new Attempt(run, from, address, port);
        for (const { spec } of scenario.cluster.services) {
          const clusterIP = network.addresses.intern(spec.clusterIP);
          for (const { port, nodePort } of spec.ports) {
            unreachable.push(attempt(laptop, clusterIP, port));
            for (const { namespace, address } of nodes) {
              answered.push(attempt(namespace, clusterIP, port));
              if (nodePort === null) continue;
              nodePorts++;
              answered.push(attempt(laptop, address, nodePort));
            }
          }
        }
      };
      const { end } = play(scenario, { before });
      for (const { what, result } of answered) expect(result, what).toBe("connected");
      for (const { what, result } of unreachable) expect(result, what).toBe("ENETUNREACH");
      expect(end.brokenLaws).toEqual([]);
    },
    { cases: 40 },
  );
  expect(nodePorts).toBeGreaterThan(40);
});

/** Names of the nodes where a pod of the Service is ready. */
function homesOf({ cluster }: Run, { spec }: Service): Set<string | null> {
  const pods = [...cluster.api.list("Pod")].filter(
    ({ metadata, status }) =>
      status.ready.status &&
      Object.entries(spec.selector ?? {}).every(([key, value]) => metadata.labels[key] === value),
  );
  return new Set(pods.map((pod) => pod.spec.nodeName));
}

function withPolicyLocal(scenario: ResolvedScenario): ResolvedScenario {
  const services = scenario.cluster.services.map((service) => ({
    ...service,
    spec: {
      ...service.spec,
      externalTrafficPolicy: "Local" as const,
      internalTrafficPolicy: "Local" as const,
    },
  }));
  return { ...scenario, cluster: { ...scenario.cluster, services } };
}

test("6 reach, policy Local", () => {
  const tried = { answered: 0, silent: 0, own: 0 };
  lawHolds(
    "6 reach",
    scenarios({ faultsMax: 0, coldStart: false, profile: "default" }),
    (given) => {
      const scenario = withPolicyLocal(given);
      const answered: Attempt[] = [];
      const unanswered: Attempt[] = [];
      /** By node: first packets that it has to drop, since endpoints are elsewhere. */
      const dropped = new Map<string, number>();
      const before = (run: Run): void => {
        const { addresses } = run.transport.network;
        const laptop = laptopOf(run);
        for (const service of scenario.cluster.services) {
          const homes = homesOf(run, service);
          const clusterIP = addresses.intern(service.spec.clusterIP);
          for (const { name, namespace, address } of nodesOf(run, scenario)) {
            for (const { port, nodePort } of service.spec.ports) {
              const results = homes.has(name) ? answered : unanswered;
              const isDropped = homes.size > 0 && !homes.has(name);
              const ask = (from: Namespace, at: AddressId, atPort: number): void => {
                results.push(new Attempt(run, from, at, atPort));
                if (isDropped) dropped.set(name, (dropped.get(name) ?? 0) + 1);
              };
              ask(namespace, clusterIP, port);
              if (nodePort === null) continue;
              ask(laptop, address, nodePort);
              if (homes.size === 0) continue;
              // The short cut: what the node itself sends has the cluster's endpoints.
              answered.push(new Attempt(run, namespace, address, nodePort));
              tried.own++;
            }
          }
        }
      };
      const { end } = play(scenario, { before });
      for (const { what, result } of answered) expect(result, what).toBe("connected");
      for (const { what, result } of unanswered) expect(result, what).not.toBe("connected");
      // Not sent to an endpoint elsewhere, whose answer would find no way back.
      for (const [name, count] of dropped) {
        const { drops } = end.hops.find(({ hop }) => hop === `${name}/netfilter`)!;
        const found = drops.find(({ cause }) => cause === "no_local_endpoints")?.count ?? 0;
        expect(found, name).toBeGreaterThanOrEqual(count);
      }
      expect(end.brokenLaws).toEqual([]);
      tried.answered += answered.length;
      tried.silent += unanswered.length;
    },
    { cases: 40 },
  );
  expect(Math.min(tried.answered, tried.silent, tried.own)).toBeGreaterThan(40);
});
