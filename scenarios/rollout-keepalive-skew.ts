/**
 * Where are kept connections after a rollout? One client dials for each request, the other keeps its
 * connections.
 */
import {
  closedLoop,
  defineScenario,
  deterministic,
  exponential,
  keepAlive,
  perRequest,
  pods,
  rolloutRestart,
} from "podstorm";

const services = ["dialling", "keeping"];

export default defineScenario({
  duration: "60s",
  window: "5s",
  cluster: { nodes: 4, manifests: ["./rollout-keepalive-skew.yaml"] },
  servers: Object.fromEntries(
    services.map((name) => [
      `deploy/${name}`,
      { serviceTime: exponential("4ms"), startupTime: deterministic("3s") },
    ]),
  ),
  clients: services.map((name) => ({
    name,
    from: pods(4),
    to: `svc/${name}:80`,
    load: closedLoop({ users: 60, thinkTime: exponential("200ms") }),
    connections: name === "keeping" ? keepAlive() : perRequest(),
    timeout: "2s",
  })),
  faults: services.map((name) => rolloutRestart({ workload: `deploy/${name}`, at: "10s" })),
});
