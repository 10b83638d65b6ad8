/**
 * `run` and `runReplications`: the same results as `sim run`, as values, with all mistakes at once.
 *
 * Seen to fail: with the digest of all tables but the first, with the
 * objects left out of the validation, with one seed for all replications, and without a look at the signal.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { defineScenario, openLoop, resetPods, run, runReplications, UserError } from "podstorm";
import { runCli } from "../../src/cli/program.ts";
import { realDependencies } from "../../src/cli/rooms.ts";
import type { Summary } from "../../src/output/index.ts";
import { fakeTerminal } from "../cli/fakes.ts";
import { objectsOfWeb } from "./web.ts";

const folder = mkdtempSync(join(tmpdir(), "podstorm-library-"));
afterAll(() => rmSync(folder, { recursive: true }));

const scenario = defineScenario(({ env }) => ({
  duration: "4s",
  cluster: { nodes: 2 },
  clients: [{ name: "web", to: "svc/web:8080", load: openLoop(Number(env.RPS ?? 100)) }],
  faults: [resetPods({ selector: "app=web", count: 1, at: "1s" })],
}));
const objects = objectsOfWeb({ replicas: 3 });

describe("run", () => {
  it("gives what sim run writes of the same file, to the byte", async () => {
    const file = "scenarios/hello.ts";
    const out = join(folder, "hello");
    const argv = ["run", file, "--seed", "5", "--duration", "6s", "--out", out, "--quiet"];
    expect(await runCli(argv, fakeTerminal(), realDependencies())).toBe(0);
    const result = await run(file, { seed: 5, duration: "6s" });
    const written = JSON.parse(readFileSync(join(out, "summary.json"), "utf8")) as Summary;
    expect(JSON.parse(JSON.stringify(result.summary))).toEqual(written);
    expect(result.replay).toBe(`sim run ${file} --seed 5 --duration 6s`);
    expect(result.passed).toBe(true);
  });

  it("runs a definition with objects as data, and nothing else", async () => {
    const result = await run(scenario, { objects, env: { RPS: "50" } });
    expect(result.requests.started).toBeGreaterThan(150);
    expect(result.requests.started).toBeLessThan(250);
    expect(result.replay).toBe(null);
    const rows = result.table("endpoint_load.csv");
    const served = rows.reduce((sum, row) => sum + Number(row["requests"]), 0);
    expect(served).toBeGreaterThanOrEqual(result.requests.served);
    expect(result.figure("requests.count")).toBe(result.requests.started);
    expect(() => result.table("nothing.csv")).toThrow("endpoint_load.csv");
    expect(() => result.figure("request_failed.rate")).toThrow("did you mean requests_failed");
  });

  it("is the same twice, and other with another replication", async () => {
    const [a, b, c] = await Promise.all(
      [0, 0, 1].map((replication) => run(scenario, { objects, replication })),
    );
    expect(a!.fingerprints).toEqual(b!.fingerprints);
    expect(c!.fingerprints.events).not.toBe(a!.fingerprints.events);
  });

  it("judges thresholds of the options", async () => {
    const result = await run(scenario, { objects, thresholds: ["requests.count<10"] });
    expect(result.thresholds).toMatchObject([{ passed: false, figure: result.requests.started }]);
    expect(result.passed).toBe(false);
  });

  it("reports every mistake of scenario, objects and options at once", async () => {
    const wrong = defineScenario({ duration: "4 s" as "4s", cluster: { nodes: 0 }, window: "0" });
    const failed = run(wrong, {
      objects: [...objects, { apiVersion: "v1", kind: "Service", metadata: { name: "UPPER" } }],
      thresholds: ["nonsense"],
      seed: "",
      env: { UNREAD: "1" },
    });
    await expect(failed).rejects.toBeInstanceOf(UserError);
    const error: unknown = await failed.catch((thrown: unknown) => thrown);
    const { mistakes } = error as UserError;
    const paths = mistakes.map(({ path }) => path);
    for (const path of ["duration", "--threshold nonsense", "--seed", "-e UNREAD"]) {
      expect(paths).toContain(path);
    }
    expect(mistakes.some(({ file }) => file === "objects[2]")).toBe(true);
  });

  it("lets what the author's own function throws through as it is", async () => {
    const broken = defineScenario(() => {
      throw new RangeError("mine");
    });
    await expect(run(broken)).rejects.toThrow(RangeError);
  });

  it("ends early with the signal's reason, and tells how far it is", async () => {
    const controller = new AbortController();
    const reason = new Error("enough");
    const seen: number[] = [];
    const long = run(scenario, {
      objects,
      duration: "10m",
      signal: controller.signal,
      onProgress: ({ nowNs }) => {
        seen.push(nowNs);
        if (nowNs > 2e9) controller.abort(reason);
      },
    });
    await expect(long).rejects.toBe(reason);
    expect(seen.at(-1)).toBeGreaterThan(2e9);
    expect(seen.at(-1)).toBeLessThan(300e9);
  });

  it("refuses options that a file has no use for", async () => {
    await expect(run("scenarios/hello.ts", { objects })).rejects.toThrow("objects");
    await expect(run(scenario, { objects, replication: 0.5 })).rejects.toThrow("replication");
  });
});

describe("runReplications", () => {
  it("gives each figure its interval over different draws", async () => {
    const all = await runReplications(scenario, { objects, replications: 5 });
    const figure = all.figure("requests.count");
    expect(new Set(figure.values).size).toBeGreaterThan(1);
    expect(figure.values).toEqual(all.runs.map(({ requests }) => requests.started));
    expect(figure.low!).toBeLessThan(figure.mean);
    expect(figure.high!).toBeGreaterThan(figure.mean);
    expect(all.summary.replications).toBe(5);
    expect(all.passed).toBe(true);
    expect(() => all.figure("packets_dropped{cause:no_such}.count")).not.toThrow();
    await expect(runReplications(scenario, { objects, replications: 1 })).rejects.toThrow("from 2");
  });
});
