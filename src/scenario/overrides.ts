/**
 * What the command line says of a scenario, over what is written.
 *
 * Owns: the options that change a scenario, their texts, and that a mistake in one is told as the option's. Refuses
 * to own: what a field may hold (schema/).
 */
import { optionMistake, pathText, type Mistake } from "./mistakes.ts";
import { isRecord } from "./schema/reading.ts";
import { dataOf } from "./import/text.ts";
import { clientsFor, durationText, type Traffic } from "./traffic/index.ts";
import { DURATION_ALLOWED, formatDuration, parseDuration } from "./units.ts";

export interface Overrides {
  /** Instead of the scenario's own. */
  readonly seed?: string | undefined;
  /** Instead of the scenario's own, as text: "10s". */
  readonly duration?: string | undefined;
  /** "500" or "web=500": requests per second of a client. */
  readonly rates?: readonly string[] | undefined;
  /** "deploy/web" or "deploy/web,how=sigkill,at=20s,count=1". */
  readonly resets?: readonly string[] | undefined;
  /** A file of traffic in place of the client's load. */
  readonly traffic?: string | undefined;
  /** Instead of the scenario's own numbers. */
  readonly nodes?: number | undefined;
  readonly zones?: number | undefined;
}

/** The options without those that are wrong: they replace fields, but are no part of the file. */
export function checkedOverrides<T extends Overrides>(options: T, found: Mistake[]): T {
  const before = found.length;
  const { seed, duration, rates = [], resets = [] } = options;
  if (seed !== undefined && (seed === "" || seed.length > 256)) {
    found.push(
      optionMistake("--seed", JSON.stringify(seed.slice(0, 20)), "text of 1 to 256 characters"),
    );
  }
  const parsed = duration === undefined ? null : parseDuration(duration);
  if (parsed !== null && !("value" in parsed && parsed.value > 0)) {
    const why = "problem" in parsed ? parsed.problem : "no time at all";
    const shown = JSON.stringify(duration?.slice(0, 40));
    found.push(optionMistake("--duration", `${shown} (${why})`, `${DURATION_ALLOWED}, above 0`));
  }
  for (const text of rates) if (rateOf(text) === null) found.push(rateMistake(text));
  for (const text of resets) {
    if (resetOf(text) === null)
      found.push(optionMistake(`--reset ${shownText(text)}`, "not understood", RESET));
  }
  return found.length === before ? options : { ...options, ...NONE };
}

const NONE: Overrides = {
  seed: undefined,
  duration: undefined,
  rates: undefined,
  resets: undefined,
};
const RATE = "requests per second, as 500, or those of one client, as web=500";
const RESET = "a workload, and what resetPods knows: deploy/web,how=sigkill,at=20s,count=1";
/** Part of the run after which pods are reset, where nobody says when. */
const RESET_AFTER = 1 / 3;

function shownText(text: string): string {
  return JSON.stringify(text.slice(0, 60));
}

function rateMistake(text: string): Mistake {
  return optionMistake(`--rate ${shownText(text)}`, "not understood", RATE);
}

function rateOf(text: string): { readonly client: string | null; readonly rps: number } | null {
  const match = /^(?:([a-z0-9-]+)=)?(\d{1,9}(?:\.\d{1,6})?)$/.exec(text);
  if (match === null) return null;
  return { client: match[1] ?? null, rps: Number(match[2]) };
}

/** The rate that is said without a client's name. */
export function rateOfAll({ rates = [] }: Overrides): number | undefined {
  return rates.map(rateOf).find((each) => each?.client === null)?.rps;
}

/** The fields of a resetPods, as the language has them. */
function resetOf(text: string): Record<string, unknown> | null {
  const [workload = "", ...options] = text.split(",");
  if (!/^[a-z0-9/.-]+$/.test(workload)) return null;
  const fields: Record<string, unknown> = { kind: "resetPods", workload };
  for (const option of options) {
    const match = /^(how|at|every|count|fraction|times)=([\w.]+)$/.exec(option);
    if (match === null) return null;
    const [, name = "", value = ""] = match;
    fields[name] = ["count", "fraction", "times"].includes(name) ? Number(value) : value;
  }
  if (fields["count"] === undefined) fields["fraction"] ??= 1;
  return fields;
}

/**
 * The data of a scenario with them. Mistakes in what only a look at it shows go to `found`.
 * @param traffic of the file that they name; null where it is in the data already
 */
