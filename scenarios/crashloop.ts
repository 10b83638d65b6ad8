/**
 * One pod of four runs out of memory again and again. What does each crash cost clients, how long is the pod
 * away each time, and what does that do to the Service?
 */
import { defineScenario, exponential, openLoop, pods, type ServerInput } from "podstorm";

/** 64 MiB and 8 MiB a request: more than a limit of 96 MiB holds when five come at a time. */
const server: ServerInput = {
  serviceTime: exponential("100ms"),
  startupTime: "1s",
  memory: "64Mi",
  memoryPerRequest: "8Mi",
};

export default defineScenario({
  duration: "900s",
  window: "10s",
  cluster: { nodes: 4, manifests: ["./crashloop.yaml"] },
  servers: { "deploy/web": server, "deploy/web-small": server },
  clients: [
    {
      name: "web",
      from: pods(2),
      to: "svc/web",
      load: openLoop(60),
      timeout: "2s",
    },
  ],
});
