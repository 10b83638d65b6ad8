/**
 * The shipped scenarios, run as the command runs them, against what they printed when last looked at.
 *
 * A golden file freezes behaviour; that it is right is for the laws and the theory to show. To accept a
 * change: `npx vitest run test/golden -u`, then read the difference.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { Dependencies } from "../../src/cli/dependencies.ts";
import { runCli } from "../../src/cli/program.ts";
import { compile } from "../../src/scenario/compile.ts";
import { listScenarios, loadScenario } from "../../src/scenario/index.ts";
import { fakeDependencies, fakeTerminal } from "../cli/fakes.ts";

const folder = mkdtempSync(join(tmpdir(), "podstorm-golden-"));
afterAll(() => rmSync(folder, { recursive: true }));

const dependencies: Dependencies = {
  ...fakeDependencies(),
  loadScenario,
  compile,
};

async function run(name: string, out: string, options: readonly string[] = []): Promise<string> {
  const terminal = fakeTerminal();
  const argv = ["run", `scenarios/${name}.ts`, "--out", join(folder, out), ...options];
  expect(await runCli(argv, terminal, dependencies)).toBe(0);
  expect(terminal.err()).toBe("");
  return terminal.out().replace(/^Results .*\n/m, "");
}

/** Each scenario's first run, once for the tests that look at it. */
const firsts = new Map<string, Promise<string>>();

function first(name: string): Promise<string> {
  let text = firsts.get(name);
  if (text === undefined) firsts.set(name, (text = run(name, name)));
  return text;
}

function bytes(out: string): Record<string, string> {
  const files = readdirSync(join(folder, out)).filter((file) => file !== "manifest.json");
  return Object.fromEntries(
    files.map((file) => [file, readFileSync(join(folder, out, file), "utf8")]),
  );
}

const names = listScenarios("scenarios").map(({ name }) => name);

/** What their pages show besides: a scenario, and the parameter that it is run with. */
const variants = [
  ["affinity-skew", "MODE=nftables"],
  ["api-outage", "OUTAGE=none"],
  ["cold-pods", "WARM=time"],
  ["drain-with-pdb", "PDB=none"],
  ["etp-local", "HOW=delete"],
  ["leader-change", "LEADER=stays"],
  ["maxsurge-100", "SURGE=25"],
  ["prestop-sweep", "MIN_SYNC=4s"],
  ["random-vs-rr", "SCHEDULER=rr"],
  ["random-vs-rr", "SCHEDULER=lc"],
  ["zone-outage", "HOW=network"],
  ["reset-storm", "PROBE=liveness"],
  ["rolling-update", "STARTUP=0s"],
  ["scaleup-idle-pods", "POOL=4"],
] as const;

describe("shipped scenarios", () => {
  it.each(names)("%s prints what it printed", async (name) => {
    await expect(await first(name)).toMatchFileSnapshot(`./${name}.txt`);
  });

  it.each(variants)("%s -e %s prints what it printed", async (name, parameter) => {
    const text = await run(name, `${name}-${parameter}`, ["-e", parameter]);
    await expect(text).toMatchFileSnapshot(`./${name}.${parameter}.txt`);
  });

  it.each(names)("%s gives the same bytes again in one process", async (name) => {
    await first(name);
    // All the other scenarios have run in between, when all tests of this file do.
    await run(name, `${name}-again`);
    const before = bytes(name);
    expect(Object.keys(before)).toContain("requests.csv");
    expect(bytes(`${name}-again`)).toEqual(before);
  });

  it("gives other numbers for another seed", async () => {
    await run("reset-storm", "seed-2", ["--seed", "2", "--duration", "30s"]);
    await run("reset-storm", "seed-3", ["--seed", "3", "--duration", "30s"]);
    expect(bytes("seed-2")["requests.csv"]).not.toBe(bytes("seed-3")["requests.csv"]);
  });
});
