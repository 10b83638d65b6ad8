/** A program that runs for a while and exits, as a Job's pod does. */
import { seconds, type DistributionSpec } from "../../engine/index.ts";
import type { DistributionInput } from "../language/distributions.ts";
import type { Duration } from "../language/scenario.ts";
import { serverModel, type ServerModel } from "./contract.ts";

export interface TaskInput {
  kind: "task";
  /** From its start to its exit. Default "1s". */
  duration?: DistributionInput | Duration;
  /** Default 0. */
  exitCode?: number;
}

export interface TaskSpec {
  readonly kind: "task";
  readonly duration: DistributionSpec;
  readonly exitCode: number;
}

export const task: ServerModel<TaskSpec> = serverModel({
  fields: ({ distribution, integer }) => ({
    duration: distribution.optional(),
    exitCode: integer("an exit code", 0, 255).optional(),
  }),
  resolve: ({ duration, exitCode }) => ({
    kind: "task",
    duration: duration ?? { kind: "deterministic", value: seconds(1) },
    exitCode: exitCode ?? 0,
  }),
  program: ({ duration, exitCode }) => ({ kind: "task", options: { duration, exitCode } }),
});
