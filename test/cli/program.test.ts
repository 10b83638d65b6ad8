/** The command line: what it accepts, what it prints where, and which exit code it gives. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Run } from "../../src/cli/dependencies.ts";
import { wantsColour } from "../../src/cli/io.ts";
import { runCli } from "../../src/cli/program.ts";
import type { ResolvedScenario } from "../../src/scenario/resolved.ts";
import { parseThreshold } from "../../src/scenario/thresholds.ts";
import { ms, Phase, seconds, Simulation } from "../../src/engine/index.ts";
import { Recording } from "../../src/observe/index.ts";
import { conntracks, endNs, hops } from "../observe/synthetic.ts";
import { fakeDependencies, fakeTerminal, type FakeTerminal } from "./fakes.ts";

let parent: string;
let out: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), "podstorm-cli-"));
  out = join(parent, "run");
});
afterEach(() => rmSync(parent, { recursive: true, force: true }));

class UserError extends Error {
  override readonly name = "UserError";
}

function sim(
  argv: readonly string[],
  io: FakeTerminal = fakeTerminal(),
  dependencies = fakeDependencies(),
): Promise<number> {
  return runCli(argv, io, dependencies);
}

function failing(error: Error): () => Promise<never> {
  return () => Promise.reject(error);
}

/** A real simulation whose only event goes wrong at 5 ms. */
function faultyRun(): Run {
  const model = new Simulation({ seed: "7" });
  model.callAt(ms(5), Phase.start, () => {
    throw new Error("conntrack entry without a socket");
  });
  return {
    sim: model,
    durationNs: seconds(1),
    get nowNs() {
      return model.nowNs;
    },
    runUntil: (timeNs, mostEvents) => model.run(timeNs, mostEvents),
    finish: () => ({ hops: [], conntracks: [], brokenLaws: [], eventFingerprint: "" }),
  };
}

function files(dir: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(dir)
      .filter((name) => name !== "manifest.json")
      .map((name) => [name, readFileSync(join(dir, name), "utf8")]),
  );
}

describe("sim verify", () => {
  it("says so when all three runs gave the same bytes", async () => {
    const io = fakeTerminal();
    expect(await sim(["verify", "s.ts", "--seed", "7", "-e", "A=1"], io)).toBe(0);
    expect(io.out()).toMatch(
      /^s\.ts: the same bytes in \d+ files, twice in one process and once in a fresh one\n$/,
    );
  });

  it("runs all three with the same options", async () => {
    const asked: (readonly string[])[] = [];
    const { runFresh, ...rest } = fakeDependencies();
    const dependencies = fakeDependencies({
      ...rest,
      runFresh: (words, signal) => {
        asked.push(words);
        return runFresh(words, signal);
      },
    });
    await sim(["verify", "s.ts", "--seed", "7", "-e", "A=1"], fakeTerminal(), dependencies);
    expect(asked[0]!.slice(0, 6)).toEqual(["run", "s.ts", "--seed", "7", "-e", "A=1"]);
  });

  it("shows the first line that differs, and gives 1", async () => {
    const io = fakeTerminal();
    // The fresh process has another seed, which summary.json holds.
    const dependencies = fakeDependencies({
      runFresh: (words) => sim([...words, "--seed", "other"]),
    });
    expect(await sim(["verify", "s.ts"], io, dependencies)).toBe(1);
    expect(io.out()).toBe("");
    expect(io.err()).toMatch(
      /other bytes in a fresh process: summary\.json, line 3:\n.*"1",\n.*"other",/,
    );
  });

  it("gives 1 when the fresh process fails", async () => {
    const io = fakeTerminal();
    const dependencies = fakeDependencies({ runFresh: () => Promise.resolve(2) });
    expect(await sim(["verify", "s.ts"], io, dependencies)).toBe(1);
    expect(io.err()).toBe("the run in a fresh process ended with exit code 2\n");
  });
});