export function withOverrides(
  written: unknown,
  options: Overrides,
  found: Mistake[],
  traffic: Traffic | null = null,
): unknown {
  const { seed, duration, rates = [], resets = [], nodes, zones } = options;
  const isChanged = [traffic ?? undefined, seed, duration, nodes, zones, ...rates, ...resets].some(
    (each) => each !== undefined,
  );
  // Untouched, it is judged as it is: promises, prototypes and all.
  if (!isChanged || !isRecord(written)) return written;
  const changed: Record<string, unknown> = { ...written };
  if (seed !== undefined) changed["seed"] = seed;
  if (traffic !== null) setTraffic(changed, traffic, found);
  if (duration !== undefined) changed["duration"] = duration;
  if (nodes !== undefined || zones !== undefined) {
    changed["cluster"] = {
      ...(isRecord(written["cluster"]) ? written["cluster"] : {}),
      ...(nodes !== undefined && { nodes }),
      ...(zones !== undefined && { zones }),
    };
  }
  for (const text of rates) setRate(changed, text, found);
  if (resets.length > 0) {
    const at = resetAt(changed["duration"]);
    const faults: unknown = changed["faults"] ?? [];
    const own = resets.map((text) => ({ at, ...resetOf(text) }));
    changed["faults"] = Array.isArray(faults) ? [...(faults as unknown[]), ...own] : faults;
  }
  return changed;
}

function resetAt(duration: unknown): string {
  const parsed = typeof duration === "string" ? parseDuration(duration) : null;
  const durationNs = parsed !== null && "value" in parsed ? parsed.value : 0;
  return formatDuration(Math.floor((durationNs * RESET_AFTER) / 1e6) * 1e6);
}

function setTraffic(scenario: Record<string, unknown>, traffic: Traffic, found: Mistake[]): void {
  const { clients, thresholds } = scenario;
  const list = Array.isArray(clients) ? clients.filter(isRecord) : [];
  const [client] = list;
  if (client === undefined || list.length > 1) {
    found.push(optionMistake("--traffic", `${list.length} clients`, "a scenario with one client"));
    return;
  }
  scenario["clients"] = clientsFor(client, traffic).map(dataOf);
  scenario["duration"] = durationText(traffic.durationNs);
  const own: unknown[] = Array.isArray(thresholds) ? thresholds : [];
  if (traffic.thresholds.length > 0) scenario["thresholds"] = [...own, ...traffic.thresholds];
}

function setRate(scenario: Record<string, unknown>, text: string, found: Mistake[]): void {
  const { client, rps } = rateOf(text)!;
  const clients: unknown = scenario["clients"];
  const list = Array.isArray(clients) ? clients.filter(isRecord) : [];
  const names = list.map(({ name }) => String(name));
  const chosen = client === null ? list : list.filter(({ name }) => name === client);
  if (chosen.length !== 1) {
    const what =
      client !== null ? `no client ${client}` : `${list.length} clients, and one rate for all`;
    const allowed =
      names.length === 0
        ? "a scenario with clients"
        : `one of ${names.map((name) => `${name}=${rps}`).join(", ")}`;
    found.push(optionMistake(`--rate ${shownText(text)}`, what, allowed));
    return;
  }
  scenario["clients"] = (clients as unknown[]).map((each) => {
    if (each !== chosen[0] || !isRecord(each)) return each;
    const load = isRecord(each["load"]) && each["load"]["kind"] === "openLoop" ? each["load"] : {};
    return { ...each, load: { ...load, kind: "openLoop", rate: rps } };
  });
}

/**
 * Mistakes about what the options put into the data, as the options'.
 * @param faults faults that the scenario has itself
 */
export function asOptionMistakes(
  found: Mistake[],
  { resets = [], nodes, zones }: Overrides,
  faults: number,
): void {
  for (const [index, mistake] of found.entries()) {
    const { path, suggestion, found: what, allowed } = mistake;
    const reset = resets.find((_, i) => path.startsWith(pathText(["faults", faults + i])));
    const option =
      reset !== undefined
        ? `--reset ${shownText(reset)}`
        : nodes !== undefined && path === "cluster.nodes"
          ? `--nodes ${nodes}`
          : zones !== undefined && path === "cluster.zones"
            ? `--zones ${zones}`
            : null;
    if (option === null) continue;
    const field = path.slice(path.lastIndexOf(".") + 1);
    const told =
      reset !== undefined && !/^(workload|faults\[\d+\])$/.test(field) ? `${field}: ${what}` : what;
    found[index] = optionMistake(option, told, allowed ?? "", suggestion);
  }
}
