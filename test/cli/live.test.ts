/**
 * `--live`: a dashboard while a run goes on, and what is shown where none can be drawn.
 *
 * Seen to fail: with counts that go on in the next window, with a row that is as long as the values are many, with a dashboard that is drawn
 * beneath itself, with one that is left standing at the end, and with escapes written where there is no terminal.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { canDraw, dashboardLines, LiveDashboard } from "../../src/cli/live/dashboard.ts";
import { sparkline } from "../../src/cli/live/sparkline.ts";
import { LiveWatch } from "../../src/cli/live/watch.ts";
import { runCli } from "../../src/cli/program.ts";
import { ms, seconds } from "../../src/engine/index.ts";
import { play } from "../observe/synthetic.ts";
import { fakeDependencies, fakeTerminal } from "./fakes.ts";

const scenario = { name: "storm", durationNs: seconds(4), windowNs: seconds(1) };

/** The synthetic run: six served and one refused in the first second, nothing ends in the next one. */
function watched(): LiveWatch {
  const watch = new LiveWatch();
  play([watch]);
  return watch;
}

describe("what it knows", () => {
  it("is counted window by window", () => {
    const { series, ended, failed, causes } = watched();
    expect([ended, failed, causes]).toEqual([7, 1, [["refused", 1]]]);
    expect(series).toMatchObject({
      requestsPerS: [7, 0],
      failedPerS: [1, 0],
      stalePerS: [1, 0],
      // node-1 had the first change after 200 ms; node-2 the removal of 0.6 s a second late.
      lagNs: [ms(200), seconds(1)],
    });
    expect(series.p99Ns[0]).toBeCloseTo(ms(10), -5);
    expect(series.p99Ns[1]).toBeNull();
  });

  it("calls a Service uneven by its busiest endpoint over the mean of those that are usable", () => {
    const watch = new LiveWatch();
    for (const endpoint of [0, 1, 2]) watch.endpointNamed(endpoint, 0);
    watch.endpointChanged(0, "", "", "", 0, 0, 2);
    for (const endpoint of [0, 0, 0, 0, 0, 0, 0, 0, 0, 1]) watch.endpointRequestStarted(endpoint);
    watch.windowClosed(0, seconds(1));
    // 9 of 10 on one of two: the third is not usable.
    expect(watch.series.skew).toEqual([1.8]);
    for (let i = 0; i < 9; i++) watch.endpointRequestStarted(0);
    watch.windowClosed(seconds(1), seconds(2));
    expect(watch.series.skew).toEqual([1.8, null]);
  });
});

describe("a row of bars", () => {
  it("is the whole run, and as high as its highest", () => {
    expect(sparkline([0, 1, 2, 4, 8, null], 8, 8)).toBe("·▂▃▅█·  ");
    expect(sparkline([], 8, 4)).toBe("    ");
    expect(sparkline([0, 0], 2, 4)).toBe("····");
  });

  it("shows the largest of the windows that a cell stands for, each window in some cell", () => {
    expect(sparkline([1, 8, 1, 1, 1, 1], 8, 4)).toBe("█▂▂ ");
    for (const windows of [1, 3, 7, 60, 601]) {
      for (let at = 0; at < windows; at++) {
        const values = Array.from({ length: windows }, (_, i) => (i === at ? 1 : 0));
        expect(sparkline(values, windows, 40)).toContain("█");
        expect(sparkline(values, windows, 40)).toHaveLength(40);
      }
    }
  });
});

const look = { seconds: 2, colour: false };
const state = { nowNs: seconds(2), durationNs: seconds(4), eventsProcessed: 1000 };