describe("sim run", () => {
  it("writes the results, prints the summary on stdout, nothing on stderr, and gives 0", async () => {
    const io = fakeTerminal();
    expect(await sim(["run", "synthetic.ts", "--out", out], io)).toBe(0);
    expect(io.err()).toBe("");
    expect(io.out()).toMatch(/^1 of 7 requests failed/);
    expect(io.out()).toContain(`Results       ${out}`);
    expect(io.out()).toContain("Again         sim run synthetic.ts --seed 1\n");
    const tables = new Recording().tables({ endNs, hops, conntracks }).map(({ file }) => file);
    expect(tables).toContain("requests.csv");
    // dns.csv is only there where somebody looks a name up.
    const written = [...tables, "manifest.json", "summary.json"].filter(
      (file) => file !== "dns.csv",
    );
    expect(readdirSync(out).sort()).toEqual(written.sort());
    expect(readdirSync(parent)).toEqual(["run"]);
  });

  it("gives the same bytes twice, but for manifest.json, however the run is cut", async () => {
    const other = join(parent, "other");
    const slow = fakeTerminal({ tickMs: 30 });
    const fast = fakeTerminal({ tickMs: 0.1 });
    await sim(["run", "synthetic.ts", "--out", out], slow);
    await sim(["run", "synthetic.ts", "--out", other], fast);
    expect(files(out)).toEqual(files(other));
    expect(slow.out().replaceAll(out, "DIR")).toBe(fast.out().replaceAll(other, "DIR"));
  });

  it("writes to results/<scenario> unless told otherwise", async () => {
    const io = fakeTerminal();
    const before = process.cwd();
    process.chdir(parent);
    try {
      await sim(["run", "deep/synthetic.ts"], io);
      expect(readdirSync("results")).toEqual(["synthetic"]);
    } finally {
      process.chdir(before);
    }
  });

  it("hands the overrides on, and repeats them in the replay", async () => {
    const io = fakeTerminal();
    const dependencies = fakeDependencies();
    const given = ["--seed", "7", "--duration", "30s", "-e", "A=1", "-e", "B=x=y", "-e", "A=2"];
    await sim(["run", "s.ts", "--out", out, ...given], io, dependencies);
    expect(dependencies.asked).toEqual([
      {
        file: "s.ts",
        overrides: { seed: "7", duration: "30s", thresholds: [], env: { A: "2", B: "x=y" } },
      },
    ]);
    expect(io.out()).toContain("sim run s.ts --seed 7 --duration 30s -e A=2 -e B=x=y");
  });

  it("gives 99 and the figure when a threshold is crossed, with results written and a tick or cross", async () => {
    const io = fakeTerminal();
    const { loadScenario, ...rest } = fakeDependencies();
    const thresholds = ["requests_failed.rate<1%", "requests.count==8"].map(parseThreshold);
    const dependencies = fakeDependencies({
      ...rest,
      loadScenario: async (...asked) =>
        ({ ...(await loadScenario(...asked)), thresholds }) as ResolvedScenario,
    });
    expect(await sim(["run", "s.ts", "--out", out], io, dependencies)).toBe(99);
    expect(io.err()).toBe("threshold not kept to: requests_failed.rate<1%: 14.29 %\n");
    expect(io.out()).toMatch(/✗ requests_failed\.rate<1% +14\.29 %\n +✓ requests\.count==8 +8\n/);
    expect(JSON.parse(files(out)["summary.json"]!)).toHaveProperty("thresholds.0.passed", false);
  });

  it("annotates what was crossed where GitHub runs it, and only there", async () => {
    const { loadScenario } = fakeDependencies();
    const thresholds = [parseThreshold("requests_failed.rate<1%")];
    const dependencies = fakeDependencies({
      loadScenario: async (...asked) =>
        ({ ...(await loadScenario(...asked)), thresholds }) as ResolvedScenario,
    });
    const there = fakeTerminal({ env: { GITHUB_ACTIONS: "true" } });
    await sim(["run", "a,b.ts", "--out", out], there, dependencies);
    expect(there.err()).toContain(
      "::error file=a%2Cb.ts,title=threshold not kept to::requests_failed.rate<1%25: 14.29 %25\n",
    );
    const elsewhere = fakeTerminal();
    await sim(["run", "a,b.ts", "--out", out], elsewhere, dependencies);
    expect(elsewhere.err()).not.toContain("::error");
  });

  it("prints the summary in the format that is asked for", async () => {
    const io = fakeTerminal();
    await sim(["run", "s.ts", "--out", out, "-o", "json"], io);
    expect(io.out()).toBe(files(out)["summary.json"]);
  });

  it("gives 1 rather than 99 when a law was broken as well", async () => {
    const brokenLaws = [{ law: "reach", entity: "node-1", atNs: 1, detail: "x" }];
    const { loadScenario } = fakeDependencies();
    const thresholds = [parseThreshold("requests.count<1")];
    const dependencies = fakeDependencies({
      brokenLaws,
      loadScenario: async (...asked) =>
        ({ ...(await loadScenario(...asked)), thresholds }) as ResolvedScenario,
    });
    expect(await sim(["run", "s.ts", "--out", out], fakeTerminal(), dependencies)).toBe(1);
  });

  it("keeps __proto__ a key like any other", async () => {
    const dependencies = fakeDependencies();
    await sim(["run", "s.ts", "--out", out, "-e", "__proto__=x"], fakeTerminal(), dependencies);
    expect(Object.entries(dependencies.asked[0]!.overrides.env)).toEqual([["__proto__", "x"]]);
  });

  it("prints nothing with --quiet", async () => {
    const io = fakeTerminal({ isTTY: true, tickMs: 30 });
    expect(await sim(["run", "synthetic.ts", "--out", out, "--quiet"], io)).toBe(0);
    expect([io.out(), io.err()]).toEqual(["", ""]);
    expect(readdirSync(out)).toContain("summary.json");
  });

  it("describes the run in manifest.json", async () => {
    await sim(["run", "synthetic.ts", "--out", out, "--seed", "7"]);
    const manifest = JSON.parse(readFileSync(join(out, "manifest.json"), "utf8"));
    const summary = JSON.parse(readFileSync(join(out, "summary.json"), "utf8"));
    expect(manifest).toMatchObject({
      generator: "podstorm",
      scenario: "synthetic",
      seed: "7",
      replay: "sim run synthetic.ts --seed 7",
      versions: { podstorm: "1.2.3", node: process.version, kubernetes: "1.36" },
      parameters: { durationNs: seconds(2), windowNs: seconds(1) },
      profile: { name: "test" },
      fingerprints: summary.fingerprints,
      wallClock: { startedAt: "1970-01-01T00:00:00.000Z" },
    });
    expect(manifest.files.toSorted()).toEqual(readdirSync(out).sort());
    expect(manifest.notModelled.length).toBeGreaterThan(0);
  });
});

