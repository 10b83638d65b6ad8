/**
 * Is kube-proxy's random choice costing capacity? The same requests through iptables, and through IPVS with any of
 * its schedulers (-e SCHEDULER=rr).
 */
import { defineScenario, exponential, openLoop, pods, type ProfileOverride } from "podstorm";

/** iptables knows one way to choose; IPVS has many. */
function kubeProxy(scheduler: string): ProfileOverride {
  const isIpvs = scheduler !== "random";
  const settings = isIpvs ? { mode: "ipvs", ipvs: { scheduler } } : { mode: "iptables" };
  return { kubernetes: { kubeProxy: settings } } as ProfileOverride;
}

// Ten pods, one request at a time, 10 ms each: 1000 requests/s.
export default defineScenario(({ env }) => ({
  duration: "30s",
  cluster: { nodes: 5, manifests: ["./random-vs-rr.yaml"] },
  servers: { "deploy/web": { concurrency: 1, queueLimit: 1000, serviceTime: exponential("10ms") } },
  clients: [
    {
      name: "web",
      // All on one node, or each on a node of its own.
      from: pods(Number(env.CLIENTS ?? 1)),
      to: "svc/web",
      load: openLoop(Number(env.RATE ?? 700)),
      timeout: "10s",
    },
  ],
  profile: kubeProxy(env.SCHEDULER ?? "random"),
}));
