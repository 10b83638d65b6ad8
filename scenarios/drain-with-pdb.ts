/**
 * What does a PodDisruptionBudget save, and what does it cost, when two of three nodes are drained one after
 * the other?
 */
import { defineScenario, deterministic, drain, openLoop, pods } from "podstorm";

// Six pods, two on a node. Each serves one request at a time, 10 ms each: 600 requests/s in all.
export default defineScenario(({ env }) => ({
  duration: "100s",
  cluster: {
    nodes: 3,
    manifests:
      env.PDB === "none"
        ? ["./drain-with-pdb.yaml"]
        : ["./drain-with-pdb.yaml", "./drain-with-pdb.budget.yaml"],
  },
  servers: {
    "deploy/web": {
      concurrency: 1,
      queueLimit: 16,
      serviceTime: deterministic("10ms"),
      startupTime: deterministic("12s"),
    },
  },
  clients: [
    {
      name: "web",
      from: pods(2, { node: "node-3" }),
      to: "svc/web:80",
      load: openLoop(300),
      timeout: "2s",
    },
  ],
  faults: [drain({ nodes: ["node-1", "node-2"], at: "10s" })],
}));
