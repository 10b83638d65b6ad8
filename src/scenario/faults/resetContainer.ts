/** resetContainer(...): starts, stops, kills, restarts or crashes a container of a Docker host. */
import type { z } from "zod";
import type { ResetContainerSpec } from "../../faults/resetContainer.ts";
import type { Duration } from "../language/scenario.ts";
import { faultWord, type FaultTargets, type FaultWord } from "./contract.ts";

export interface ResetContainerInput {
  /** Name of the container. */
  container: string;
  /** start, stop, kill, restart: as the commands of docker. crash: its process aborts. Default "restart". */
  how?: ResetContainerSpec["how"];
  at: Duration;
  /** From one to the next; needed when `times` is above 1. */
  every?: Duration;
  /** Default 1. */
  times?: number;
}

const oneContainer: FaultTargets<{ container: z.ZodType<string> }> = {
  fields: ({ labelName }) => ({ container: labelName }),
  check: ({ container }, { checkContainer }, mistakes) =>
    checkContainer(container, mistakes.within(["container"])),
};

/** Starts, stops, kills, restarts or crashes a container of a Docker host. */
export const resetContainer: FaultWord<"resetContainer", ResetContainerInput, ResetContainerSpec> =
  faultWord("resetContainer", {
    targets: oneContainer,
    options: ({ word, integer, duration, positiveDuration }) => ({
      how: word("start", "stop", "kill", "restart", "crash").default("restart"),
      at: duration,
      every: positiveDuration.optional(),
      times: integer("times", 1, 1_000_000).default(1),
    }),
    chaos: ({ containers, pick }) =>
      containers.length === 0
        ? null
        : { container: pick(containers), how: pick(["restart", "kill", "crash"] as const) },
    resolve({ at, every, ...others }, _surroundings, mistakes) {
      if (others.times > 1 && every === undefined) {
        mistakes.add(["every"], "missing", `the time from one of the ${others.times} to the next`);
      }
      return { kind: "resetContainer", ...others, atNs: at, everyNs: every ?? 0 };
    },
  });
