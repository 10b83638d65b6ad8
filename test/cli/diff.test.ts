/**
 * `sim diff`: the first thing that two runs do not both do, and the first cell in which two folders differ.
 *
 * Seen to fail: with the fingerprints alone deciding (the reset at 2 s was said to part the runs at the first event after
 * its index had shifted one), with observations left out of the comparison, and with the line's number counted from 0.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { runCli } from "../../src/cli/program.ts";
import { realDependencies } from "../../src/cli/rooms.ts";
import { scenarioText, webManifest } from "../scenario/files.ts";
import { fakeTerminal } from "./fakes.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "podstorm-diff-"));
  const client = `clients: [{ name: "c", to: "svc/web:8080", load: openLoop(50) }],`;
  writeFileSync(join(folder, "web.yaml"), webManifest());
  writeFileSync(join(folder, "a.ts"), scenarioText(client).replace('"10s"', '"4s"'));
  return () => rmSync(folder, { recursive: true });
});

async function sim(...argv: readonly string[]) {
  const io = fakeTerminal();
  const code = await runCli(argv, io, realDependencies());
  return { code, out: io.out(), err: io.err() };
}

describe("two runs", () => {
  it("that are the same", async () => {
    const file = join(folder, "a.ts");
    expect(await sim("diff", file, file)).toMatchObject({
      code: 0,
      out: expect.stringContaining("They are the same."),
    });
  });

  it("part where one has a fault that the other has not, and not before", async () => {
    const reset = "--reset deploy/web,at=2s,count=1";
    const { code, out } = await sim("diff", join(folder, "a.ts"), "--other", reset);
    expect(code).toBe(1);
    expect(out).toMatch(/^Both do the same for [\d,]+ events, up to 1\.\d+s\.$/m);
    expect(out).toMatch(
      /^B: at 2s comes call\.start .*; until then \d+ requests begun, \d+ ended/m,
    );
    expect(out).toMatch(/after: {2}2s {2}pod\/default\/web-\S+: pod_reset/);
    expect(out).toContain("faults[0]: nothing | {");
  });

  /** Seen to fail with the second side's manifests taken from the first. */
  it("may be of manifests", async () => {
    const [web, more] = ["web.yaml", "more.yaml"].map((name) => join(folder, name));
    writeFileSync(more!, webManifest({ replicas: 5 }));
    const argv = ["diff", "-f", web!, "--duration", "3s", "--rate", "20"];
    expect(await sim(...argv)).toMatchObject({ code: 0 });
    const { code, out } = await sim(...argv, "--other", `-f ${more!}`);
    expect(code).toBe(1);
    expect(out).toContain(`A is ${web!}, B is ${more!}.`);
    expect(await sim(...argv, "scenarios/first.ts")).toMatchObject({ code: 2 });
    expect(await sim("diff", "-f", "-")).toMatchObject({ code: 2 });
    expect(await sim("diff")).toMatchObject({ code: 2 });
  });

  it("part at what they do, when they end at different times not at all", async () => {
    const file = join(folder, "a.ts");
    const longer = await sim("diff", file, "--other", "--duration 5s");
    expect(longer).toMatchObject({ code: 0 });
    const seeds = await sim("diff", file, "--other", "--seed other");
    expect(seeds.code).toBe(1);
    expect(seeds.out).toContain('seed: "1" | "other"');
  });

  it("part where the same event tells something else", async () => {
    const reset = "deploy/web,at=2s,count=1,how=";
    const argv = ["--reset", `${reset}delete`, "--other", `--reset ${reset}crash`];
    const { out } = await sim("diff", join(folder, "a.ts"), ...argv);
    expect(out).toMatch(/^A: at 2s comes call\.start /m);
    expect(out).toMatch(/^B: at 2s comes call\.start /m);
  });

  it("are asked for with options that are understood", async () => {
    const { code, err } = await sim("diff", join(folder, "a.ts"), "--other", "--sed 2");
    expect(code).toBe(2);
    expect(err).toContain("Did you mean --seed?");
  });
});

describe("two folders of results", () => {
  it("differ in a file, a row and its columns", async () => {
    const [a, b] = [join(folder, "one"), join(folder, "two")];
    for (const out of [a, b]) await sim("run", join(folder, "a.ts"), "--out", out, "--quiet");
    expect(await sim("diff", a, b)).toMatchObject({ code: 0 });
    const file = join(b, "requests.csv");
    const lines = readFileSync(file, "utf8").split("\r\n");
    const header = lines[0]!.split(",");
    const cells = lines[2]!.split(",");
    const at = header.indexOf("count");
    const was = cells[at]!;
    cells[at] = "12345";
    writeFileSync(file, lines.with(2, cells.join(",")).join("\r\n"));
    const { code, out } = await sim("diff", a, b);
    expect(code).toBe(1);
    expect(out).toContain("The first difference is in requests.csv, line 3 (");
    expect(out).toContain(`\n  count: ${was} | 12345\n`);
    expect(out).toContain("client c");
  });

  it("are refused when no run has written them", async () => {
    mkdirSync(join(folder, "empty"));
    const { code, err } = await sim("diff", folder, join(folder, "empty"));
    expect(code).toBe(2);
    expect(err).toContain("a folder that no run has written");
  });
});
