/**
 * The stretches of a packet's way: each is what happens within one namespace.
 *
 * Owns: grouping steps by place, for every format that draws them.
 */
import type { ConnectStep, NetfilterStep, Trace, TraceRule, TraceStep } from "./record.ts";

export interface Station {
  readonly place: string;
  readonly steps: readonly TraceStep[];
}

export function stations({ steps, verdict }: Trace): Station[] {
  const found: { place: string; steps: TraceStep[] }[] = [];
  for (const step of steps) {
    const last = found.at(-1);
    if (last?.place === step.place) last.steps.push(step);
    else found.push({ place: step.place, steps: [step] });
  }
  // It is delivered where no step was counted: a socket of the namespace that it came to.
  if (verdict.kind === "delivered" && found.at(-1)?.place !== verdict.place) {
    found.push({ place: verdict.place, steps: [] });
  }
  return found;
}

/** What the packet is. */
export function packetText({ protocol }: Trace): string {
  return { TCP: "TCP SYN", UDP: "UDP datagram", SCTP: "SCTP INIT" }[protocol];
}

/** "netfilter FORWARD"; the hooks of eBPF are in small letters. */
export function hookText(hook: string): string {
  return /^[A-Z]+$/.test(hook) ? `netfilter ${hook}` : `eBPF at ${hook}`;
}

/** The rules that matched, hook by hook; null for the one that the step itself is at. */
export function rulesByHook(
  step: ConnectStep | NetfilterStep,
): readonly { readonly hook: string | null; readonly rules: readonly TraceRule[] }[] {
  const own = step.kind === "connect" ? "connect()" : step.point;
  const found: { hook: string | null; rules: TraceRule[] }[] = [];
  let last = "";
  for (const rule of step.rules) {
    if (rule.hook !== last) found.push({ hook: rule.hook === own ? null : rule.hook, rules: [] });
    last = rule.hook;
    found.at(-1)!.rules.push(rule);
  }
  return found;
}

/** How the way ended, in a sentence without its time. */
export function verdictText({ verdict, answer }: Trace): string {
  const { kind, place, cause } = verdict;
  switch (kind) {
    case "delivered":
      return `delivered to ${place}`;
    case "under way":
      return `still under way at ${place}`;
    case "dropped":
    case "rejected": {
      const silent = answer === null ? ", and nobody is told" : "";
      return `${kind} at ${place}: ${cause}${silent}`;
    }
  }
}
