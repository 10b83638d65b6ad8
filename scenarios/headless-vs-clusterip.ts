/**
 * When pods are replaced, for how long do clients of a headless Service go on dialling dead addresses, next
 * to clients of a ClusterIP?
 */
import { defineScenario, openLoop, pods, resetPods } from "podstorm";

const load = openLoop(60);

export default defineScenario(({ env }) => ({
  duration: "80s",
  cluster: { nodes: 3, manifests: ["./headless.yaml"], dns: {} },
  clients: [
    {
      name: "clusterip",
      from: pods(3),
      to: "dns://web:8080",
      load,
      timeout: "1s",
      resolver: { cache: "record" },
    },
    {
      name: "headless",
      from: pods(3),
      to: "dns://web-headless:8080",
      load,
      timeout: "1s",
      resolver: { cache: env.CACHE ?? "record", pick: "random" },
    },
    {
      name: "headless-forever",
      from: pods(3),
      to: "dns://web-headless:8080",
      load,
      timeout: "1s",
      resolver: { cache: "forever", pick: "random" },
    },
    {
      name: "headless-no-cache",
      from: pods(3),
      to: "dns://web-headless:8080",
      load,
      timeout: "1s",
      resolver: { cache: "none" },
    },
  ],
  faults: [resetPods({ selector: "app=web", count: 2, how: "kill", at: "20s" })],
}));
