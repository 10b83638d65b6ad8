/**
 * What do the three kinds of cluster networking cost, and what does a pod reset do to each: containers of one pod, pods
 * through a ClusterIP, and the outside through a node port, of the node with the pod and of one without?
 */
import {
  closedLoop,
  defineScenario,
  deterministic,
  keepAlive,
  localhost,
  nodePort,
  openLoop,
  outside,
  pods,
  resetPods,
  sidecar,
  type ClientInput,
} from "podstorm";

/** The pod is on node-1. */
const ways: Record<string, Pick<ClientInput, "from" | "to">> = {
  "1-same-pod": { from: sidecar("deploy/web"), to: localhost(80) },
  "2-same-node": { from: pods(1, { node: "node-1" }), to: "svc/web:8080" },
  "2-other-node": { from: pods(1, { node: "node-2" }), to: "svc/web:8080" },
  "3-port-of-its-node": { from: outside(1), to: nodePort("svc/web", { node: "node-1" }) },
  "3-port-of-another": { from: outside(1), to: nodePort("svc/web", { node: "node-2" }) },
};

const clients = Object.entries(ways).flatMap(([name, way]): ClientInput[] => [
  // Twenty requests a second, each on a connection of its own, through both resets.
  { name, ...way, load: openLoop(20, { arrivals: "deterministic" }), timeout: "2s" },
  // One after another on one connection, as fast as answers come, for a second: the throughput.
  {
    name: `${name}-max`,
    ...way,
    load: closedLoop({ users: 1 }),
    connections: keepAlive({ poolSize: 1 }),
    start: "2s",
    stop: "3s",
  },
]);

export default defineScenario({
  duration: "40s",
  cluster: { nodes: 2, manifests: ["./three-types.yaml"] },
  servers: {
    "deploy/web": { concurrency: 64, serviceTime: deterministic("50us"), startupTime: "500ms" },
  },
  clients,
  faults: [
    // The process dies and is started again in its place: same pod, same address.
    resetPods({ selector: "app=web", count: 1, how: "crash", at: "10s" }),
    // kubectl delete pod: another pod takes its place, with another address.
    resetPods({ selector: "app=web", count: 1, how: "delete", at: "25s" }),
  ],
});
