/**
 * The leader of kube-controller-manager dies. Until another replica may take its Lease, no controller acts, and
 * pods are deleted meanwhile. Is a preStop sleep that was always long enough still long enough?
 */
import { defineScenario, exponential, leaderChange, openLoop, pods, resetPods } from "podstorm";

/** preStop: none, 5 s, 25 s. */
const names = ["no-sleep", "short-sleep", "long-sleep"];

export default defineScenario(({ env }) => ({
  duration: "90s",
  cluster: { nodes: 4, manifests: ["./leader-change.yaml"] },
  servers: Object.fromEntries(
    names.map((name) => [`deploy/${name}`, { serviceTime: exponential("4ms") }]),
  ),
  clients: names.map((name) => ({
    name,
    from: pods(2),
    to: `svc/${name}`,
    load: openLoop(100),
    timeout: "1s",
  })),
  faults: [
    ...(env.LEADER === "stays" ? [] : [leaderChange({ at: "20s" })]),
    ...names.map((name) => resetPods({ selector: { app: name }, count: 2, at: "21s" })),
  ],
}));
