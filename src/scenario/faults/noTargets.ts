/** Faults of what there is only one of. */
import type { FaultTargets } from "./contract.ts";

export const noTargets: FaultTargets<Record<never, never>> = {
  fields: () => ({}),
  check: () => {},
};
