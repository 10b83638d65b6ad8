/**
 * Nodes lose their power for a while, or for good.
 *
 * Owns: which and when. What they held in memory is gone: sockets, connection tracking, rules, processes. With power
 * they boot: the kubelet finds its pods and gives each a new sandbox, kube-proxy writes its rules. Booting itself
 * takes no time: give it to `for`.
 */
import { Phase } from "../engine/index.ts";
import type { Host } from "../network/host.ts";
import type { FaultContext, FaultScheduler } from "./contract.ts";
import { hostsOf, type HostGroup } from "./hosts.ts";
import { runningPods, type PodTargets } from "./pods.ts";
import { during, type Span } from "./span.ts";

export interface CrashNodeSpec extends Span {
  readonly kind: "crashNode";
  /** These; or one that runs a pod of those, drawn when the time has come. */
  readonly nodes: HostGroup | PodTargets;
}

export const crashNode: FaultScheduler<CrashNodeSpec> = (spec, context, name) => {
  const { nodes } = spec;
  const crash = (group: HostGroup): void =>
    during(context, spec, { kind: spec.kind, object: `node/${group.text}` }, () =>
      powerOff(hostsOf(group, context), context),
    );
  if ("names" in nodes) crash(nodes);
  else {
    context.sim.callAt(spec.atNs, Phase.start, () => {
      const node = drawNode(nodes, context, name);
      if (node !== undefined) crash({ names: [node], outside: false, text: node });
    });
  }
};

/** A node with two of the pods is as likely as one with one. */
function drawNode(pods: PodTargets, context: FaultContext, name: string): string | undefined {
  const running = runningPods(context.pods, pods).flatMap(({ spec }) => spec.nodeName ?? []);
  const nodes = [...new Set(running)].sort();
  if (nodes.length === 0) return undefined;
  return nodes[context.sim.streams.get(`fault/${name}`).below(nodes.length)];
}

/** @returns what gives the power back */
export function powerOff(hosts: readonly Host[], { machines }: FaultContext): () => void {
  const ends = hosts.map((host) => machines.powerOff(host));
  return () => {
    for (const end of ends) end();
  };
}
