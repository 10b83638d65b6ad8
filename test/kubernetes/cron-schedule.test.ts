/**
 * Schedules of CronJobs, held to the platform's calendar. Facts: robfig/cron v3 spec_test.go, parser_test.go.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { dateOf, daysOf, parseInstant, weekdayOf } from "../../src/kubernetes/cron/calendar.ts";
import { parseSchedule } from "../../src/kubernetes/cron/schedule.ts";

const DAY = 86_400;

describe("the calendar", () => {
  test("is the platform's, for 400 years either way", () => {
    // Broken on purpose: without the rule for centuries 1900 and 2100 are leap years.
    fc.assert(
      fc.property(fc.integer({ min: -146_097, max: 146_097 }), (days) => {
        const date = new Date(days * DAY * 1000);
        const same = {
          year: date.getUTCFullYear(),
          month: date.getUTCMonth() + 1,
          day: date.getUTCDate(),
        };
        expect(dateOf(days)).toEqual(same);
        expect(daysOf(same)).toBe(days);
        expect(weekdayOf(days)).toBe(date.getUTCDay());
      }),
    );
  });

  test("instants: RFC 3339 in UTC, days and hours that there are", () => {
    expect(parseInstant("2026-03-29T08:59:30Z")).toBe(Date.UTC(2026, 2, 29, 8, 59, 30) / 1000);
    for (const wrong of [
      "2026-02-29T00:00:00Z",
      "2026-01-01T24:00:00Z",
      "2026-01-01",
      "2026-01-01T00:00:00+01:00",
    ]) {
      expect(parseInstant(wrong)).toBeNull();
    }
  });
});

const at = (text: string): number => parseInstant(text)!;
const shown = (atS: number | null): string | null =>
  atS === null ? null : new Date(atS * 1000).toISOString().replace(".000", "");
const nextOf = (schedule: string, after: string): string | null => {
  const parsed = parseSchedule(schedule);
  if (typeof parsed === "string") throw new Error(parsed);
  return shown(parsed.next(at(after)));
};

test.each([
  // From TestNext of spec_test.go, minutes for seconds.
  ["0/15 * * * *", "2012-07-09T14:45:00Z", "2012-07-09T15:00:00Z"],
  ["0/15 * * * *", "2012-07-09T14:59:00Z", "2012-07-09T15:00:00Z"],
  ["20-35/15 * * * *", "2012-07-09T15:45:00Z", "2012-07-09T16:20:00Z"],
  ["15/35 * * * *", "2012-07-09T23:46:51Z", "2012-07-09T23:50:00Z"],
  ["20-35/15 1/2 * * *", "2012-07-09T23:46:00Z", "2012-07-10T01:20:00Z"],
  ["20-35/15 1/2 */2 * *", "2012-07-09T23:46:00Z", "2012-07-11T01:20:00Z"],
  ["20-35/15 10-12 * * *", "2012-07-09T23:46:00Z", "2012-07-10T10:20:00Z"],
  ["20-35/15 * 9-20 jul *", "2012-07-09T23:46:00Z", "2012-07-10T00:20:00Z"],
  ["0 0 9 apr-oct ?", "2012-07-09T23:35:00Z", "2012-08-09T00:00:00Z"],
  ["0 0 29 2 ?", "2012-07-09T23:35:00Z", "2016-02-29T00:00:00Z"],
  ["0 0 * feb mon", "2012-07-09T23:35:00Z", "2013-02-04T00:00:00Z"],
  ["0 0 * feb mon/2", "2012-07-09T23:35:00Z", "2013-02-01T00:00:00Z"],
  // Both days restricted: one of them is enough; a star with a step is a restriction.
  ["0 0 1 * mon", "2026-01-02T00:00:00Z", "2026-01-05T00:00:00Z"],
  ["0 0 */10 * sun", "2026-01-12T00:00:00Z", "2026-01-18T00:00:00Z"],
  // Never at the time itself.
  ["* * * * *", "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"],
  ["0 0 30 feb ?", "2026-01-01T00:00:00Z", null],
  ["@hourly", "2026-01-01T00:00:01Z", "2026-01-01T01:00:00Z"],
  ["@weekly", "2026-01-01T00:00:01Z", "2026-01-04T00:00:00Z"],
  ["@every 1m30s", "2026-01-01T00:00:01Z", "2026-01-01T00:01:31Z"],
])("%s after %s is due at %s", (schedule, after, expected) => {
  // Broken on purpose: both days always demanded.
  expect(nextOf(schedule, after)).toBe(expected);
});

test.each([
  ["* * * *", "4 fields"],
  ["60 * * * *", 'minute "60"'],
  ["5-1 * * * *", 'minute "5-1"'],
  ["*/0 * * * *", 'minute "*/0"'],
  ["* * 0 * *", 'day of month "0"'],
  ["* * * mai *", 'month "mai"'],
  ["* * * * 7", 'day of week "7"'],
  ["@nightly", '"@nightly"'],
])("%s is none: %s", (schedule, problem) => {
  expect(parseSchedule(schedule)).toBe(problem);
});

test("what is next is due by every field, and nothing before it was", () => {
  const field = (min: number, max: number): fc.Arbitrary<string> =>
    fc.oneof(
      fc.constant("*"),
      fc.integer({ min, max }).map(String),
      fc.integer({ min: 1, max: max - min }).map((step) => `*/${step}`),
    );
  const schedule = fc.tuple(
    field(0, 59),
    field(0, 23),
    field(1, 28),
    fc.constant("*"),
    field(0, 6),
  );
  fc.assert(
    fc.property(schedule, fc.integer({ min: 0, max: 4e9 }), (fields, afterS) => {
      const parsed = parseSchedule(fields.join(" "));
      if (typeof parsed === "string") throw new Error(parsed);
      const found = parsed.next(afterS)!;
      expect(found % 60).toBe(0);
      // What was due after the half of the way is due there again.
      const middle = Math.floor((afterS + found) / 2);
      expect(parsed.next(middle)).toBe(middle >= found ? parsed.next(found) : found);
      expect(parsed.next(found - 60)).toBe(found);
    }),
    { numRuns: 200 },
  );
});
