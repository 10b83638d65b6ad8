/** How long must a preStop sleep be for a rolling replacement of pods to cost not one request? */
import { defineScenario, exponential, openLoop, pods, resetPods } from "podstorm";

/** Seconds of preStop sleep: a Deployment, a Service and a client of each in the manifest. */
const sleeps = [0, 1, 2, 5];

export default defineScenario(({ env }) => ({
  duration: "40s",
  cluster: { nodes: 4, manifests: ["./prestop-sweep.yaml"] },
  servers: Object.fromEntries(
    sleeps.map((sleep) => [`deploy/sleep-${sleep}`, { serviceTime: exponential("3ms") }]),
  ),
  clients: sleeps.map((sleep) => ({
    name: `sleep-${sleep}`,
    from: pods(2),
    to: `svc/sleep-${sleep}:80`,
    load: openLoop(150),
    timeout: "2s",
  })),
  // Of each Deployment one pod after another is told to go, as a rollout does.
  faults: sleeps.map((sleep) =>
    resetPods({ selector: `app=sleep-${sleep}`, count: 1, at: "5s", every: "4500ms", times: 6 }),
  ),
  profile: {
    kubernetes: { kubeProxy: { iptables: { minSyncPeriod: env.MIN_SYNC ?? "1s" } } },
  },
}));
