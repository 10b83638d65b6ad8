/**
 * What do thousands of Services cost the first packet of a connection and the update of an endpoint, in iptables,
 * nftables and IPVS mode?
 */
import { defineScenario, deterministic, openLoop, pods, resetPods } from "podstorm";

export default defineScenario(({ env }) => ({
  duration: "40s",
  cluster: {
    nodes: 3,
    manifests: ["./iptables-vs-nftables.yaml"],
    filler: { services: Number(env.SERVICES ?? 5000) - 5, endpoints: 2 },
  },
  servers: { "deploy/web": { serviceTime: deterministic("50us") } },
  clients: [1, 2, 3, 4, 5].map((n) => ({
    name: `to-web-${n}`,
    from: pods(3),
    to: `svc/web-${n}:80`,
    load: openLoop(60),
    timeout: "1s",
  })),
  faults: [resetPods({ selector: "app=web", count: 1, how: "delete", at: "5s", every: "20s" })],
  profile: { kubernetes: { kubeProxy: { mode: env.MODE ?? "iptables" } } },
}));
