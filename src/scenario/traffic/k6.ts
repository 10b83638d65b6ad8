/**
 * The `options` of a k6 script, as JSON: what `k6 inspect script.js` prints.
 *
 * Owns: executors to open and closed loops, and thresholds to thresholds. Refuses to own: the script itself, which is
 * never run: what it does between two requests is assumed. Source: grafana.com/docs/k6, "Executors", "Thresholds".
 */
import { Word } from "../import/text.ts";
import { listAt, recordAt, type RawValue } from "../import/json.ts";
import { isRecord } from "../schema/reading.ts";
import { parseThreshold } from "../thresholds.ts";
import { parseDuration } from "../units.ts";
import type { FileMistakes } from "../mistakes.ts";
import {
  decimals,
  durationText,
  type Traffic,
  type TrafficFormat,
  type TrafficLoad,
} from "./contract.ts";
import { parsed } from "./series.ts";

/** `sleep(1)`: what the script that `k6 new` writes does between two requests. */
const THINK_TIME = "1s";
/** Groups that a ramp of users is made of. */
const RAMP_STEPS = 8;
const SECOND = 1e9;

const KNOWN = ["scenarios", "stages", "vus", "duration", "iterations", "thresholds"];

export const k6: TrafficFormat = {
  read(text, mistakes) {
    const value = parsed(text);
    if (!isRecord(value) || !KNOWN.some((each) => value[each] !== undefined)) return null;
    if (value["kind"] !== undefined && value["apiVersion"] !== undefined) return null;
    const reader = new Reader(mistakes());
    const scenarios = recordAt(value, "scenarios");
    if (scenarios === null || Object.keys(scenarios).length === 0) reader.whole(value);
    else {
      for (const [name, each] of Object.entries(scenarios)) {
        if (isRecord(each)) reader.scenario(name, each);
      }
    }
    reader.thresholds(recordAt(value, "thresholds") ?? {});
    if (value["rps"] !== undefined && value["rps"] !== null && value["rps"] !== 0) {
      reader.report.push(`rps: not kept, as nothing here sends faster than it is told`);
    }
    return reader.traffic();
  },
};

interface Stage {
  readonly durationNs: number;
  readonly target: number;
}

class Reader {
  readonly report: string[] = [];
  readonly #mistakes: FileMistakes;
  readonly #loads: TrafficLoad[] = [];
  readonly #thresholds: string[] = [];
  #endNs = 0;

  constructor(mistakes: FileMistakes) {
    this.#mistakes = mistakes;
  }

  traffic(): Traffic {
    return {
      format: "k6 options",
      loads: this.#loads,
      durationNs: this.#endNs,
      thresholds: this.#thresholds,
      report: this.report,
    };
  }

  /** Options without scenarios: users for a while, or in stages. */
  whole(options: RawValue): void {
    const hasStages = listAt(options, "stages").length > 0;
    const executor = hasStages ? "ramping-vus" : "constant-vus";
    const given = { ...options, executor, startVUs: options["vus"] ?? 1 };
    this.scenario("default", hasStages ? given : { duration: "10s", vus: 1, ...given });
  }

