/** Pods by their labels, as `kubectl -n NAMESPACE -l SELECTOR` names them: targets of many faults. */
import type { z } from "zod";
import type { Labels } from "../../kubernetes/api/types.ts";
import type { FaultSurroundings, FaultTargets } from "./contract.ts";

/** What an author writes. */
export interface PodTargetsInput {
  /** Labels of the pods: "app=nginx,tier=web" or { app: "nginx" }. */
  selector: string | Record<string, string>;
  /** Default "default". */
  namespace?: string;
}

export const podTargets: FaultTargets<{
  selector: z.ZodType<Record<string, string>>;
  namespace: z.ZodDefault<z.ZodType<string>>;
}> = {
  fields: (words) => ({
    selector: words.selector,
    namespace: words.labelName.default("default"),
  }),
  check: (pods, { checkPods }, mistakes) => checkPods(pods, mistakes),
};

/** Or by the workload that makes them. */
export interface WorkloadPodsInput extends Partial<PodTargetsInput> {
  /** "deploy/web", instead of a selector: the pods with the labels of its template. */
  workload?: string;
}

export const workloadPods: FaultTargets<{
  selector: z.ZodOptional<z.ZodType<Record<string, string>>>;
  namespace: z.ZodOptional<z.ZodType<string>>;
  workload: z.ZodOptional<z.ZodType<string>>;
}> = {
  fields: (words) => ({
    selector: words.selector.optional(),
    namespace: words.labelName.optional(),
    workload: words.text('a workload such as "deploy/web"').optional(),
  }),
  check: ({ selector, namespace = "default", workload }, surroundings, mistakes) => {
    if ((selector === undefined) === (workload === undefined)) {
      const found =
        workload === undefined ? "neither selector nor workload" : "both selector and workload";
      mistakes.add([], found, "one of the two");
    }
    if (workload !== undefined && namespace !== "default") {
      mistakes.add(["namespace"], `beside workload`, `"${namespace}/deploy/NAME" as workload`);
    }
    if (selector !== undefined) surroundings.checkPods({ selector, namespace }, mistakes);
    if (workload !== undefined) surroundings.podsOf(workload, mistakes.within(["workload"]));
  },
};

interface NamedPods {
  readonly selector?: Labels | undefined;
  readonly namespace?: string | undefined;
  readonly workload?: string | undefined;
}

/** What a fault strikes; null where that has been found wrong before. */
export function podsNamed(
  { selector, namespace = "default", workload }: NamedPods,
  surroundings: FaultSurroundings,
): { readonly selector: Labels; readonly namespace: string } | null {
  if (workload !== undefined) return surroundings.podsOf(workload);
  return selector === undefined ? null : { selector, namespace };
}
