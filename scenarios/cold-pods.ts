/**
 * A rollout replaces warm pods by cold ones. How many requests does that cost, and what helps: being ready later,
 * one pod at a time, or clients that give a new pod a growing share?
 */
import { defineScenario, exponential, openLoop, pods, rolloutRestart } from "podstorm";

const names = ["cold", "ready-later", "one-at-a-time", "slow-start"];

export default defineScenario(({ env }) => {
  const factor = Number(env.FACTOR ?? 10);
  return {
    duration: "120s",
    window: "5s",
    cluster: { nodes: 4, manifests: ["./cold-pods.yaml"], dns: {} },
    // Warm, a pod serves 400 requests/s, and its first request takes ten times as long as its thousandth.
    servers: Object.fromEntries(
      names.map((name) => [
        `deploy/${name}`,
        {
          concurrency: 4,
          serviceTime: exponential("10ms"),
          startupTime: "2s",
          warmUp: env.WARM === "time" ? { factor, time: "30s" } : { factor, requests: 1000 },
        },
      ]),
    ),
    clients: names.map((name) => ({
      name,
      from: pods(2),
      ...(name === "slow-start"
        ? { to: `dns://${name}:80`, resolver: { pick: "random", cache: "5s", slowStart: "60s" } }
        : { to: `svc/${name}` }),
      load: openLoop(200),
      timeout: "1s",
    })),
    faults: names.map((name) => rolloutRestart({ workload: `deploy/${name}`, at: "20s" })),
  };
});
