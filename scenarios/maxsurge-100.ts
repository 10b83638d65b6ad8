/**
 * What does a rollout with maxSurge 100 % save and cost next to 25 %: its time, pods at once, syncs of the
 * nodes?
 */
import { defineScenario, deterministic, exponential, openLoop, pods, setImage } from "podstorm";

export default defineScenario(({ env }) => {
  /** The Deployment that rolls: surge-25 or surge-100. */
  const name = `surge-${env.SURGE ?? 100}`;
  return {
    duration: "60s",
    cluster: { nodes: 4, manifests: ["./maxsurge-100.yaml"] },
    servers: {
      [`deploy/${name}`]: {
        serviceTime: exponential("3ms"),
        startupTime: deterministic("5s"),
      },
    },
    clients: [
      { name: "web", from: pods(4), to: `svc/${name}:80`, load: openLoop(300), timeout: "2s" },
    ],
    faults: [setImage({ workload: `deploy/${name}`, image: "web:2", at: "5s" })],
  };
});
