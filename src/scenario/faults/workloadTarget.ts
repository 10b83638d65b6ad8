/** A workload by its reference, "deploy/NAME": the target of what users do with kubectl. */
import type { z } from "zod";
import type { ChaosDraw, FaultTargets } from "./contract.ts";

/** @param kinds those that the command knows */
export function workloadTarget(...kinds: string[]): FaultTargets<{ workload: z.ZodType<string> }> {
  return {
    fields: ({ text }) => ({ workload: text('a workload such as "deploy/web"') }),
    check: ({ workload }, surroundings, mistakes) =>
      void surroundings.workload(workload, kinds, mistakes.within(["workload"])),
  };
}

/** Kinds that kubectl rollout knows. */
export const ROLLOUT_KINDS = ["Deployment", "StatefulSet", "DaemonSet"];

/** null where there is none. */
export function drawDeployment({ workloads, pick }: ChaosDraw): { workload: string } | null {
  const deployments = workloads.filter(({ kind }) => kind === "Deployment");
  return deployments.length === 0 ? null : { workload: pick(deployments).reference };
}