describe("on a terminal", () => {
  it("draws progress on stderr and wipes it", async () => {
    const io = fakeTerminal({ isTTY: true, tickMs: 30 });
    await sim(["run", "synthetic.ts", "--out", out], io);
    expect(io.err()).toMatch(/█.*2.00 s of 2.00 s.*events\/s.*ETA/);
    expect(io.err().endsWith("\r\u001B[K")).toBe(true);
    expect(io.err()).not.toContain("\n");
  });

  it("colours the summary, unless NO_COLOR is set or the terminal is dumb", async () => {
    const cases = [{}, { NO_COLOR: "1" }, { NO_COLOR: "" }, { TERM: "dumb" }];
    const coloured = [];
    for (const env of cases) {
      const io = fakeTerminal({ isTTY: true, env });
      await sim(["run", "synthetic.ts", "--out", out], io);
      coloured.push(io.out().includes("\u001B["));
    }
    expect(coloured).toEqual([true, false, true, false]);
    // Seen to fail without FORCE_COLOR.
    const forced = [{ FORCE_COLOR: "1", NO_COLOR: "1" }, { FORCE_COLOR: "0" }, {}].map((env) =>
      wantsColour({ isTTY: false, write: () => true }, env),
    );
    expect(forced).toEqual([true, false, false]);
  });
});

