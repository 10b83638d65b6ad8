/**
 * What does a traffic burst alone do? The load rises above what twelve pods can serve, so queues fill,
 * answers come late and some are refused with 503; but no pod goes away, so no route is stale.
 *
 * The readiness probe opens a connection and sends no request (burst.yaml). With nginx.yaml's httpGet a full
 * server would answer its own probe 503, and pods that turn unready would mix stale routes into the burst.
 */
import { burst, defineScenario, exponential, nodePort, openLoop, outside, pods } from "podstorm";

// Twelve pods, 2 requests at a time each, 20 ms per request: 12 * 2 / 0.02 s = 1200 requests/s.
export default defineScenario(({ env }) => ({
  duration: "60s",
  cluster: { nodes: 4, manifests: ["./burst.yaml"] },
  servers: {
    "deploy/nginx": { concurrency: 2, queueLimit: 32, serviceTime: exponential("20ms") },
  },
  clients: [
    {
      name: "web",
      from: pods(4),
      to: "svc/nginx:8080",
      load: openLoop(burst({ base: 300, peak: Number(env.PEAK ?? 1300), at: "20s", for: "10s" })),
      timeout: "2s",
    },
    {
      name: "internet",
      from: outside(2),
      to: nodePort("svc/nginx-public"),
      load: openLoop(100),
      timeout: "2s",
    },
  ],
}));
