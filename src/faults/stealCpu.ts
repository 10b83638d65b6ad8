/** Takes a share of nodes' CPU time for a while: everything that computes there takes longer. */
import type { FaultScheduler } from "./contract.ts";
import { hostsOf, type HostGroup } from "./hosts.ts";
import { during, type Span } from "./span.ts";

export interface StealCpuSpec extends Span {
  readonly kind: "stealCpu";
  readonly nodes: HostGroup;
  /** Of the CPU time, above 0 and below 1. */
  readonly share: number;
}

export const stealCpu: FaultScheduler<StealCpuSpec> = (spec, context) => {
  during(context, spec, { kind: spec.kind, object: `node/${spec.nodes.text}` }, () => {
    const ends = hostsOf(spec.nodes, context).map((host) =>
      context.machines.stretchCpu(host, 1 / (1 - spec.share)),
    );
    return () => {
      for (const end of ends) end();
    };
  });
};
