/** How many requests fail when one of three pods is deleted under load, and for how long? */
import {
  constant,
  defineScenario,
  exponential,
  openLoop,
  outside,
  nodePort,
  resetPods,
} from "podstorm";

export default defineScenario({
  // Simulated time. Same scenario and seed, same bytes.
  duration: "30s",
  seed: 1,

  // Four nodes, and what `kubectl apply` would be given: your own manifests can stand here.
  cluster: { nodes: 4, manifests: ["./first.yaml"] },

  // What the manifests do not say: how the pods of a workload serve.
  servers: {
    "deploy/web": {
      concurrency: 8,
      queueLimit: 64,
      serviceTime: exponential("5ms"),
      startupTime: "2s",
      onSigterm: "drain",
    },
  },

  // Who asks: pods inside the cluster through the ClusterIP, and hosts outside through the node port.
  clients: [
    { name: "inside", to: "svc/web:80", load: openLoop(constant(200)), timeout: "2s" },
    {
      name: "outside",
      from: outside(2),
      to: nodePort("svc/web"),
      load: openLoop(constant(50)),
      timeout: "2s",
    },
  ],

  // What goes wrong. `how`: "delete", "crash" or "kill".
  faults: [resetPods({ selector: "app=web", count: 1, how: "delete", at: "10s" })],

  // What has to hold: `sim run` ends with 99 if it does not.
  thresholds: ["requests_failed.rate<1%", "request_duration.p(99)<1s"],
});
