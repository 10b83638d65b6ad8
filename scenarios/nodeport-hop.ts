/**
 * What does the second hop of a node port cost: how many requests take it, how much later are they answered, and
 * how much less can the cluster deliver?
 */
import {
  closedLoop,
  defineScenario,
  deterministic,
  keepAlive,
  nodePort,
  openLoop,
  outside,
  type ClientInput,
  type ServerInput,
} from "podstorm";

/** Answers of 64 KiB, in 1 ms: the network is what is measured. */
const server: ServerInput = {
  concurrency: 256,
  serviceTime: deterministic("1ms"),
  responseSize: "64Ki",
};

/** A few requests, each on a connection of its own. */
const calm = (name: string, to: ClientInput["to"]): ClientInput => ({
  name,
  from: outside(1),
  to,
  load: openLoop(100),
  stop: "10s",
});

/** As many as ten hosts with links of 10 Gbit/s can take, for half a second: what the five nodes can deliver. */
const flood = (name: string, to: ClientInput["to"], start: `${number}s`): ClientInput => ({
  name,
  from: outside(10),
  to,
  load: closedLoop({ users: 100 }),
  connections: keepAlive(),
  start,
  stop: `${Number.parseFloat(start) + 0.5}s`,
});

export default defineScenario({
  duration: "13s",
  cluster: { nodes: 5, manifests: ["./nodeport-hop.yaml"] },
  servers: { "deploy/one": server, "deploy/five": server },
  clients: [
    calm("one-its-node", nodePort("svc/one", { node: "node-1" })),
    calm("one-another", nodePort("svc/one", { node: "node-2" })),
    calm("five-any-node", nodePort("svc/five")),
    calm("five-local", nodePort("svc/five-local")),
    flood("five-any-node-max", nodePort("svc/five"), "11s"),
    flood("five-local-max", nodePort("svc/five-local"), "12s"),
  ],
});
