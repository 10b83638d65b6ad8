/**
 * The stretches of a packet's way: each is what happens within one namespace.
 *
 * Owns: grouping steps by place, for every format that draws them.
 */
import type { Trace, TraceStep } from "./record.ts";

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
