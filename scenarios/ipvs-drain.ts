/**
 * What becomes of connections when a pod is deleted under load, in IPVS mode and in iptables mode: those that live, those
 * that are opened, and those that use a client's port again?
 */
import {
  defineScenario,
  deterministic,
  keepAlive,
  openLoop,
  outside,
  nodePort,
  pods,
  resetPods,
} from "podstorm";

export default defineScenario(({ env }) => ({
  duration: "120s",
  window: "5s",
  cluster: { nodes: 2, manifests: ["./ipvs-drain.yaml"] },
  servers: { "deploy/web": { serviceTime: deterministic("500us"), onSigterm: "drain" } },
  clients: [
    {
      name: "kept",
      from: pods(2),
      to: "svc/web:80",
      load: openLoop(50),
      connections: keepAlive(),
      timeout: "1s",
    },
    { name: "new", from: pods(1), to: "svc/web:80", load: openLoop(50), timeout: "1s" },
    {
      name: "port-reuse",
      from: outside(1),
      to: nodePort("svc/web", { node: "node-1" }),
      load: openLoop(200),
      timeout: "1s",
    },
  ],
  faults: [resetPods({ selector: "app=web", count: 1, how: "delete", at: "90s" })],
  profile: {
    kubernetes: {
      kubeProxy: {
        mode: env.MODE ?? "ipvs",
        ipvs: { connReuseMode: Number(env.REUSE ?? 1) },
      },
    },
    // So few local ports that a client host uses each of them again after 65 s.
    network: { tcp: { localPortLast: 32_768 + 13_000 } },
  },
}));
