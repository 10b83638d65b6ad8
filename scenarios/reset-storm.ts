/**
 * If a third of the nginx pods reset three times during a traffic burst, how many requests fail, for how
 * long does each node still send traffic to dead pods, and how uneven is the load afterwards? With -e PROBE=liveness:
 * and do a liveness probe, a slow start and retries let it collapse?
 */
import {
  burst,
  closedLoop,
  defineScenario,
  exponential,
  keepAlive,
  nodePort,
  openLoop,
  outside,
  pods,
  resetPods,
} from "podstorm";

export default defineScenario(({ env }) => ({
  duration: "60s",
  cluster: {
    nodes: 4,
    manifests: [env.PROBE === "liveness" ? "./nginx-liveness.yaml" : "./nginx.yaml"],
  },
  servers: {
    "deploy/nginx": {
      concurrency: 8,
      queueLimit: 64,
      serviceTime: exponential("10ms"),
      responseSize: "8Ki",
      startupTime: env.PROBE === "liveness" ? "5s" : "1s",
      onSigterm: "drain",
    },
  },
  clients: [
    {
      name: "web",
      from: pods(4),
      to: "svc/nginx:8080",
      load: openLoop(burst({ base: Number(env.BASE ?? 400), peak: 1600, at: "15s", for: "20s" })),
      timeout: "2s",
      retries: { attempts: Number(env.ATTEMPTS ?? 3), initialBackoff: "50ms" },
    },
    {
      name: "mobile",
      from: pods(2),
      to: "svc/nginx:8080",
      load: closedLoop({ users: 50, thinkTime: exponential("1s") }),
      connections: keepAlive({ poolSize: 16 }),
      timeout: "2s",
    },
    {
      name: "internet",
      from: outside(2),
      to: nodePort("svc/nginx-public"),
      load: openLoop(200),
      timeout: "2s",
    },
  ],
  faults: [
    resetPods({
      selector: "app=nginx",
      fraction: 1 / 3,
      how: "kill",
      at: "20s",
      every: "5s",
      times: 3,
    }),
  ],
}));
