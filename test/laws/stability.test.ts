/**
 * Law 4, stability: a ClusterIP never changes in its Service's life, and a connection never changes its endpoint.
 *
 * Every packet of a connection, from its first SYN to its end, is seen where it arrives: always at one address
 * and port, whatever the rules of the node have become meanwhile.
 *
 * Seen to fail when: conntrack asks the rules again for each packet of an established connection; it forgets
 * established connections after 20 ms; the stored Services have another ClusterIP than the scenario's.
 */
import { expect, test } from "vitest";
import { NO_SOCKET } from "../../src/network/packet.ts";
import type { Run } from "../../src/scenario/compile.ts";
import { scenarios } from "../../src/testing/arbitraries/scenarios.ts";
import { lawHolds, play } from "./law.ts";

/** Looks over the transport's shoulder: where the packets of each connection arrive. */
class Arrivals {
  readonly #places = new Map<string, string>();
  packets = 0;

  constructor({ transport, sim }: Run) {
    const receive = transport.receive.bind(transport);
    transport.receive = (namespace, packet) => {
      if (packet.originSocket !== NO_SOCKET) {
        this.packets++;
        const connection = `socket ${packet.originSocket}, use ${packet.originGeneration}`;
        const place = `${transport.network.addresses.text(packet.destination)}:${packet.destinationPort}`;
        const known = this.#places.get(connection);
        if (known === undefined) this.#places.set(connection, place);
        else if (known !== place) {
          throw new Error(
            `${connection}: a packet for ${known} came to ${place} at ${sim.nowNs} ns`,
          );
        }
      }
      receive(namespace, packet);
    };
  }
}

function clusterIPs({ cluster }: Run): string[] {
  return [...cluster.api.list("Service")].map(
    ({ metadata, spec }) => `${metadata.name} ${spec.clusterIP}`,
  );
}

test("4 stability", () => {
  lawHolds(
    "4 stability",
    scenarios({ clientsMin: 1 }),
    (scenario) => {
      let addresses: string[] = [];
      const { end } = play(scenario, {
        pieces: 4,
        before: (run) => {
          addresses = clusterIPs(run);
          void new Arrivals(run);
        },
        look: (run) => expect(clusterIPs(run)).toEqual(addresses),
      });
      expect(addresses).toHaveLength(scenario.cluster.services.length);
      expect(end.brokenLaws).toEqual([]);
    },
    { cases: 60 },
  );
});
