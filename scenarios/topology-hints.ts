/**
 * How much traffic do topology hints keep in its zone, and what becomes of a zone that has more clients than pods?
 */
import {
  defineScenario,
  exponential,
  openLoop,
  pods,
  type ClientInput,
  type ServerInput,
} from "podstorm";

/** A pod can serve 100 requests a second. */
const server: ServerInput = { concurrency: 1, queueLimit: 50, serviceTime: exponential("10ms") };

/** One Service after the other, ten seconds each, from the same three nodes: one in each zone. */
const clients = ["none", "auto", "prefer", "auto-eight"].flatMap((service, turn) =>
  [1, 2, 3].map((zone): ClientInput => ({
    name: `${service}-zone-${zone}`,
    from: pods(1, { node: `node-${zone}` }),
    to: `svc/${service}`,
    load: openLoop(150),
    timeout: "2s",
    start: `${15 * turn}s`,
    stop: `${15 * turn + 10}s`,
  })),
);

export default defineScenario({
  duration: "60s",
  cluster: { nodes: 6, zones: 3, manifests: ["./topology-hints.yaml"] },
  servers: {
    "deploy/nine-a": server,
    "deploy/nine-b": server,
    "deploy/nine-c": server,
    "deploy/eight": server,
  },
  clients,
});
