/** Nodes stand still for a while, as virtual machines that their hypervisor pauses: nothing is lost but time. */
import type { FaultScheduler } from "./contract.ts";
import { hostsOf, type HostGroup } from "./hosts.ts";
import { during, type Span } from "./span.ts";

export interface FreezeNodeSpec extends Span {
  readonly kind: "freezeNode";
  readonly nodes: HostGroup;
}

export const freezeNode: FaultScheduler<FreezeNodeSpec> = (spec, context) => {
  during(context, spec, { kind: spec.kind, object: `node/${spec.nodes.text}` }, () => {
    const ends = hostsOf(spec.nodes, context).map((host) => context.machines.freeze(host));
    return () => {
      for (const end of ends) end();
    };
  });
};
