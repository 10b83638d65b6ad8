/**
 * A node loses power under load. How long do clients send to pods that are gone, how long until there are new
 * ones, and which setting shortens which?
 */
import { crashNode, defineScenario, exponential, openLoop, pods } from "podstorm";

/** Two Deployments alike, but for how long their pods tolerate a node that cannot be reached: 300 s and 30 s. */
const names = ["patient", "quick"];

export default defineScenario(({ env }) => ({
  duration: "420s",
  window: "5s",
  cluster: { nodes: 4, manifests: ["./node-loss.yaml"] },
  servers: Object.fromEntries(
    names.map((name) => [`deploy/${name}`, { serviceTime: exponential("5ms") }]),
  ),
  // On a node that stays.
  clients: names.map((name) => ({
    name,
    from: pods(2, { node: "node-1" }),
    to: `svc/${name}`,
    load: openLoop(20),
    timeout: "1s",
    retries: { attempts: Number(env.ATTEMPTS ?? 1) },
  })),
  faults: [crashNode({ nodes: "node-4", at: "20s" })],
  profile: {
    kubernetes: { controllerManager: { nodeLifecycle: { grace: env.GRACE ?? "50s" } } },
  },
}));
