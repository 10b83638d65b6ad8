/**
 * The Gregorian calendar in UTC, by whole numbers.
 *
 * Owns: from days since 1970-01-01 to a date and back, and reading an instant as RFC 3339 writes it. Source: the
 * proleptic calendar's rule of 146,097 days in 400 years, counted from March so that leap days come last.
 */

export interface CalendarDate {
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  /** 1 to 31. */
  readonly day: number;
}

export const SECONDS_PER_DAY = 86_400;
const DAYS_PER_ERA = 146_097;
/** Days from 0000-03-01 to 1970-01-01. */
const EPOCH_DAYS = 719_468;

export function daysOf({ year, month, day }: CalendarDate): number {
  const marchYear = month <= 2 ? year - 1 : year;
  const era = Math.floor(marchYear / 400);
  const yearOfEra = marchYear - era * 400;
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  const leaps = Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100);
  return era * DAYS_PER_ERA + yearOfEra * 365 + leaps + dayOfYear - EPOCH_DAYS;
}

export function dateOf(days: number): CalendarDate {
  const shifted = days + EPOCH_DAYS;
  const era = Math.floor(shifted / DAYS_PER_ERA);
  const dayOfEra = shifted - era * DAYS_PER_ERA;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const leaps = Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100);
  const dayOfYear = dayOfEra - (365 * yearOfEra + leaps);
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * marchMonth + 2) / 5) + 1;
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9;
  return { year: era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, day };
}

/** 0 is Sunday; 1970-01-01 was a Thursday. */
export function weekdayOf(days: number): number {
  return (((days + 4) % 7) + 7) % 7;
}

/** When runs begin that do not say it: a Monday. */
export const DEFAULT_EPOCH_SECONDS = daysOf({ year: 2026, month: 1, day: 5 }) * SECONDS_PER_DAY;

const RFC_3339 = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)Z$/;

/** Seconds since 1970 of "2026-01-05T08:59:00Z"; null for anything else. */
export function parseInstant(text: string): number | null {
  const match = RFC_3339.exec(text);
  if (match === null) return null;
  const [year, month, day, hour, minute, second] = match.slice(1).map(Number) as number[];
  const days = daysOf({ year: year!, month: month!, day: day! });
  const same = dateOf(days);
  if (same.year !== year || same.month !== month || same.day !== day) return null;
  if (hour! > 23 || minute! > 59 || second! > 59) return null;
  return days * SECONDS_PER_DAY + hour! * 3600 + minute! * 60 + second!;
}
