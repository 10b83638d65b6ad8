/** What does a rolling update cost with and without a readiness probe, with and without a preStop sleep? */
import { defineScenario, deterministic, exponential, openLoop, pods, setImage } from "podstorm";

/** What a Deployment's pods have: a Deployment, a Service and a client of each in the manifest. */
const kinds = ["neither", "readiness", "prestop", "both"];

export default defineScenario(({ env }) => ({
  duration: "30s",
  cluster: { nodes: 4, manifests: ["./rolling-update.yaml"] },
  servers: Object.fromEntries(
    kinds.map((kind) => [
      `deploy/${kind}`,
      {
        serviceTime: exponential("3ms"),
        // A process that runs does not listen yet.
        startupTime: deterministic(env.STARTUP ?? "3s"),
      },
    ]),
  ),
  clients: kinds.map((kind) => ({
    name: kind,
    from: pods(2),
    to: `svc/${kind}:80`,
    load: openLoop(150),
    timeout: "2s",
  })),
  faults: kinds.map((kind) => setImage({ workload: `deploy/${kind}`, image: "web:2", at: "5s" })),
}));
