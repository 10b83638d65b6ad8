/**
 * Files for other tools, as the command line writes them.
 *
 * Seen to fail: without the second run (nothing is served in the trace), and with a file that was written in its
 * place, which an interruption left half there.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { writeFile } from "../../src/output/index.ts";
import { runCli } from "../../src/cli/program.ts";
import { fakeDependencies, fakeTerminal } from "./fakes.ts";

let parent: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), "podstorm-instruments-"));
});
afterEach(() => rmSync(parent, { recursive: true, force: true }));

async function run(...words: readonly string[]) {
  const io = fakeTerminal();
  let slices = 0;
  const dependencies = fakeDependencies({ onSlice: () => slices++ });
  const out = join(parent, "results");
  const code = await runCli(["run", "s.ts", "--out", out, ...words], io, dependencies);
  return { code, err: io.err(), ran: slices > 0 };
}

it("writes the metrics of the run", async () => {
  const path = join(parent, "out.prom");
  expect((await run("--metrics", path)).code).toBe(0);
  expect(readFileSync(path, "utf8")).toContain('podstorm_requests_total{client="web"');
  expect(readdirSync(parent).sort()).toEqual(["out.prom", "results"]);
});

it("follows a trace's requests through a second run, and captures the first", async () => {
  const [trace, otlp, pcap] = ["t.json", "t.otlp.json", "n.pcap"].map((name) => join(parent, name));
  const io = fakeTerminal();
  const words = [
    "run",
    "scenarios/hello.ts",
    "--duration",
    "2s",
    "--quiet",
    "--out",
    join(parent, "r"),
  ];
  const files = ["--trace", trace!, "--trace", otlp!, "--pcap", `node-1:eth0=${pcap}`];
  const { realDependencies } = await import("../../src/cli/rooms.ts");
  const code = await runCli([...words, ...files, "--trace-limit", "3"], io, realDependencies());
  expect([code, io.err()]).toEqual([0, ""]);
  const { otherData, traceEvents } = JSON.parse(readFileSync(trace!, "utf8")) as {
    otherData: { requests_shown: number };
    traceEvents: { name: string }[];
  };
  expect(otherData.requests_shown).toBe(3);
  expect(traceEvents.filter(({ name }) => name === "serve")).toHaveLength(3);
  expect(readFileSync(otlp!, "utf8")).toContain('"resourceSpans"');
  expect(readFileSync(pcap!).readUInt32BE(0)).toBe(0xa1b23c4d);
  expect(readFileSync(pcap!).length).toBeGreaterThan(1000);
});

it("says before the run that a file cannot be written", async () => {
  const nowhere = join(parent, "none", "out.prom");
  const there = join(parent, "folder");
  mkdirSync(there);
  for (const [path, why] of [
    [nowhere, "there is no folder"],
    [there, "it is there and is no file"],
  ]) {
    const { code, err, ran } = await run("--metrics", path!);
    expect([code, ran]).toEqual([2, false]);
    expect(err).toContain(why);
  }
});

it("says what is wrong with an option before the run", async () => {
  const { code, err, ran } = await run("--metrics", join(parent, "a"), "--metrics-every", "5");
  expect([code, ran]).toEqual([2, false]);
  expect(err).toContain("--metrics-every");
});

it("writes no file for several runs", async () => {
  const path = join(parent, "out.prom");
  const { code, err } = await run("--metrics", path, "--replications", "2");
  expect(code).toBe(2);
  expect(err).toContain("--replication I");
  expect(existsSync(path)).toBe(false);
});

it("leaves no half of a file when it is interrupted", async () => {
  const controller = new AbortController();
  const path = join(parent, "out.prom");
  const chunks = (function* () {
    yield new Uint8Array(10);
    controller.abort(new Error("stopped"));
    yield new Uint8Array(10);
  })();
  await expect(writeFile(path, chunks, controller.signal)).rejects.toThrow("stopped");
  expect(readdirSync(parent)).toEqual([]);
});
