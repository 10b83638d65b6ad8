/** The shipped storm: simulated seconds per second of wall time. */
import { join } from "node:path";
import { seconds } from "../../src/engine/index.ts";
import type { ScenarioInput } from "../../src/index.ts";
import shipped from "../../scenarios/reset-storm.ts";
import type { Benchmark } from "../harness.ts";
import { resolve, runFor } from "./scenario.ts";

const storm = (shipped as (context: { env: object }) => ScenarioInput)({ env: {} });
const manifests = [join(process.cwd(), "scenarios", "nginx.yaml")];

export const resetStorm: Benchmark = {
  name: "model: reset-storm",
  unit: "simulated s",
  size: 60,
  tinySize: 2,
  run(size) {
    const cluster = { ...storm.cluster, manifests };
    const scenario = resolve("reset-storm", { ...storm, duration: `${size}s`, cluster });
    const { hash } = runFor(scenario, seconds(size));
    return { work: size, hash };
  },
};
