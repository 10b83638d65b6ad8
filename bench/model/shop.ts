/**
 * The shipped shop: a call graph of thirteen services at 500 requests/s, with a rollout. Simulated seconds per second of
 * wall time; aim: 20.
 */
import { join } from "node:path";
import { seconds } from "../../src/engine/index.ts";
import type { ScenarioInput } from "../../src/index.ts";
import shipped from "../../scenarios/shop.ts";
import type { Benchmark } from "../harness.ts";
import { resolve, runFor } from "./scenario.ts";

const define = shipped as (context: { env: Record<string, string> }) => ScenarioInput;
const manifests = [join(process.cwd(), "scenarios", "shop.yaml")];

export const shop: Benchmark = {
  name: "model: shop",
  unit: "simulated s",
  size: 40,
  tinySize: 1,
  run(size) {
    const written = define({ env: {} });
    const cluster = { ...written.cluster, manifests };
    const scenario = resolve("shop", { ...written, duration: `${size}s`, cluster });
    const { hash } = runFor(scenario, seconds(size));
    return { work: size, hash };
  },
};
