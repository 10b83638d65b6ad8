/**
 * What does the cluster look like when nothing goes wrong? Steady traffic far below capacity, from
 * inside and outside: not one request may fail.
 */
import {
  closedLoop,
  constant,
  defineScenario,
  exponential,
  keepAlive,
  nodePort,
  openLoop,
  outside,
  pods,
} from "podstorm";

export default defineScenario({
  duration: "30s",
  cluster: { nodes: 4, manifests: ["./nginx.yaml"] },
  servers: {
    "deploy/nginx": { concurrency: 8, queueLimit: 64, serviceTime: exponential("4ms") },
  },
  clients: [
    {
      name: "web",
      from: pods(4),
      to: "svc/nginx:8080",
      load: closedLoop({ users: 40, thinkTime: exponential("1s") }),
      connections: keepAlive({ poolSize: 32 }),
    },
    {
      name: "internet",
      from: outside(2),
      to: nodePort("svc/nginx-public"),
      load: openLoop(constant(100)),
    },
  ],
});
