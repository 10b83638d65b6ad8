/**
 * Cuts the lines between hosts for a while, both ways or one.
 *
 * Owns: which lines and when. Packets that would cross one are lost at the switch; who sends them finds out for
 * itself.
 */
import type { FaultContext, FaultScheduler } from "./contract.ts";
import type { Host } from "../network/host.ts";
import { hostsOf, lineText, othersOf, type HostGroup } from "./hosts.ts";
import { during, type Span } from "./span.ts";

export interface PartitionSpec extends Span {
  readonly kind: "partition";
  readonly from: HostGroup;
  /** null: all other hosts. */
  readonly to: HostGroup | null;
  /** Only packets of `from` to `to` are lost. */
  readonly oneWay: boolean;
}

export const partition: FaultScheduler<PartitionSpec> = (spec, context) => {
  const { kind, from, to, oneWay } = spec;
  during(context, spec, { kind, object: lineText(from, to) }, () => {
    const here = hostsOf(from, context);
    return cutLines(here, othersOf(to, here, context), oneWay, context);
  });
};

/** @returns what mends them */
export function cutLines(
  here: readonly Host[],
  there: readonly Host[],
  oneWay: boolean,
  { stack }: FaultContext,
): () => void {
  const cut: { readonly from: Host; readonly target: number }[] = [];
  for (const one of here) {
    for (const other of there) {
      if (one === other) continue;
      cut.push({ from: one, target: other.index });
      if (!oneWay) cut.push({ from: other, target: one.index });
    }
  }
  for (const { from, target } of cut) stack.faultsOf(from).cut(target);
  return () => {
    for (const { from, target } of cut) stack.faultsOf(from).mend(target);
  };
}
