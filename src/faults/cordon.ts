/** kubectl cordon and, at the end, uncordon: no new pod is put on these nodes. */
import { objectKey } from "../kubernetes/api/types.ts";
import type { FaultContext, FaultScheduler } from "./contract.ts";
import { hostsOf, type HostGroup } from "./hosts.ts";
import { during, type Span } from "./span.ts";

export interface CordonSpec extends Span {
  readonly kind: "cordon";
  readonly nodes: HostGroup;
}

export const cordon: FaultScheduler<CordonSpec> = (spec, context) => {
  const nodes = context.listed("Node");
  during(context, spec, { kind: spec.kind, object: `node/${spec.nodes.text}` }, () => {
    const names = new Set(hostsOf(spec.nodes, context).map(({ name }) => name));
    const keys = [...nodes.values()]
      .filter(({ metadata }) => names.has(metadata.name))
      .map(objectKey);
    setUnschedulable(keys, true, context);
    return () => setUnschedulable(keys, false, context);
  });
};

/** @param done called when the server has answered for all of them */
export function setUnschedulable(
  keys: readonly string[],
  unschedulable: boolean,
  { api }: FaultContext,
  done: () => void = () => {},
): void {
  let left = keys.length;
  for (const key of keys) {
    api.patch(
      "Node",
      key,
      (stored) =>
        stored.spec.unschedulable === unschedulable
          ? null
          : { ...stored, spec: { ...stored.spec, unschedulable } },
      () => {
        if (--left === 0) done();
      },
    );
  }
}
