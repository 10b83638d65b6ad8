/**
 * A trace as a Mermaid sequence diagram: a participant for each namespace, a message for each crossing.
 *
 * Owns: Mermaid's words and what has to be escaped in them.
 */
import { duration } from "../../output/index.ts";
import type { Flow, Trace, TraceStep } from "./record.ts";
import { rulesByHook, stations, verdictText, type Station } from "./stations.ts";

export function traceMermaid(trace: Trace): string {
  const all = stations(trace);
  const places = [...new Set(all.map(({ place }) => place))];
  const idOf = (place: string): string => `n${places.indexOf(place)}`;
  const lines = ["sequenceDiagram"];
  for (const place of places) lines.push(`  participant ${idOf(place)} as ${escaped(place)}`);
  let { flow } = trace;
  for (const [i, station] of all.entries()) {
    const id = idOf(station.place);
    for (const note of notesOf(station)) lines.push(`  Note over ${id}: ${note}`);
    flow = flowAfter(station, flow);
    const next = all[i + 1];
    if (next === undefined) continue;
    const label = `${flow.source} → ${flow.destination} (+${duration(timeOf(next, trace))})`;
    lines.push(`  ${id}->>${idOf(next.place)}: ${escaped(label)}`);
  }
  const last = all.at(-1);
  if (last !== undefined) {
    const ended = `${verdictText(trace)} (+${duration(trace.verdict.afterNs)})`;
    lines.push(`  Note over ${idOf(last.place)}: ${escaped(ended)}`);
  }
  return `${lines.join("\n")}\n`;
}

function timeOf({ steps }: Station, { verdict }: Trace): number {
  return steps[0]?.afterNs ?? verdict.afterNs;
}

function flowAfter({ steps }: Station, flow: Flow): Flow {
  const last = steps.findLast((step) => step.kind === "netfilter");
  return last?.after ?? flow;
}

function notesOf({ steps }: Station): string[] {
  return steps.flatMap((step) => noteOf(step));
}

function noteOf(step: TraceStep): string[] {
  switch (step.kind) {
    case "route":
      return [];
    case "hop":
      return step.waitNs === 0 ? [] : [escaped(`${step.hop}: queue ${duration(step.waitNs)}`)];
    case "connect":
    case "netfilter": {
      const chains = rulesByHook(step).flatMap(({ hook, rules }) => [
        ...(hook === null ? [] : [hook]),
        ...rules.map(({ table, chain, text }) => `${table} ${chain}: ${target(text)}`),
      ]);
      const title =
        step.kind === "connect" ? "connect()" : `${step.point}, ${duration(step.walkNs)}`;
      const lines = [title, ...chains];
      if (step.verdict !== "pass") lines.push(`${step.verdict.toUpperCase()}: ${step.cause}`);
      return [lines.map(escaped).join("<br/>")];
    }
  }
}

/** What the rule does: the part that a reader of a diagram looks for. */
function target(text: string): string {
  const found = /-j .*|\b(?:jump|goto|dnat to|vmap|masquerade|reject|drop|return)\b.*/.exec(text);
  return found?.[0] ?? text;
}

/** Mermaid ends a message at ";" and a name at "#"; quotes and angles are HTML's. */
function escaped(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    "#": "#35;",
    ";": "#59;",
    '"': "#quot;",
    "<": "#lt;",
    ">": "#gt;",
    "{": "#123;",
    "}": "#125;",
  };
  return text.replaceAll(/[#;"<>{}]/g, (sign) => entities[sign]!);
}
