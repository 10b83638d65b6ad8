/**
 * Do new pods help clients that keep their connections? Two Services are scaled from two pods to six; one client
 * dials for each request, the other keeps its connections.
 */
import {
  closedLoop,
  defineScenario,
  exponential,
  keepAlive,
  perRequest,
  pods,
  scale,
} from "podstorm";

const services = ["dialling", "keeping"];

export default defineScenario(({ env }) => ({
  duration: "30s",
  cluster: { nodes: 3, manifests: ["./scaleup-idle-pods.yaml"] },
  servers: Object.fromEntries(
    services.map((name) => [
      `deploy/${name}`,
      { concurrency: 2, queueLimit: 64, serviceTime: exponential("10ms") },
    ]),
  ),
  clients: services.map((name) => ({
    name,
    from: pods(2),
    to: `svc/${name}:80`,
    load: closedLoop({ users: 12, thinkTime: exponential("20ms") }),
    connections:
      name === "keeping"
        ? keepAlive(env.POOL === undefined ? {} : { poolSize: Number(env.POOL) })
        : perRequest(),
    timeout: "2s",
  })),
  faults: services.map((name) => scale({ workload: `deploy/${name}`, replicas: 6, at: "10s" })),
}));
