/**
 * What do liveness probes do to servers that a burst keeps busy? Next to the same probe as readiness, and a liveness
 * probe with more patience.
 */
import { burst, defineScenario, exponential, openLoop, pods } from "podstorm";

const names = ["liveness", "readiness", "patient"];

// Four pods, one request at a time, 10 ms each: 400 requests/s.
export default defineScenario(({ env }) => ({
  duration: "60s",
  cluster: { nodes: 4, manifests: ["./liveness-cascade.yaml"] },
  servers: Object.fromEntries(
    names.map((name) => [
      `deploy/${name}`,
      {
        concurrency: 1,
        queueLimit: 300,
        serviceTime: exponential("10ms"),
        startupTime: "10s",
      },
    ]),
  ),
  clients: names.map((name) => ({
    name,
    from: pods(2),
    to: `svc/${name}`,
    load: openLoop(burst({ base: 240, peak: Number(env.PEAK ?? 600), at: "20s", for: "10s" })),
    timeout: "3s",
  })),
}));
