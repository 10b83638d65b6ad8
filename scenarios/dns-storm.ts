/**
 * What do five search domains cost: how long do lookups of an outside name take when every client starts
 * asking at once, and what does a cache on the node save?
 */
import { burst, constant, defineScenario, lookup, openLoop, pods } from "podstorm";

export default defineScenario(({ env }) => ({
  duration: "10s",
  cluster: {
    nodes: 4,
    dns: { replicas: Number(env.REPLICAS ?? 2), nodeLocal: env.NODE_LOCAL === "1" },
  },
  clients: [
    {
      name: "short-name",
      from: pods(8),
      to: lookup(env.NAME ?? "api.example.com"),
      load: openLoop(
        burst({ base: 200, peak: Number(env.PEAK ?? 10_000), at: "2s", for: "1500ms" }),
      ),
      resolver: { ndots: Number(env.NDOTS ?? 5) },
      timeout: "30s",
    },
    {
      name: "bystander",
      to: lookup("kube-dns.kube-system"),
      load: openLoop(constant(20)),
      timeout: "30s",
    },
  ],
}));
