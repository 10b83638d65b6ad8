/** What a broken law tells: that the next person can find it again, and run it. */
import { rmSync } from "node:fs";
import { dirname } from "node:path";
import fc from "fast-check";
import { afterEach, expect, test } from "vitest";
import { runCli } from "../../src/cli/program.ts";
import { compile } from "../../src/scenario/compile.ts";
import { loadScenario } from "../../src/scenario/index.ts";
import type { ResolvedScenario } from "../../src/scenario/resolved.ts";
import { fakeDependencies, fakeTerminal } from "../cli/fakes.ts";
import { scenarios, type WholeScenario } from "../../src/testing/arbitraries/scenarios.ts";
import { lawHolds } from "./law.ts";
import { resolved, writeScenario } from "./written.ts";

const folders: string[] = [];
afterEach(() => folders.splice(0).forEach((folder) => rmSync(folder, { recursive: true })));

/** Says that no scenario may have a second node; keeps the last that did. */
function failing(seed = 20_260_101) {
  let smallest: ResolvedScenario | undefined;
  let message = "";
  try {
    lawHolds(
      "9 solitude",
      scenarios(),
      (scenario) => {
        if (scenario.cluster.nodes.length < 2) return;
        smallest = scenario;
        throw new Error(`${scenario.cluster.nodes.length} nodes`);
      },
      { cases: 50, seed },
    );
  } catch (error) {
    message = (error as Error).message;
  }
  const [, file = ""] = /sim run (\S+) --seed 1$/m.exec(message) ?? [];
  folders.push(dirname(file));
  return { smallest: smallest!, message, file };
}

test("a broken law names itself, the case, its seed and path, and the smallest scenario", () => {
  const { message, smallest } = failing();
  expect(message).toMatch(/^law 9 solitude is broken \(case \d+, shrunk \d+ times\): 2 nodes$/m);
  expect(message).toMatch(
    /^Find it again: {2}PODSTORM_LAWS_SEED=20260101 PODSTORM_LAWS_PATH=[\d:]+$/m,
  );
  const { nodes, deployments, services } = smallest.cluster;
  expect([nodes.length, deployments.length, services.length]).toEqual([2, 1, 1]);
  expect(deployments[0]!.spec.replicas).toBe(1);
  expect([smallest.clients, smallest.faults]).toEqual([[], []]);
});

test("its files are the scenario that was tried, and `sim run` runs them", async () => {
  const { smallest, file } = failing();
  const loaded = await loadScenario(file);
  const description = "What breaks law 9 solitude?";
  expect(loaded).toEqual({ ...smallest, file, description });
  const terminal = fakeTerminal();
  const dependencies = { ...fakeDependencies(), loadScenario, compile };
  const argv = ["run", file, "--seed", "1", "--out", `${dirname(file)}/results`];
  expect(await runCli(argv, terminal, dependencies)).toBe(0);
  expect(terminal.err()).toBe("");
  expect(terminal.out()).toContain("scenario, seed 1");
});

test("the same seed finds the same case, another one another", () => {
  const shown = ({ message }: { message: string }): string => message.replace(/^Run it.*$/m, "");
  expect(shown(failing(7))).toBe(shown(failing(7)));
  expect(shown(failing(8))).not.toBe(shown(failing(7)));
});

test("whatever is generated is what its files say", async () => {
  for (const whole of fc.sample(scenarios(), { seed: 1, numRuns: 10 })) {
    const file = writeScenario(whole, "What?");
    folders.push(dirname(file));
    // A fault that comes too late is ignored, at a place that only a file has.
    const ignored = expect.any(Array);
    const wanted = { ...resolved(whole), file, description: "What?", ignored };
    expect(await loadScenario(file)).toEqual(wanted);
  }
});

const resets = ({ faults = [] }: WholeScenario["input"]) =>
  faults.filter((fault) => fault.kind === "resetPods");

test("the scenarios differ in kind: everything that can be drawn is drawn", () => {
  const sample = fc.sample(scenarios(), { seed: 1, numRuns: 150 });
  const kinds: Record<string, (whole: WholeScenario) => boolean> = {
    coldStart: ({ input }) => input.coldStart === true,
    "at rest": ({ input }) => input.coldStart !== true,
    "five nodes": ({ input }) => input.cluster!.nodes === 5,
    outside: ({ input }) => input.clients!.some(({ from }) => from?.kind === "outside"),
    "keep-alive": ({ input }) => input.clients!.some((c) => c.connections?.kind === "keepAlive"),
    "closed loop": ({ input }) => input.clients!.some(({ load }) => load.kind === "closedLoop"),
    retries: ({ input }) => input.clients!.some(({ retries }) => retries!.attempts > 1),
    deletes: ({ input }) => resets(input).some(({ how }) => how === "delete"),
    crashes: ({ input }) => resets(input).some(({ how }) => how === "crash"),
    kills: ({ input }) => resets(input).some(({ how }) => how === "kill"),
    storms: ({ input }) => resets(input).some(({ times = 1 }) => times > 1),
    "no fault": ({ input }) => input.faults!.length === 0,
    "small queues": ({ input }) => input.profile?.network !== undefined,
    "other control planes": ({ input }) => input.profile?.kubernetes !== undefined,
    probes: ({ objects }) => JSON.stringify(objects).includes("readinessProbe"),
    "preStop sleeps": ({ objects }) => JSON.stringify(objects).includes("preStop"),
    sidecars: ({ objects }) => JSON.stringify(objects).includes("envoy"),
  };
  for (const [kind, is] of Object.entries(kinds)) {
    expect(sample.filter(is).length, kind).toBeGreaterThanOrEqual(10);
  }
});
