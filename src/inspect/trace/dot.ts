/**
 * A trace as a Graphviz digraph: a box for each step, in a cluster for each namespace.
 *
 * Owns: DOT's words and what has to be escaped in them.
 */
import { duration } from "../../output/index.ts";
import type { Flow, Trace, TraceStep } from "./record.ts";
import { hookText, rulesByHook, stations, verdictText } from "./stations.ts";

export function traceDot(trace: Trace): string {
  const lines = ["digraph trace {", "  rankdir=LR;", "  node [shape=box];"];
  const ids: string[] = [];
  const add = (label: readonly string[], extra = ""): string => {
    const id = `s${ids.length}`;
    ids.push(id);
    return `${id} [label=${quoted(label.join("\n"))}${extra}];`;
  };
  for (const [i, { place, steps }] of stations(trace).entries()) {
    lines.push(`  subgraph cluster_${i} {`, `    label=${quoted(place)};`);
    for (const step of steps) lines.push(`    ${add(labelOf(step))}`);
    if (steps.length === 0) lines.push(`    ${add(["socket"])}`);
    lines.push("  }");
  }
  const ended = [verdictText(trace), `+${duration(trace.verdict.afterNs)}`];
  lines.push(`  ${add(ended, ", shape=ellipse")}`);
  for (const [i, id] of ids.entries()) if (i > 0) lines.push(`  ${ids[i - 1]!} -> ${id};`);
  return `${[...lines, "}"].join("\n")}\n`;
}

function labelOf(step: TraceStep): string[] {
  const at = `+${duration(step.afterNs)}`;
  switch (step.kind) {
    case "hop": {
      const { hop, hopKind, waitNs, sendNs, latencyNs } = step;
      const times = [waitNs, sendNs, latencyNs].map((ns) => duration(ns)).join(" / ");
      return [`${hopKind} ${hop}`, `queue / send / latency: ${times}`, at];
    }
    case "route":
      return [`route: to ${step.to}`, at];
    case "connect":
    case "netfilter": {
      const { before, after, verdict, cause } = step;
      const title = step.kind === "connect" ? "connect()" : hookText(step.point);
      const chains = rulesByHook(step).flatMap(({ hook, rules }) => [
        ...(hook === null ? [] : [hookText(hook)]),
        ...rules.map(({ table, chain, text }) => `${table} ${chain}: ${text}`),
      ]);
      const changed =
        flowText(before) === flowText(after) ? [] : [flowText(before), flowText(after)];
      const refused = verdict === "pass" ? [] : [`${verdict.toUpperCase()}: ${cause}`];
      return [title, ...chains, ...changed, ...refused, at];
    }
  }
}

function flowText({ source, destination }: Flow): string {
  return `${source} -> ${destination}`;
}

/** A double-quoted ID; lines are set flush left. */
function quoted(text: string): string {
  const safe = text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\l");
  return `"${safe}${text.includes("\n") ? "\\l" : ""}"`;
}
