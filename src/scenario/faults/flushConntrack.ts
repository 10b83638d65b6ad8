/** flushConntrack(...): connection tracking forgets everything. */
import type { FlushConntrackSpec } from "../../faults/flushConntrack.ts";
import type { Duration } from "../language/scenario.ts";
import { faultWord, type FaultWord } from "./contract.ts";
import { trackedTargets, type HostsInput } from "./hostTargets.ts";

export interface FlushConntrackInput {
  /** "node-1", "docker-1", "zone/zone-1", or several of these. */
  hosts: HostsInput;
  at: Duration;
}

/** Empties connection tracking, as `conntrack -F` does. */
export const flushConntrack: FaultWord<"flushConntrack", FlushConntrackInput, FlushConntrackSpec> =
  faultWord("flushConntrack", {
    targets: trackedTargets,
    options: ({ duration }) => ({ at: duration }),
    chaos: ({ nodes, pick }) => (nodes.length === 0 ? null : { hosts: pick(nodes) }),
    resolve: ({ hosts, at }, surroundings) => ({
      kind: "flushConntrack",
      hosts: surroundings.hosts(hosts, "tracked"),
      atNs: at,
    }),
  });
