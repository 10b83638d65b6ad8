/**
 * Reading a rate over time.
 *
 * Owns: the translation of constant, step, ramp, burst and stages to segments on the run's clock.
 * Refuses to own: drawing arrivals (workload/).
 */
import type { z } from "zod";
import type { DurationNs, SimTimeNs } from "../../engine/index.ts";
import type { RateSegment } from "../../workload/rate.ts";
import type { RateProfile } from "../resolved.ts";
import { choice, duration, fields, integer, list, number, object, reading } from "./reading.ts";

/** Bursts of a rate that repeats without a stated end. */
const MANY_BURSTS = 1000;
/** Requests per second: above it, arrivals would be less than a nanosecond apart. */
const MAX_RPS = 1e9;

const RATE_ALLOWED = "requests per second, or constant, step, ramp, burst or stages";
const rps = number("requests per second from 0 to 1e9", (n) => n >= 0 && n <= MAX_RPS);

const byKind = choice(RATE_ALLOWED, {
  constant: fields("constant", { rps }),
  step: fields("step", { from: rps, to: rps, at: duration }),
  ramp: fields("ramp", { from: rps, to: rps, at: duration.optional(), over: duration }),
  burst: fields("burst", {
    base: rps,
    peak: rps,
    at: duration,
    for: duration,
    every: duration.optional(),
    times: integer("a number of bursts", 1, 100_000).optional(),
  }),
  stages: fields("stages", {
    stages: list(object({ at: duration, rps, over: duration.optional() }), 1),
  }),
});

export const rateProfile: z.ZodType<RateProfile> = reading((input, context) => {
  if (typeof input === "number") {
    const value = context.nested(rps, input);
    return value === undefined ? undefined : [flat(0, value)];
  }
  const rate = context.nested(byKind, input);
  if (rate === undefined) return undefined;
  switch (rate.kind) {
    case "constant":
      return [flat(0, rate.rps)];
    case "step":
      return compact([flat(0, rate.from), flat(rate.at, rate.to)]);
    case "ramp":
      return compact([flat(0, rate.from), sloped(rate.at ?? 0, rate.from, rate.to, rate.over)]);
    case "burst": {
      const times = rate.times ?? (rate.every === undefined ? 1 : MANY_BURSTS);
      if (times > 1 && (rate.every === undefined || rate.every < rate.for)) {
        context.mistake(["every"], "bursts that overlap", "a duration of at least `for`");
      }
      return bursts(rate, rate.every ?? 0, times);
    }
    case "stages":
      return stagesOf(rate.stages, context.mistake);
  }
});

function flat(fromNs: SimTimeNs, rate: number): RateSegment {
  return { fromNs, startRps: rate, endRps: rate, rampNs: 0 };
}

function sloped(fromNs: SimTimeNs, start: number, end: number, rampNs: DurationNs): RateSegment {
  return { fromNs, startRps: start, endRps: end, rampNs };
}

function bursts(
  rate: { base: number; peak: number; at: SimTimeNs; for: DurationNs },
  everyNs: DurationNs,
  times: number,
): RateProfile {
  const segments = [flat(0, rate.base)];
  for (let index = 0; index < times; index++) {
    const startNs = rate.at + index * everyNs;
    if (!Number.isSafeInteger(startNs + rate.for)) break;
    segments.push(flat(startNs, rate.peak), flat(startNs + rate.for, rate.base));
  }
  return compact(segments);
}

function stagesOf(
  list: readonly { at: SimTimeNs; rps: number; over?: DurationNs | undefined }[],
  mistake: (path: (string | number)[], found: string, allowed: string) => void,
): RateProfile {
  const segments = [flat(0, 0)];
  let previousRps = 0;
  let freeFromNs = 0;
  for (const [index, stage] of list.entries()) {
    if (stage.at < freeFromNs) {
      mistake(
        ["stages", index, "at"],
        "before the end of the stage before",
        "stages in order of time",
      );
    }
    segments.push(sloped(stage.at, previousRps, stage.rps, stage.over ?? 0));
    previousRps = stage.rps;
    freeFromNs = stage.at + (stage.over ?? 0);
  }
  return compact(segments.map((s) => (s.rampNs === 0 ? flat(s.fromNs, s.endRps) : s)));
}

/** Without the segments that another one replaces at the same instant. */
function compact(segments: readonly RateSegment[]): RateProfile {
  return segments.filter((segment, index) => segments[index + 1]?.fromNs !== segment.fromNs);
}
