/**
 * Nodes that a fault strikes: those that are named, or one that runs certain pods.
 *
 * Owns: drawing that one, when the time has come. Refuses to own: what befalls it (the members of this folder).
 */
import { Phase, type SimTimeNs } from "../engine/index.ts";
import type { FaultContext } from "./contract.ts";
import type { HostGroup } from "./hosts.ts";
import { runningPods, type PodTargets } from "./pods.ts";

/** These; or one that runs a pod of those. */
export type StruckNodes = HostGroup | PodTargets;

/**
 * Calls `strike` for the nodes: at once where they are named, or else at `atNs`, and not at all where no pod runs then.
 * @param name the fault's, which names its random stream
 */
export function onNodes(
  { nodes, atNs }: { readonly nodes: StruckNodes; readonly atNs: SimTimeNs },
  context: FaultContext,
  name: string,
  strike: (group: HostGroup) => void,
): void {
  if ("names" in nodes) {
    strike(nodes);
    return;
  }
  context.sim.callAt(atNs, Phase.start, () => {
    const node = drawNode(nodes, context, name);
    if (node !== undefined) strike({ names: [node], outside: false, text: node });
  });
}

/** A node with two of the pods is as likely as one with one. */
function drawNode(pods: PodTargets, context: FaultContext, name: string): string | undefined {
  const running = runningPods(context.pods, pods).flatMap(({ spec }) => spec.nodeName ?? []);
  const nodes = [...new Set(running)].sort();
  if (nodes.length === 0) return undefined;
  return nodes[context.sim.streams.get(`fault/${name}`).below(nodes.length)];
}
