/**
 * A `sim` whose scenarios are fakes: `endless.ts` never ends, any other is the synthetic run.
 *
 * Owns: what test/cli/process.test.ts starts as a process of its own.
 */
import { runProcess } from "../../src/cli/process.ts";
import { endNs } from "../observe/synthetic.ts";
import { fakeDependencies, fakeRun } from "./fakes.ts";

await runProcess(
  fakeDependencies({
    compile: (scenario, observers) => {
      if (scenario.name !== "endless") return fakeRun(observers);
      process.stderr.write("started\n");
      return { ...fakeRun(observers), nowNs: 0, durationNs: endNs, runUntil: () => true };
    },
  }),
);
