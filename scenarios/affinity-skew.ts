/**
 * How uneven does session affinity make the load: with everybody behind one NAT, with few clients, with many? And
 * does it hold?
 */
import { defineScenario, nodePort, openLoop, outside, type ClientInput } from "podstorm";

/** Addresses that call each Service; together always 400 times a second, each time on a new connection. */
const addresses = { free: 1, nat: 1, few: 5, many: 200, crowd: 800, brief: 800 };

/** One Service after the other, so that each has the pods for itself. */
const clients = Object.entries(addresses).map(([service, count], turn): ClientInput => ({
  name: `${service}-${count}`,
  from: outside(count),
  to: nodePort(`svc/${service}`, { node: "node-1" }),
  load: openLoop(400),
  start: `${10 * turn}s`,
  stop: `${10 * turn + 9}s`,
}));

export default defineScenario(({ env }) => ({
  duration: "60s",
  cluster: { nodes: 2, manifests: ["./affinity-skew.yaml"] },
  // 4 ms a request, two at a time: a pod can serve 500 a second.
  servers: { "deploy/web": { concurrency: 2 } },
  clients,
  profile: { kubernetes: { kubeProxy: { mode: env.MODE ?? "iptables" } } },
}));
