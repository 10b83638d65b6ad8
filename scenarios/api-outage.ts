/**
 * The API server is away for a while and pods die meanwhile. What goes on, what waits, and what comes all at
 * once when it is back?
 */
import {
  apiOutage,
  defineScenario,
  exponential,
  openLoop,
  pods,
  resetPods,
  rolloutRestart,
} from "podstorm";

/** One Deployment whose pods crash during the outage, one that was rolling when it began. */
const names = ["web", "rolling"];

export default defineScenario(({ env }) => ({
  duration: "90s",
  cluster: { nodes: 4, manifests: ["./api-outage.yaml"] },
  servers: Object.fromEntries(
    names.map((name) => [
      `deploy/${name}`,
      { serviceTime: exponential("4ms"), startupTime: "10s" },
    ]),
  ),
  clients: names.map((name) => ({
    name,
    from: pods(2),
    to: `svc/${name}`,
    load: openLoop(100),
    timeout: "1s",
    retries: { attempts: Number(env.ATTEMPTS ?? 1) },
  })),
  faults: [
    // Under way when the outage begins.
    rolloutRestart({ workload: "deploy/rolling", at: "10s" }),
    apiOutage({ what: env.WHAT === "etcd" ? "etcd" : "server", at: "20s", for: env.FOR ?? "30s" }),
    // Two processes die; their kubelets start them again, which takes 10 s.
    resetPods({ selector: "app=web", count: 2, how: "sigkill", at: "25s" }),
  ],
}));
