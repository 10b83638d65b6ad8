/**
 * The API server is away for half a minute, in the middle of a rollout, and two processes die meanwhile. What goes
 * on, what waits, and what comes when it is back?
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
  })),
  faults: [
    // Its first pods are starting when the outage begins.
    rolloutRestart({ workload: "deploy/rolling", at: "10s" }),
    ...(env.OUTAGE === "none"
      ? []
      : [apiOutage({ what: env.OUTAGE === "etcd" ? "etcd" : "server", at: "20s", for: "30s" })]),
    // Their kubelets start them again at once, and they listen 10 s later.
    resetPods({ selector: "app=web", count: 2, how: "sigkill", at: "25s" }),
  ],
}));
