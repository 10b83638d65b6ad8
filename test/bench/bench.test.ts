/**
 * The benchmarks cannot rot and cannot cheat: each runs at its tiny size, gives the same work and hash
 * twice, and stands in the registry; those that model one queue compute one result; their peers are right.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Benchmark } from "../../bench/harness.ts";
import { benchmarks } from "../../bench/registry.ts";
import { studentTInterval } from "../../src/stats/index.ts";

const bench = join(import.meta.dirname, "..", "..", "bench");

describe("every benchmark", () => {
  it.each(benchmarks.map((benchmark) => [benchmark.name, benchmark] as const))(
    "%s: the same work and hash twice",
    (_, benchmark) => {
      const first = tinyRun(benchmark);
      expect(first.work).toBeGreaterThan(0);
      expect(first.hash).toMatch(/^[0-9a-f]{16}/);
      expect(tinyRun(benchmark)).toEqual(first);
    },
  );

  it("has a name of its own", () => {
    const names = benchmarks.map(({ name }) => name);
    expect([...new Set(names)]).toEqual(names);
  });

  // Seen to fail with a line taken out of the registry.
  it("of every file is in the registry", async () => {
    const unlisted: string[] = [];
    let found = 0;
    for (const file of benchmarkFiles()) {
      const exported: Record<string, unknown> = await import(join(bench, file));
      for (const [name, value] of Object.entries(exported)) {
        if (!isBenchmark(value)) continue;
        found++;
        if (!benchmarks.includes(value)) unlisted.push(`${file}: ${name}`);
      }
    }
    expect(unlisted).toEqual([]);
    // The hold model and the changes of large clusters are made by functions, once for each size.
    const made = /hold model|proxy scale/;
    expect(found).toBe(benchmarks.filter(({ name }) => !made.test(name)).length);
  });

  // Seen to fail with two service times drawn per customer in one of them.
  it("of an M/M/1 queue has the same mean time in the system: one model, one set of draws", () => {
    const queues = benchmarks.filter(({ name }) => name.includes("M/M/1"));
    const means = queues.map((queue) => queue.run(5000).hash.split(" ").slice(1).join(" "));
    expect(means).toHaveLength(3);
    expect(means[0]).toMatch(/^\d+ ns$/);
    expect(new Set(means).size).toBe(1);
  });
});

function tinyRun({ prepare, run, tinySize }: Benchmark) {
  return prepare === undefined ? run(tinySize) : prepare(tinySize)();
}

function benchmarkFiles(): string[] {
  return ["engine", "model"].flatMap((room) =>
    readdirSync(join(bench, room))
      .filter((file) => file.endsWith(".ts"))
      .map((file) => join(room, file)),
  );
}

function isBenchmark(value: unknown): value is Benchmark {
  return typeof value === "object" && value !== null && "tinySize" in value;
}

const python = process.env["PYTHON"] || "python3";
const hasSimpy = spawnSync(python, ["-c", "import simpy"], { stdio: "ignore" }).status === 0;
const reason = hasSimpy ? "" : ` (skipped: ${python} has no simpy)`;

describe(`SimPy's side of bench:peers${reason}`, () => {
  // M/M/1: W = 1 / (mu - lambda) = 1 / (1 - 0.8) ms = 5 ms. Ten independent runs, Student's t interval at
  // 99.9 %; the seeds are fixed, so the outcome is too. Seen to fail with a server of two units.
  it.skipIf(!hasSimpy).each(["resource", "store"])("%s: the mean that theory gives", (model) => {
    const script = join(bench, "peers", "mm1_simpy.py");
    const printed = execFileSync(python, [script, model, "10000", "10"], { encoding: "utf8" });
    const runs = printed.trim().split("\n");
    const means = runs.map((line) => (JSON.parse(line) as { sojournMs: number }).sojournMs);
    expect(means).toHaveLength(10);
    const { low, high } = studentTInterval(means, 0.999);
    expect(low).toBeLessThan(5);
    expect(high).toBeGreaterThan(5);
    expect(high - low).toBeLessThan(2);
  });
});
