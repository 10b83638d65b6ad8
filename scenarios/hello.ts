/** How long does one pod take to answer another through a Service? The smallest scenario. */
import { constant, defineScenario, openLoop } from "podstorm";

export default defineScenario({
  duration: "10s",
  cluster: { nodes: 2, manifests: ["./hello.yaml"] },
  clients: [{ name: "curl", to: "svc/hello:80", load: openLoop(constant(10)) }],
});
