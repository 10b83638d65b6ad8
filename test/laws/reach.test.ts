/**
 * Law 6, reach: a ClusterIP is reached from every node and from no host outside; a node port answers on every
 * node, whether or not a pod of the Service runs there.
 *
 * Seen to fail when: addresses that nobody has are routed to the first node; a node port uses the node's own
 * endpoints only; the rules leave OUTPUT alone.
 */
import { expect, test } from "vitest";
import type { AddressId } from "../../src/network/address.ts";
import type { Namespace } from "../../src/network/host.ts";
import type { Socket, SocketError, SocketHandler } from "../../src/network/socket.ts";
import type { Run } from "../../src/scenario/compile.ts";
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
        const nodes = network.hosts.filter(({ conntrack }) => conntrack !== null);
        expect(nodes).toHaveLength(scenario.cluster.nodes.length);
        const laptop = network.addHost({
          name: "laptop",
          address: "192.0.2.7",
          cores: 1,
          tracked: false,
        });
        const attempt = (from: Namespace, address: AddressId, port: number): Attempt =>
          new Attempt(run, from, address, port);
        for (const { spec } of scenario.cluster.services) {
          const clusterIP = network.addresses.intern(spec.clusterIP);
          for (const { port, nodePort } of spec.ports) {
            unreachable.push(attempt(laptop.namespace, clusterIP, port));
            for (const { namespace, address } of nodes) {
              answered.push(attempt(namespace, clusterIP, port));
              if (nodePort === null) continue;
              nodePorts++;
              answered.push(attempt(laptop.namespace, address, nodePort));
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
