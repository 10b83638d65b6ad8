/** kubectl label node, and at the end the labels as they were. */
import type { Labels, Node } from "../kubernetes/api/types.ts";
import type { FaultScheduler } from "./contract.ts";
import { hostsOf, type HostGroup } from "./hosts.ts";
import { during, type Span } from "./span.ts";
import { answered } from "./workload.ts";

export interface LabelNodesSpec extends Span {
  readonly kind: "labelNodes";
  readonly nodes: HostGroup;
  readonly labels: Labels;
  /** Keys of labels that are taken away. */
  readonly remove: readonly string[];
}

export const labelNodes: FaultScheduler<LabelNodesSpec> = (spec, context) => {
  const { labels, remove, nodes } = spec;
  const keys = [...Object.keys(labels), ...remove];
  const relabel = (name: string, change: (node: Node) => Labels): void => {
    const workload = { kind: "Node", key: `/${name}`, text: `node/${name}` };
    context.api.patch(
      "Node",
      workload.key,
      (node) => ({ ...node, metadata: { ...node.metadata, labels: change(node) } }),
      answered(context, { kind: spec.kind, workload }),
    );
  };
  during(context, spec, { kind: spec.kind, object: `node/${nodes.text}` }, () => {
    const before = new Map<string, Labels>();
    const names = hostsOf(nodes, context).map(({ name }) => name);
    for (const name of names) {
      relabel(name, ({ metadata }) => {
        before.set(name, metadata.labels);
        return without({ ...metadata.labels, ...labels }, remove);
      });
    }
    return () => {
      for (const name of names) {
        relabel(name, ({ metadata }) => {
          const known = before.get(name) ?? {};
          const old = Object.entries(known).filter(([key]) => keys.includes(key));
          return { ...without(metadata.labels, keys), ...Object.fromEntries(old) };
        });
      }
    };
  });
};

function without(labels: Labels, keys: readonly string[]): Labels {
  return Object.fromEntries(Object.entries(labels).filter(([key]) => !keys.includes(key)));
}
