/**
 * Schedules of CronJobs: five fields, or one of the words with an @.
 *
 * Owns: reading one, and when it is next due, in UTC. Refuses to own: what is begun then (controllers/cronjob.ts).
 * Source: github.com/robfig/cron v3, parser.go (ParseStandard) and spec.go (Next); timings §3.1.
 */
import { dateOf, daysOf, SECONDS_PER_DAY, weekdayOf } from "./calendar.ts";

export interface Schedule {
  /** The first time after `afterS`, in whole seconds since 1970; null: never in the next five years. */
  readonly next: (afterS: number) => number | null;
}

interface Bounds {
  readonly what: string;
  readonly min: number;
  readonly max: number;
  readonly names?: readonly string[];
}

const MINUTES: Bounds = { what: "minute", min: 0, max: 59 };
const HOURS: Bounds = { what: "hour", min: 0, max: 23 };
const DAYS: Bounds = { what: "day of month", min: 1, max: 31 };
const MONTHS: Bounds = {
  what: "month",
  min: 1,
  max: 12,
  names: ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
};
const WEEKDAYS: Bounds = {
  what: "day of week",
  min: 0,
  max: 6,
  names: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
};

const WORDS: Readonly<Record<string, string>> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *",
};

const YEARS_AHEAD = 5;

/** What a field allows; `isAny`: it was a star. */
interface Field {
  readonly values: ReadonlySet<number>;
  readonly isAny: boolean;
}

class BadSchedule extends Error {
  override readonly name = "BadSchedule";
}

/** @returns the schedule, or what is wrong with it */
export function parseSchedule(text: string): Schedule | string {
  try {
    return read(text.trim());
  } catch (mistake) {
    if (mistake instanceof BadSchedule) return mistake.message;
    throw mistake;
  }
}

function read(text: string): Schedule {
  const every = /^@every (?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/.exec(text);
  if (every !== null && text !== "@every ") {
    const [hours = 0, minutes = 0, seconds = 0] = every.slice(1).map((part) => Number(part ?? 0));
    const periodS = Math.max(1, hours * 3600 + minutes * 60 + seconds);
    return { next: (afterS) => Math.floor(afterS) + periodS };
  }
  if (text.startsWith("@") && !Object.hasOwn(WORDS, text)) throw new BadSchedule(`"${text}"`);
  const spelled = Object.hasOwn(WORDS, text) ? WORDS[text]! : text;
  const fields = spelled.split(/\s+/);
  if (fields.length !== 5) throw new BadSchedule(`${fields.length} fields`);
  const [minutes, hours, days, months, weekdays] = fields;
  return scheduleOf({
    minutes: fieldOf(minutes!, MINUTES),
    hours: fieldOf(hours!, HOURS),
    days: fieldOf(days!, DAYS),
    months: fieldOf(months!, MONTHS),
    weekdays: fieldOf(weekdays!, WEEKDAYS),
  });
}

interface Fields {
  readonly minutes: Field;
  readonly hours: Field;
  readonly days: Field;
  readonly months: Field;
  readonly weekdays: Field;
}

/** getField: a list of ranges. */
function fieldOf(text: string, bounds: Bounds): Field {
  const values = new Set<number>();
  let isAny = false;
  for (const part of text.split(",")) {
    const { low, high, step, star } = rangeOf(part, bounds);
    for (let value = low; value <= high; value += step) values.add(value);
    isAny ||= star;
  }
  return { values, isAny };
}

/** getRange: "*", "5", "1-5", each with "/step"; "5/step" goes on to the end. */
function rangeOf(part: string, bounds: Bounds) {
  const [range = "", stepText, ...more] = part.split("/");
  const [lowText = "", highText, ...rest] = range.split("-");
  const wrong = (): never => {
    throw new BadSchedule(`${bounds.what} "${part}"`);
  };
  if (more.length + rest.length > 0) wrong();
  const star = lowText === "*" || lowText === "?";
  const low = star ? bounds.min : (numberOf(lowText, bounds) ?? wrong());
  const step = stepText === undefined ? 1 : /^\d+$/.test(stepText) ? Number(stepText) : wrong();
  let high = low;
  // What follows the dash of a star counts for nothing.
  if (star || (highText === undefined && stepText !== undefined)) high = bounds.max;
  else if (highText !== undefined) high = numberOf(highText, bounds) ?? wrong();
  if (low < bounds.min || high > bounds.max || low > high || step === 0) wrong();
  // "*/2" is a restriction like any other.
  return { low, high, step, star: star && step === 1 };
}

function numberOf(text: string, { names, min }: Bounds): number | null {
  if (/^\d+$/.test(text)) return Number(text);
  const index = names?.indexOf(text.toLowerCase()) ?? -1;
  return index < 0 ? null : index + min;
}

function scheduleOf(fields: Fields): Schedule {
  const { minutes, hours, months } = fields;
  return {
    next(afterS) {
      let atS = Math.floor(afterS / 60) * 60 + 60;
      const lastYear = dateOf(Math.floor(atS / SECONDS_PER_DAY)).year + YEARS_AHEAD;
      for (;;) {
        const day = Math.floor(atS / SECONDS_PER_DAY);
        const { year, month } = dateOf(day);
        if (year > lastYear) return null;
        const minuteOfDay = Math.floor((atS - day * SECONDS_PER_DAY) / 60);
        if (!months.values.has(month)) atS = startOfNextMonth(year, month);
        else if (!isDue(fields, day)) atS = (day + 1) * SECONDS_PER_DAY;
        else if (!hours.values.has(Math.floor(minuteOfDay / 60))) {
          atS = day * SECONDS_PER_DAY + (Math.floor(minuteOfDay / 60) + 1) * 3600;
        } else if (!minutes.values.has(minuteOfDay % 60)) atS += 60;
        else return atS;
      }
    },
  };
}

function startOfNextMonth(year: number, month: number): number {
  const next = month === 12 ? { year: year + 1, month: 1 } : { year, month: month + 1 };
  return daysOf({ ...next, day: 1 }) * SECONDS_PER_DAY;
}

/** dayMatches: where both days are restricted one of them is enough. */
function isDue({ days, weekdays }: Fields, day: number): boolean {
  const byMonth = days.values.has(dateOf(day).day);
  const byWeek = weekdays.values.has(weekdayOf(day));
  return days.isAny || weekdays.isAny ? byMonth && byWeek : byMonth || byWeek;
}
