/**
 * How much of a burst is over before an autoscaler helps? The load rises fourfold for two minutes. cAdvisor,
 * metrics-server and the autoscaler each look at their own times, new pods take their time to start, and
 * until then the four pods that are there turn requests away.
 */
import { burst, defineScenario, deterministic, exponential, openLoop, pods } from "podstorm";

// Four pods, one request at a time, 10 ms each: 400 requests/s. At 100 requests/s each uses 25 % of a CPU.
export default defineScenario(({ env }) => ({
  duration: "240s",
  window: "5s",
  cluster: { nodes: 4, manifests: ["./hpa-burst.yaml"] },
  servers: {
    "deploy/api": {
      concurrency: 1,
      queueLimit: 16,
      serviceTime: exponential("10ms"),
      startupTime: deterministic(`${Number(env.STARTUP ?? 5)}s`),
    },
  },
  clients: [
    {
      name: "web",
      from: pods(4),
      to: "svc/api:80",
      load: openLoop(burst({ base: 100, peak: Number(env.PEAK ?? 800), at: "30s", for: "120s" })),
      timeout: "2s",
    },
  ],
}));
