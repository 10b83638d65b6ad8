/** What breaks law 12 workloads? Found by soak, seed 9013. */
import { defineScenario } from "podstorm";

export default defineScenario({
  duration: "59998ms",
  coldStart: false,
  window: "500ms",
  cluster: {
    nodes: 1,
    zones: 2,
    manifests: ["./cluster.yaml"],
  },
  servers: {},
  clients: [],
  faults: [
    {
      kind: "leaderChange",
      at: "37.657544582s",
    },
    {
      kind: "rolloutRestart",
      workload: "deploy/app-0",
      at: "43.628337166s",
    },
  ],
});