  scenario(name: string, options: RawValue): void {
    const startNs = this.#duration(name, options["startTime"] ?? "0s");
    switch (options["executor"]) {
      case "constant-arrival-rate":
        this.#arrivals(name, options, startNs, this.#rate(name, options["rate"], options), []);
        return;
      case "ramping-arrival-rate": {
        const first = this.#rate(name, options["startRate"] ?? 0, options);
        this.#arrivals(name, options, startNs, first, this.#stages(name, options));
        return;
      }
      case "constant-vus":
      case "shared-iterations":
      case "per-vu-iterations": {
        const users = this.#count(name, options["vus"] ?? 1);
        const lasts = options["duration"] ?? options["maxDuration"] ?? "10m";
        const lengthNs = this.#duration(name, lasts);
        this.#users(name, users, startNs, startNs + lengthNs);
        if (options["executor"] !== "constant-vus") {
          this.report.push(
            `${name}: its users go on until ${durationText(startNs + lengthNs)}: iterations are not counted`,
          );
        }
        return;
      }
      case "ramping-vus":
        this.#ramp(
          name,
          this.#count(name, options["startVUs"] ?? 1),
          this.#stages(name, options),
          startNs,
        );
        return;
      case "externally-controlled":
        this.report.push(`${name}: left out: nothing controls it from outside`);
        return;
      default:
        this.#mistakes.add(
          ["scenarios", name, "executor"],
          JSON.stringify(options["executor"] ?? null),
          "an executor of k6, such as constant-arrival-rate",
        );
    }
  }

  #arrivals(
    name: string,
    options: RawValue,
    startNs: number,
    first: number,
    stages: readonly Stage[],
  ): void {
    const unitNs = this.#duration(name, options["timeUnit"] ?? "1s");
    const perSecond = (target: number) => decimals((target * SECOND) / unitNs, 6);
    let atNs = startNs;
    const steps: unknown[] = [{ at: durationText(atNs), rps: first }];
    for (const { durationNs, target } of stages) {
      const rps = perSecond(target);
      const over = durationNs === 0 ? {} : { over: durationText(durationNs) };
      steps.push({ at: durationText(atNs), rps, ...over });
      atNs += durationNs;
    }
    const isSteady = stages.length === 0;
    const stopNs = isSteady ? startNs + this.#duration(name, options["duration"] ?? "10m") : atNs;
    const rate = isSteady
      ? first
      : new Word("stages", [steps.slice(stages[0]?.durationNs === 0 ? 1 : 0)]);
    // k6 starts iterations evenly.
    const load = new Word("openLoop", [rate, { arrivals: "deterministic" }]);
    this.#add({ name, load, startNs, stopNs });
    this.report.push(
      isSteady
        ? `${name}: ${first} requests/s until ${durationText(stopNs)}, evenly spaced`
        : `${name}: ${stages.length} stages of arrivals until ${durationText(stopNs)}, evenly spaced`,
    );
  }

  /** Users that come and go in groups: the last to come is the first to go. */
  #ramp(name: string, first: number, stages: readonly Stage[], startNs: number): void {
    const groups: { users: number; sinceNs: number }[] = [];
    let atNs = startNs;
    let now = 0;
    let count = 0;
    const change = (to: number, whenNs: number): void => {
      if (to > now) groups.push({ users: to - now, sinceNs: whenNs });
      for (let gone = now - to; gone > 0;) {
        const last = groups.at(-1)!;
        const leave = Math.min(gone, last.users);
        if (whenNs > last.sinceNs) {
          this.#users(`${name}-${++count}`, leave, last.sinceNs, whenNs, false);
        }
        last.users -= leave;
        if (last.users === 0) groups.pop();
        gone -= leave;
      }
      now = to;
    };
    change(first, atNs);
    for (const { durationNs, target } of stages) {
      const from = now;
      const steps = durationNs === 0 ? 1 : Math.min(RAMP_STEPS, Math.abs(target - from));
      for (let step = 1; step <= steps; step++) {
        const to = Math.round(from + ((target - from) * step) / steps);
        change(to, Math.round(atNs + (durationNs * (step - 0.5)) / steps));
      }
      atNs += durationNs;
    }
    change(0, atNs);
    this.#endNs = Math.max(this.#endNs, atNs);
    this.report.push(
      `${name}: users in ${count} groups that come and go, until ${durationText(atNs)}; ${THINK_TIME} between an answer and the next request, as k6's own example has it: assumed`,
    );
  }

  #users(name: string, users: number, startNs: number, stopNs: number, tells = true): void {
    if (users === 0) return;
    const load = new Word("closedLoop", [{ users, thinkTime: THINK_TIME }]);
    this.#add({ name, load, startNs, stopNs });
    if (!tells) return;
    this.report.push(
      `${name}: ${users} users until ${durationText(stopNs)}, ${THINK_TIME} between an answer and the next request, as k6's own example has it: assumed`,
    );
  }

  #add(load: TrafficLoad): void {
    this.#loads.push(load);
    this.#endNs = Math.max(this.#endNs, load.stopNs ?? 0);
  }

  thresholds(written: RawValue): void {
    for (const [metric, conditions] of Object.entries(written)) {
      for (const each of Array.isArray(conditions) ? (conditions as unknown[]) : [conditions]) {
        const text = isRecord(each) ? each["threshold"] : each;
        const own = typeof text === "string" ? thresholdOf(metric, text) : null;
        if (own === null) this.report.push(`threshold left out: ${metric}: ${String(text)}`);
        else this.#thresholds.push(own);
      }
    }
  }

  #stages(name: string, options: RawValue): Stage[] {
    return listAt(options, "stages")
      .filter(isRecord)
      .map((stage) => ({
        durationNs: this.#duration(name, stage["duration"] ?? "0s"),
        target: this.#count(name, stage["target"] ?? 0),
      }));
  }

  #rate(name: string, value: unknown, options: RawValue): number {
    const unitNs = this.#duration(name, options["timeUnit"] ?? "1s");
    return decimals((this.#count(name, value) * SECOND) / Math.max(unitNs, 1), 6);
  }

  #count(name: string, value: unknown): number {
    const number = Number(value);
    if (Number.isFinite(number) && number >= 0 && number <= 1e7) return number;
    this.#mistakes.add(["scenarios", name], JSON.stringify(value), "a number from 0 to 1e7");
    return 0;
  }

  /** "1m30s", or milliseconds as a number. */
  #duration(name: string, value: unknown): number {
    if (typeof value === "number" && value >= 0 && value < 1e12) return value * 1e6;
    const found = typeof value === "string" ? parseDuration(value) : null;
    if (found !== null && "value" in found) return found.value;
    this.#mistakes.add(
      ["scenarios", name],
      JSON.stringify(value ?? null),
      'a duration such as "30s"',
    );
    return SECOND;
  }
}

const DURATIONS = /^http_req_(duration|waiting)$|^iteration_duration$/;

/** k6's condition in our grammar; null where there is none. Durations of k6 are milliseconds. */
function thresholdOf(metric: string, text: string): string | null {
  const match =
    /^\s*(p\(\s*[\d.]+\s*\)|avg|min|max|med|rate|count)\s*(<=|>=|===?|!=|<|>)\s*([\d.]+)\s*$/.exec(
      text,
    );
  if (match === null) return null;
  const [, how = "", operator = "", limit = ""] = match;
  const compared = operator.replace("===", "==");
  const own = DURATIONS.test(metric)
    ? `request_duration.${how.replaceAll(" ", "")}${compared}${limit}ms`
    : metric === "http_req_failed" && how === "rate"
      ? `requests_failed.rate${compared}${limit}`
      : metric === "http_reqs" || metric === "iterations"
        ? `requests.${how}${compared}${limit}${how === "rate" ? "/s" : ""}`
        : null;
  if (own === null) return null;
  const plain = own.replace(/\/s$/, "");
  return [own, plain].find((each) => !("problem" in parseThreshold(each))) ?? null;
}
