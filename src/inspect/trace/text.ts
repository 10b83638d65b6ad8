/**
 * A trace for people: namespace by namespace, hop by hop, each rule that matched.
 *
 * Owns: this look.
 */
import { duration, printable } from "../../output/index.ts";
import { formatDuration } from "../../scenario/units.ts";
import type { Flow, HopStep, NetfilterStep, Trace, TraceStep } from "./record.ts";
import { stations, verdictText } from "./stations.ts";

const TIME_WIDTH = 10;

export function traceText(trace: Trace): string {
  const { atNs, from, to, aimedAt, flow, scenario, seed } = trace;
  const lines = [
    `First packet from ${from} to ${to} at ${formatDuration(atNs)} (${scenario}, seed ${seed})`,
    `${flowText(flow)} TCP SYN`,
  ];
  if (aimedAt !== flow.destination) lines.push(`connect() to ${aimedAt} was given that endpoint`);
  for (const { place, steps } of stations(trace)) {
    lines.push("", place);
    for (const step of steps) lines.push(...stepLines(step));
  }
  lines.push("", ...verdictLines(trace));
  return lines.map((line) => `${printable(line)}\n`).join("");
}

function flowText({ source, destination }: Flow): string {
  return `${source} -> ${destination}`;
}

function timed(afterNs: number, text: string): string {
  return `${`+${duration(afterNs)}`.padStart(TIME_WIDTH)}  ${text}`;
}

function indented(text: string): string {
  return `${" ".repeat(TIME_WIDTH + 4)}${text}`;
}

function stepLines(step: TraceStep): string[] {
  switch (step.kind) {
    case "hop":
      return [timed(step.afterNs, hopText(step))];
    case "netfilter":
      return netfilterLines(step);
    case "route":
      return [timed(step.afterNs, `route: to ${step.to}`)];
  }
}

function hopText({ hop, hopKind, waitNs, sendNs, latencyNs }: HopStep): string {
  const parts = [
    `queue ${duration(waitNs)}`,
    ...(sendNs > 0 ? [`send ${duration(sendNs)}`] : []),
    `latency ${duration(latencyNs)}`,
  ];
  return `${hopKind} ${hop}: ${parts.join(", ")}`;
}

function netfilterLines(step: NetfilterStep): string[] {
  const { afterNs, point, before, after, isKnown, walkNs, rules, verdict, cause } = step;
  const what = isKnown ? "conntrack knows the connection" : `rules walked in ${duration(walkNs)}`;
  const lines = [timed(afterNs, `netfilter ${point}: ${what}`)];
  for (const { table, chain, text } of rules) {
    lines.push(indented(`${table} ${chain}${text === "" ? "" : `: ${text}`}`));
  }
  if (flowText(before) !== flowText(after)) {
    lines.push(indented(`before ${flowText(before)}`), indented(`after  ${flowText(after)}`));
  }
  if (verdict !== "pass") lines.push(indented(`${verdict.toUpperCase()}: ${cause}`));
  return lines;
}

function verdictLines(trace: Trace): string[] {
  const { verdict, answer } = trace;
  const ended = `${verdictText(trace)}, ${duration(verdict.afterNs)} after it was sent`;
  const capital = ended[0]!.toUpperCase() + ended.slice(1);
  if (answer === null) return [capital];
  const { outcome, afterNs } = answer;
  return [capital, `The sender: ${outcome} after ${duration(afterNs)}`];
}