describe("mistakes of the user give 2 and write nothing", () => {
  it.each([
    [["run", "s.ts", "--sed", "1"], /unknown option '--sed'\n\(Did you mean --seed\?\)/],
    [["rum", "s.ts"], /unknown command 'rum'\n\(Did you mean run\?\)/],
    [["run"], /missing required argument 'file'/],
    [["run", "s.ts", "extra"], /too many arguments/],
    [["run", "s.ts", "--seed"], /argument missing/],
    [["run", "s.ts", "--seed", ""], /It is empty/],
    [["run", "s.ts", "-e", "NOVALUE"], /Allowed: KEY=VALUE/],
    [["run", "s.ts", "-e", "=x"], /Allowed: KEY=VALUE/],
    [["list", "extra"], /too many arguments/],
    [[], /Usage: sim/],
  ])("%j", async (argv, message) => {
    const io = fakeTerminal();
    const dependencies = fakeDependencies();
    expect(await sim(argv, io, dependencies)).toBe(2);
    expect(io.err()).toMatch(message);
    expect(io.out()).toBe("");
    expect(dependencies.asked).toEqual([]);
  });

  it("mistakes in the scenario, all of them, with no stack", async () => {
    const io = fakeTerminal();
    const mistakes = "s.ts:3:5 clients[0]: wrong\ns.ts:9:1 faults: wrong too";
    const dependencies = fakeDependencies({ loadScenario: failing(new UserError(mistakes)) });
    expect(await sim(["run", "s.ts", "--out", out], io, dependencies)).toBe(2);
    expect(io.err()).toBe(`${mistakes}\n`);
    expect(readdirSync(parent)).toEqual([]);
  });

  it("mistakes that only compiling finds", async () => {
    const io = fakeTerminal();
    const dependencies = fakeDependencies({ compile: failing(new UserError("too many pods")) });
    expect(await sim(["run", "s.ts", "--out", out], io, dependencies)).toBe(2);
    expect(io.err()).toBe("too many pods\n");
  });

  it("a folder that is not podstorm's, before the run", async () => {
    const io = fakeTerminal();
    writeFileSync(join(parent, "mine.txt"), "mine");
    const dependencies = fakeDependencies({ compile: failing(new Error("it ran")) });
    expect(await sim(["run", "s.ts", "--out", parent], io, dependencies)).toBe(2);
    expect(io.err()).toMatch(/holds something other than podstorm results/);
    expect(readdirSync(parent)).toEqual(["mine.txt"]);
  });

  it("shows control characters in messages instead of obeying them", async () => {
    const io = fakeTerminal();
    const loadScenario = failing(new UserError("bad name \u001B[2J"));
    await sim(["run", "s.ts", "--out", out], io, fakeDependencies({ loadScenario }));
    expect(io.err()).toBe("bad name \\u{1b}[2J\n");
  });
});

