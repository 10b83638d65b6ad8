/**
 * An explanation for people.
 *
 * Owns: this look, and the words for what was true of a pod.
 */
import { duration, printable } from "../../output/index.ts";
import type { LifeStage } from "../timeline/record.ts";
import { stationLines } from "../trace/text.ts";
import type { Departure, Explanation, Try } from "./record.ts";

export function explanationText(explanation: Explanation): string {
  const lines = [
    ...heading(explanation),
    "",
    ...explanation.tries.flatMap((each, i) => tryLines(each, explanation.tries[i - 1], i + 1)),
    ...packetLines(explanation),
    "",
    ...adviceLines(explanation),
  ];
  return lines.map((line) => `${printable(line)}\n`).join("");
}

function heading(explanation: Explanation): string[] {
  const { request, client, service, outcome, scenario, seed, tries } = explanation;
  const { startedAtNs, endedAtNs } = explanation;
  const took = endedAtNs === null ? "" : ` after ${duration(endedAtNs - startedAtNs)}`;
  const what =
    outcome === null
      ? "was still in flight at the end"
      : outcome === "served"
        ? `was served${took}`
        : `failed: ${outcome}${took}`;
  const count = tries.length === 1 ? "1 try" : `${tries.length} tries`;
  return [
    `Request ${request} of ${client} to ${service} ${what}, ${count} (${scenario}, seed ${seed})`,
  ];
}

function tryLines(own: Try, before: Try | undefined, number: number): string[] {
  return [
    row(`Try ${number}`, tryText(own, before)),
    ...rulesLines(own),
    ...truthLines(own),
    ...departureLines(own),
  ];
}

function tryText(own: Try, before: Try | undefined): string {
  const { startedAtNs, outcome, dialledAtNs, endpoint, pod } = own;
  const endedAtNs = before?.endedAtNs ?? null;
  const after = endedAtNs === null ? "" : ` (${duration(startedAtNs - endedAtNs)} after the last)`;
  const connection =
    dialledAtNs === null
      ? "no connection"
      : dialledAtNs === startedAtNs
        ? "new connection"
        : `connection opened ${duration(startedAtNs - dialledAtNs)} before`;
  const to = endpoint === null ? "" : ` to ${endpoint} (pod/${pod})`;
  return `${at(startedAtNs)}${after}, ${connection}${to}: ${outcome ?? "not ended"}`;
}

function rulesLines({ rules, endpoint }: Try): string[] {
  if (rules === null) return [row("Rules", "no node's rules chose an endpoint")];
  const { node, decidedAtNs, version, inForceSinceNs, viaDns } = rules;
  if (viaDns) {
    return [row("Rules", `none: the client on ${node} had ${endpoint} from DNS`)];
  }
  const of =
    version === null
      ? "as they were when the run began"
      : `of EndpointSlices up to version ${version}, in force since ${at(inForceSinceNs!)}`;
  return [row("Rules", `${node} chose ${endpoint} at ${at(decidedAtNs)}, by rules ${of}`)];
}

/** What had happened to the pod before it was chosen, and what came next. */
function truthLines({ rules, life, departure }: Try): string[] {
  if (life === null || rules === null) return [];
  const { decidedAtNs } = rules;
  const own = life.steps.filter(({ stage }) => !nodeStages.has(stage));
  const before = own.findLast(({ atNs }) => atNs <= decidedAtNs);
  const next = own.find(({ atNs }) => atNs > decidedAtNs);
  const since = (ns: number): string => duration(Math.abs(ns - decidedAtNs));
  const said = [
    departure === null
      ? "the pod could be used"
      : `the pod could not be used any more, since ${since(departure.atNs)}`,
    ...(before === undefined ? [] : [`last ${before.stage}, ${since(before.atNs)} before`]),
    ...(next === undefined ? [] : [`then ${next.stage}, ${since(next.atNs)} after`]),
  ];
  return [row("Truth", said.join("; "))];
}

/** Stages that are of nodes and slices, not of the pod. */
const nodeStages: ReadonlySet<LifeStage> = new Set([
  "in slice",
  "in force on the first node",
  "in force on the last node",
  "not ready in slice",
  "off the first node",
  "off the last node",
  "removed from slice",
] as const);

function departureLines({ departure, rules }: Try): string[] {
  if (departure === null || rules === null) return [];
  if (rules.viaDns) {
    return [row("Update", "by DNS: when its servers' answers held it is in dns_update_lag.csv")];
  }
  const { atNs, programmedAtNs } = departure;
  if (programmedAtNs === null) {
    return [row("Update", `${rules.node} never programmed that in this run`)];
  }
  const late = `${duration(programmedAtNs - rules.decidedAtNs)} after it chose`;
  const lag = `${rules.node} programmed that at ${at(programmedAtNs)}, ${late}`;
  return [
    row("Update", lag),
    row("", `lag ${duration(programmedAtNs - atNs)}: ${stagesText(departure)}`),
  ];
}

function stagesText({ stages }: Departure): string {
  return stages
    .flatMap(({ stage, tookNs }) => (tookNs === null ? [] : [`${stage} ${duration(tookNs)}`]))
    .join(", ");
}

function packetLines({ packet }: Explanation): string[] {
  if (packet === null) return [];
  return ["", "Its connection's first packet", ...stationLines(packet)];
}

function adviceLines({ advice, outcome }: Explanation): string[] {
  if (outcome === "served") return ["Nothing to avoid."];
  if (advice.length === 0) return ["No setting is known that would have avoided it."];
  return [
    "What would have avoided it",
    ...advice.flatMap(({ rule, setting, because }) => [
      `  ${rule}: ${setting}`,
      `    because ${because}`,
    ]),
  ];
}

function row(name: string, text: string): string {
  return `${name.padEnd(8)}${text}`;
}

function at(ns: number): string {
  return `${(ns / 1e9).toFixed(6)} s`;
}
