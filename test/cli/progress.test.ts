/** The progress line says how far, how fast and how long still. */
import { expect, it } from "vitest";
import { progressLine } from "../../src/cli/progress.ts";
import { seconds } from "../../src/engine/index.ts";

it("shows share, simulated time, speed, rate, failures and time left", () => {
  // A quarter in 2 s: three quarters take 6 s more; 3,000,000 events in 2 s.
  const state = { nowNs: seconds(15), durationNs: seconds(60), eventsProcessed: 3_000_000 };
  expect(progressLine(state, 2, 100)).toBe(
    `${"█".repeat(6)}${"░".repeat(18)}   25 %  15.0 s of 60.0 s  7.5x  1,500,000 events/s  ETA 6 s`,
  );
  const failing = progressLine(state, 2, 120, 1234);
  expect(failing).toContain("7.5x  1,500,000 events/s  1,234 failed  ETA 6 s");
  // The failures stay when the speed has to go.
  expect(progressLine(state, 2, 56, 1234)).toMatch(
    /15\.0 s of 60\.0 s {2}1,234 failed {2}ETA 6 s$/,
  );
});

it("promises nothing before it knows", () => {
  const state = { nowNs: 0, durationNs: seconds(60), eventsProcessed: 0 };
  expect(progressLine(state, 0, 100)).toBe(`${"░".repeat(24)}    0 %  0 ns of 60.0 s`);
  // Seen to fail with a time left from the first slice on: 1 h 23 min for a run of two seconds.
  const first = { nowNs: seconds(0.02), durationNs: seconds(60), eventsProcessed: 9 };
  expect(progressLine(first, 2, 100)).not.toContain("ETA");
  expect(progressLine(first, 6, 100)).toContain("ETA 4 h 59 min");
});

it("writes long times in minutes and hours", () => {
  const state = { nowNs: seconds(1), durationNs: seconds(100), eventsProcessed: 1 };
  expect(progressLine(state, 2, 100)).toMatch(/ETA 3 min 18 s$/);
  expect(progressLine(state, 60, 100)).toMatch(/ETA 1 h 39 min$/);
});

it("fits any terminal: a shorter bar, then fewer figures", () => {
  const state = { nowNs: seconds(15), durationNs: seconds(60), eventsProcessed: 3_000_000 };
  const at = (width: number) => progressLine(state, 2, width);
  expect(at(83)).toBe(
    `${"█".repeat(5)}${"░".repeat(18)}   25 %  15.0 s of 60.0 s  7.5x  1,500,000 events/s  ETA 6 s`,
  );
  expect(at(44)).toBe(`${"██"}${"░".repeat(8)}   25 %  15.0 s of 60.0 s  ETA 6 s`);
  expect(at(30)).toBe(`${"█".repeat(3)}${"░".repeat(11)}   25 %  ETA 6 s`);
  expect(at(14)).toBe(" 25 %  ETA 6 s");
  expect(at(4)).toBe("");
  for (let width = 1; width <= 120; width++) expect(at(width).length).toBeLessThanOrEqual(width);
});