describe("Ctrl-C gives 130 and leaves nothing", () => {
  it("in the middle of the run, within one slice", async () => {
    const io = fakeTerminal();
    let slicesAfter = -1;
    const onSlice = (untilNs: number) => {
      if (slicesAfter >= 0) slicesAfter++;
      else if (untilNs > seconds(1)) {
        slicesAfter = 0;
        io.interrupt();
      }
    };
    const code = await sim(["run", "s.ts", "--out", out], io, fakeDependencies({ onSlice }));
    expect(code).toBe(130);
    expect(slicesAfter).toBe(0);
    expect(io.out()).toBe("");
    expect(io.err()).toBe("interrupted; nothing was written\n");
    expect(readdirSync(parent)).toEqual([]);
  });

  it("while the scenario is being loaded", async () => {
    const io = fakeTerminal();
    const inner = fakeDependencies();
    const loadScenario: typeof inner.loadScenario = (file, overrides) => {
      io.interrupt();
      return inner.loadScenario(file, overrides);
    };
    expect(await sim(["run", "s.ts", "--out", out], io, fakeDependencies({ loadScenario }))).toBe(
      130,
    );
    expect(readdirSync(parent)).toEqual([]);
  });

  it("and keeps an earlier run's results", async () => {
    await sim(["run", "s.ts", "--out", out]);
    const before = files(out);
    const io = fakeTerminal();
    await sim(["run", "s.ts", "--out", out], io, fakeDependencies({ onSlice: io.interrupt }));
    expect(files(out)).toEqual(before);
  });
});

describe("faults of podstorm give 1 and the command that replays them", () => {
  it("an error in the model, with the event, its simulated time and the cause", async () => {
    const io = fakeTerminal();
    const dependencies = fakeDependencies({ compile: faultyRun });
    expect(await sim(["run", "s.ts", "--seed", "7", "--out", out], io, dependencies)).toBe(1);
    expect(io.err()).toMatch(/event "call.start" at 5000000 ns simulated time/);
    expect(io.err()).toContain("conntrack entry without a socket");
    expect(io.err()).toContain("  sim run s.ts --seed 7\n");
    expect(readdirSync(parent)).toEqual([]);
  });

  it("a broken law: results are written, and say FAILED", async () => {
    const io = fakeTerminal();
    const law = { law: "2 Membership", entity: "node/n1", atNs: ms(5), detail: "sent to a ghost" };
    const dependencies = fakeDependencies({ brokenLaws: [law] });
    expect(await sim(["run", "s.ts", "--out", out], io, dependencies)).toBe(1);
    expect(io.out()).toMatch(/^FAILED: a routing law was broken/);
    expect(io.err()).toBe(
      "broken law: 2 Membership: node/n1 at 5000000 ns: sent to a ghost\n" +
        "FAILED: this is a fault in podstorm. To replay it: sim run s.ts --seed 1\n",
    );
    expect(JSON.parse(readFileSync(join(out, "summary.json"), "utf8")).brokenLaws).toEqual([law]);
  });
});

/** Seen to fail with commander's own minWidthToWrap: lines of 111 on 60 columns; and with a line of 82 on 80. */
it.each([60, 80, 200])("help fits %s columns", async (columns) => {
  const io = fakeTerminal({ columns });
  expect(await runCli(["--help"], io, fakeDependencies())).toBe(0);
  const [head = "", codes = ""] = io.out().split("Exit codes:");
  expect(Math.max(...head.split("\n").map((line) => line.length))).toBeLessThanOrEqual(columns);
  expect(Math.max(...codes.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
});

describe("help, version and list go to stdout and give 0", () => {
  it.each([
    [["--help"], /Usage: sim[\s\S]*run[\s\S]*list[\s\S]*Exit codes:/],
    [
      ["run", "--help"],
      /--seed <n>[\s\S]*--duration <d>[\s\S]*--out <dir>[\s\S]*--quiet[\s\S]*Examples:/,
    ],
    [["help", "run"], /Usage: sim run/],
    [["--version"], /^1\.2\.3\n$/],
    [["list"], /quiet\n {2}Nothing\?\n {2}sim run scenarios\/quiet\.ts\n/],
  ])("%j", async (argv, text) => {
    const io = fakeTerminal();
    expect(await sim(argv, io)).toBe(0);
    expect(io.out()).toMatch(text);
    expect(io.err()).toBe("");
  });
});
