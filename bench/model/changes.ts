/** Endpoint changes on 100 nodes: from a pod's deletion to the rules of every node. */
import { seconds } from "../../src/engine/index.ts";
import { resetPods } from "../../src/index.ts";
import type { Benchmark } from "../harness.ts";
import { resolve, runFor } from "./scenario.ts";

const NODES = 100;
/** Each strike replaces a pod: one endpoint goes, one comes. */
const CHANGES_PER_STRIKE = 2;

export const endpointChanges: Benchmark = {
  name: "model: endpoint changes on 100 nodes",
  unit: "changes",
  size: 100,
  tinySize: 2,
  run(size) {
    const durationS = size + 30;
    const scenario = resolve("changes", {
      duration: `${durationS}s`,
      cluster: { nodes: NODES, manifests: ["./hundred.yaml"] },
      faults: [
        resetPods({
          selector: "app=server",
          count: 1,
          how: "delete",
          at: "1s",
          every: "1s",
          times: size,
        }),
      ],
    });
    const { hash } = runFor(scenario, seconds(durationS));
    return { work: CHANGES_PER_STRIKE * size, hash };
  },
};
