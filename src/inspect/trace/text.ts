/**
 * A trace for people: namespace by namespace, hop by hop, each rule that matched.
 *
 * Owns: this look.
 */
import { duration, printable } from "../../output/index.ts";
import { formatDuration } from "../../scenario/units.ts";
import type {
  ConnectStep,
  Flow,
  HopStep,
  NetfilterStep,
  Trace,
  TraceRule,
  TraceStep,
} from "./record.ts";
import { hookText, packetText, rulesByHook, stations, verdictText } from "./stations.ts";

const TIME_WIDTH = 10;

export function traceText(trace: Trace): string {
  const { atNs, from, to, aimedAt, flow, scenario, seed } = trace;
  const lines = [
    `First packet from ${from} to ${to} at ${formatDuration(atNs)} (${scenario}, seed ${seed})`,
    `${flowText(flow)} ${packetText(trace)}`,
  ];
  if (aimedAt !== flow.destination) lines.push(`connect() to ${aimedAt} was given that endpoint`);
  lines.push("", ...stationLines(trace));
  return lines.map((line) => `${printable(line)}\n`).join("");
}

/** The way alone, and how it ended. */
export function stationLines(trace: Trace): string[] {
  const lines = stations(trace).flatMap(({ place, steps }) => [
    place,
    ...steps.flatMap(stepLines),
    "",
  ]);
  return [...lines, ...verdictLines(trace)];
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

function ruleText({ table, chain, text }: TraceRule): string {
  return `${table} ${chain}${text === "" ? "" : `: ${text}`}`;
}

function stepLines(step: TraceStep): string[] {
  switch (step.kind) {
    case "connect":
      return [timed(step.afterNs, "connect(): before there is a packet"), ...judgedLines(step)];
    case "hop":
      return [timed(step.afterNs, hopText(step))];
    case "netfilter":
      return [timed(step.afterNs, netfilterText(step)), ...judgedLines(step)];
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

function netfilterText({ point, isKnown, walkNs }: NetfilterStep): string {
  const what = isKnown ? "conntrack knows the connection" : `rules walked in ${duration(walkNs)}`;
  return `${hookText(point)}: ${what}`;
}

/** The rules that matched, and what they made of the packet. */
function judgedLines(step: ConnectStep | NetfilterStep): string[] {
  const { before, after, verdict, cause } = step;
  const lines = rulesByHook(step).flatMap(({ hook, rules }) => [
    ...(hook === null ? [] : [`${" ".repeat(TIME_WIDTH + 2)}${hookText(hook)}`]),
    ...rules.map((rule) => indented(ruleText(rule))),
  ]);
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
