/**
 * What does externalTrafficPolicy Local give and cost, next to Cluster: client addresses, hops, balance, and
 * requests when the last pod of a node goes?
 */
import {
  defineScenario,
  deterministic,
  loadBalancer,
  nodePort,
  openLoop,
  outside,
  resetPods,
  type ClientInput,
} from "podstorm";

/** A pod has one worker and takes 5 ms a request; a new one takes 30 s until it is ready. */
const server = {
  concurrency: 1,
  serviceTime: deterministic("5ms"),
  startupTime: deterministic("30s"),
};

const clients = ["cluster", "local"].flatMap((service): ClientInput[] => [
  {
    name: `${service}-balancer`,
    from: outside(20),
    to: loadBalancer(`svc/${service}`),
    load: openLoop(180),
    timeout: "2s",
  },
  // Whoever dials node ports by himself knows nothing of pods: any of the three nodes.
  {
    name: `${service}-node-port`,
    from: outside(2),
    to: nodePort(`svc/${service}`),
    load: openLoop(30),
    timeout: "2s",
  },
]);

export default defineScenario(({ env }) => ({
  duration: "60s",
  cluster: { nodes: 3, manifests: ["./etp-local.yaml"] },
  servers: {
    "deploy/cluster-pair": server,
    "deploy/cluster-single": server,
    "deploy/local-pair": server,
    "deploy/local-single": server,
  },
  clients,
  faults: [
    // The only pods on node-2: one of each Service.
    resetPods({ selector: "pods=single", fraction: 1, how: env.HOW ?? "kill", at: "10s" }),
  ],
}));