describe("the dashboard", () => {
  it("says how far, how fast, and what fails of what", () => {
    const lines = dashboardLines(watched(), scenario, state, { ...look, width: 79 });
    expect(lines).toHaveLength(10);
    expect(lines[1]).toContain("50 %  2.00 s of 4.00 s  1.0x  500 events/s  1 failed  ETA 2 s");
    expect(lines[3]).toMatch(/^requests\/s {5}█+·+ +0 +max 7$/);
    expect(lines[7]).toMatch(/^update lag .* 1\.00 s +max 1\.00 s$/);
    expect(lines[9]).toBe("7 requests ended, 1 failed: 1 refused");
  });

  it("is no wider than the terminal, colours aside", () => {
    for (let width = 39; width <= 120; width++) {
      const plain = dashboardLines(watched(), scenario, state, { ...look, width });
      const coloured = dashboardLines(watched(), scenario, state, { ...look, width, colour: true });
      expect(plain.every(({ length }) => length <= width)).toBe(true);
      expect(coloured.join("\n")).toContain("\u001B[31m");
      const bare = coloured.map((line) => line.replace("\u001B[31m", "").replace("\u001B[0m", ""));
      expect(bare).toEqual(plain);
    }
  });

  it("is drawn over itself and wiped at the end", () => {
    const io = fakeTerminal({ isTTY: true, tickMs: 300 });
    const dashboard = new LiveDashboard(io, scenario);
    // Before anything has happened there is no speed to tell, which would be another in the second drawing.
    const atRest = { ...state, nowNs: 0, eventsProcessed: 0 };
    dashboard.update(atRest);
    const first = io.err();
    dashboard.update(atRest);
    dashboard.end();
    dashboard.end();
    const rest = io.err().slice(first.length);
    expect(first.split("\n")).toHaveLength(11);
    expect(first).not.toContain("A\u001B");
    expect(rest).toBe(`\r\u001B[10A${first}\r\u001B[10A\u001B[J`);
  });

  it("needs a terminal that is large enough", () => {
    const stderr = { write: () => {}, isTTY: true, columns: 80, rows: 24 };
    expect(canDraw({ stderr, env: {} })).toBe(true);
    expect(canDraw({ stderr: { ...stderr, isTTY: false }, env: {} })).toBe(false);
    expect(canDraw({ stderr: { ...stderr, columns: 39 }, env: {} })).toBe(false);
    expect(canDraw({ stderr: { ...stderr, rows: 10 }, env: {} })).toBe(false);
    expect(canDraw({ stderr, env: { TERM: "dumb" } })).toBe(false);
  });
});

describe("sim run --live", () => {
  async function run(io: ReturnType<typeof fakeTerminal>, ...words: readonly string[]) {
    const parent = mkdtempSync(join(tmpdir(), "podstorm-live-"));
    try {
      return await runCli(
        ["run", "s.ts", "--out", join(parent, "r"), "--live", ...words],
        io,
        fakeDependencies(),
      );
    } finally {
      rmSync(parent, { recursive: true });
    }
  }

  it("draws on a terminal, and leaves it as it was", async () => {
    const io = fakeTerminal({ isTTY: true, tickMs: 12 });
    expect(await run(io)).toBe(0);
    expect(io.err()).toContain("latency p99");
    expect(io.err().endsWith("\u001B[J")).toBe(true);
  });

  it("writes a line at each tenth where there is none", async () => {
    const io = fakeTerminal();
    expect(await run(io)).toBe(0);
    expect(io.err()).not.toContain("\u001B");
    const lines = io.err().trimEnd().split("\n");
    expect(lines.length).toBeGreaterThan(1);
    expect(lines.length).toBeLessThanOrEqual(10);
    expect(lines.at(-1)).toMatch(/^100 % {2}2\.00 s of 2\.00 s .* failed {2}ETA 0 s$/);
  });

  it("says nothing with --quiet, and is for one run", async () => {
    const quiet = fakeTerminal({ isTTY: true });
    expect(await run(quiet, "--quiet")).toBe(0);
    expect(quiet.err()).toBe("");
    const many = fakeTerminal();
    expect(await run(many, "--replications", "2")).toBe(2);
    expect(many.err()).toContain("--live: several runs");
  });
});
