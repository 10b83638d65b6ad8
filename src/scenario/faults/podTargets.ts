/** Pods by their labels, as `kubectl -n NAMESPACE -l SELECTOR` names them: targets of many faults. */
import type { z } from "zod";
import type { FaultTargets } from "./contract.ts";

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
