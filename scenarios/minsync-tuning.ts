/**
 * What does kube-proxy's minSyncPeriod trade: how late do nodes learn of changes, how many syncs do they make, and how
 * many requests fail, while pods are replaced one after another in a cluster of 5,000 Services?
 */
import { defineScenario, exponential, openLoop, pods, resetPods } from "podstorm";

export default defineScenario(({ env }) => ({
  duration: "60s",
  cluster: {
    nodes: 4,
    manifests: ["./nginx.yaml"],
    filler: { services: Number(env.SERVICES ?? 5000) },
  },
  servers: { "deploy/nginx": { serviceTime: exponential("5ms"), startupTime: "1s" } },
  clients: [
    { name: "web", from: pods(4), to: "svc/nginx:8080", load: openLoop(400), timeout: "1s" },
  ],
  faults: [
    resetPods({
      selector: "app=nginx",
      count: 1,
      how: "delete",
      at: "10s",
      every: "700ms",
      times: 40,
    }),
  ],
  profile: { kubernetes: { kubeProxy: { iptables: { minSyncPeriod: env.MIN_SYNC ?? "1s" } } } },
}));
