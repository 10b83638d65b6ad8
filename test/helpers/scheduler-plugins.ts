/** The scheduler's plugins, asked one by one. */
import type { Node, Pod } from "../../src/kubernetes/api/types.ts";
import { NodeTable } from "../../src/kubernetes/scheduler/nodeTable.ts";
import { filters, scorers } from "../../src/kubernetes/scheduler/placement.ts";

/** Nodes with the pods that run on them. */
export function tableOf(nodes: readonly Node[], running: readonly Pod[] = []): NodeTable {
  const table = new NodeTable(nodes);
  for (const [row, { metadata }] of nodes.entries()) {
    for (const pod of running) if (pod.spec.nodeName === metadata.name) table.put(row, pod);
  }
  return table;
}

/** Names of the nodes that a filter lets the pod on. */
export function passing(name: string, pod: Pod, table: NodeTable): string[] {
  const passes = filters.find((each) => each.name === name)!.filter(pod, table);
  return table.states.flatMap(({ node }, row) =>
    (passes?.(row) ?? true) ? [node.metadata.name] : [],
  );
}

/** What a plugin gives each node; null where it has nothing to say. */
export function scoresOf(weight: string, pod: Pod, table: NodeTable): number[] | null {
  const rows = Int32Array.from(table.states.keys());
  const into = new Float64Array(rows.length);
  const { score } = scorers.find((each) => each.weight === weight)!;
  return score(pod, table, rows, into) ? [...into] : null;
}
