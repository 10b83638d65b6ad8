/** A zone goes dark. What do clients in the other zones see, with topology hints and without? */
import { defineScenario, exponential, openLoop, pods, zoneOutage } from "podstorm";

const names = ["any-zone", "same-zone"];

export default defineScenario(({ env }) => ({
  duration: "120s",
  cluster: { nodes: 6, zones: 3, manifests: ["./zone-outage.yaml"] },
  servers: { "deploy/web": { serviceTime: exponential("5ms") } },
  // node-1 is in zone-1, node-2 in zone-2, node-3 in zone-3.
  clients: names.flatMap((name) =>
    [1, 2, 3].map((zone) => ({
      name: `${name}-zone-${zone}`,
      from: pods(1, { node: `node-${zone}` }),
      to: `svc/${name}`,
      load: openLoop(50),
      timeout: "1s",
    })),
  ),
  faults: [
    zoneOutage({
      zone: "zone-3",
      how: env.HOW === "network" ? "network" : "power",
      at: "20s",
      for: "80s",
    }),
  ],
}));
