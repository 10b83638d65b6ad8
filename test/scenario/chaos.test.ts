/** chaos: what it draws, and that the list it leaves replays it. */
import { expect, test } from "vitest";
import { Recording } from "../../src/observe/index.ts";
import { compile } from "../../src/scenario/compile.ts";
import { chaosKinds } from "../../src/scenario/faults/index.ts";
import { defaultProfile } from "../../src/scenario/profile.ts";
import type { ResolvedScenario } from "../../src/scenario/resolved.ts";
import { csvChunks } from "../../src/output/csv.ts";
import { binomialRange } from "../helpers/confidence.ts";
import { loadFiles, mistakesIn, webManifest } from "./files.ts";

const OWN = '{ kind: "resetPods", selector: "app=web", count: 1, at: "3s" }';

function files(fields: string, duration = "60s", cluster = ""): Record<string, string> {
  const text = `import { defineScenario } from "podstorm";
export default defineScenario({
  duration: "${duration}",
  cluster: { nodes: 3, zones: 2, manifests: ["web.yaml"], ${cluster} },
  clients: [{ name: "c", to: "svc/web:8080", load: { kind: "openLoop", rate: 20 }, timeout: "1s" }],
  ${fields}
});`;
  return { "scenario.ts": text, "web.yaml": webManifest({ replicas: 4 }) };
}

const load = (fields: string, duration?: string, cluster?: string): Promise<ResolvedScenario> =>
  loadFiles(files(fields, duration, cluster), { profile: defaultProfile });

function resultsOf(scenario: ResolvedScenario): string {
  const recording = new Recording();
  const run = compile(scenario, recording.observers);
  run.runUntil(scenario.durationNs);
  const end = run.finish();
  expect(end.brokenLaws).toEqual([]);
  const tables = recording.tables({ ...end, endNs: scenario.durationNs });
  return [end.eventFingerprint, ...tables.flatMap((table) => [...csvChunks(table)])].join("\n");
}

test("the list of what was drawn, pasted behind the scenario's own faults, gives the same bytes", async () => {
  // Broken on purpose: `at` of the drawn faults rounded to milliseconds in the list and not in the run.
  const chaotic = await load(`faults: [${OWN}], chaos: { seed: 7, rate: 20 }`);
  expect(chaotic.drawnFaults!.length).toBeGreaterThan(8);
  const pasted = JSON.stringify(chaotic.drawnFaults).slice(1, -1);
  const replayed = await load(`faults: [${OWN}, ${pasted}]`);
  expect(replayed.faults).toEqual(chaotic.faults);
  expect(resultsOf(replayed)).toBe(resultsOf(chaotic));
});

test("its draws are its own: the run's seed moves none when it has a seed, and is its seed otherwise", async () => {
  const drawn = async (fields: string) => (await load(fields)).drawnFaults;
  const one = await drawn('seed: "a", chaos: { seed: 7, rate: 20 }');
  expect(await drawn('seed: "b", chaos: { seed: 7, rate: 20 }')).toEqual(one);
  expect(await drawn('seed: "7", chaos: { rate: 20 }')).toEqual(one);
  expect(await drawn('seed: "8", chaos: { rate: 20 }')).not.toEqual(one);
});

test("rate and time: so many a minute, between start and stop, in order", async () => {
  const chaos = 'chaos: { seed: 1, rate: 30, start: "10m", stop: "60m" }';
  const { faults } = await load(chaos, "90m");
  const [low, high] = binomialRange(1_000_000, (30 * 50) / 1_000_000);
  expect(faults.length).toBeGreaterThanOrEqual(low);
  expect(faults.length).toBeLessThanOrEqual(high);
  const times = faults.map(({ atNs }) => atNs / 60e9);
  expect(times).toEqual(times.toSorted((a, b) => a - b));
  expect([times[0]! >= 10, times.at(-1)! < 60]).toEqual([true, true]);
});

test("swarm: over seeds every kind is on somewhere and off somewhere, and all that is drawn is valid", async () => {
  const sets: Set<string>[] = [];
  for (let seed = 0; seed < 24; seed++) {
    const { drawnFaults } = await load(`chaos: { seed: ${seed}, rate: 60 }`, "60s", "dns: {}");
    sets.push(new Set(drawnFaults!.map(({ kind }) => kind)));
  }
  // No container to strike here.
  const kinds = chaosKinds.filter((kind) => kind !== "resetContainer");
  const isOn = (kind: string): number => sets.filter((set) => set.has(kind)).length;
  for (const kind of kinds) {
    expect(isOn(kind), kind).toBeGreaterThan(3);
    expect(isOn(kind), kind).toBeLessThan(21);
  }
  expect(isOn("resetContainer")).toBe(0);
});

test("kinds: no other comes", async () => {
  const { drawnFaults } = await load('chaos: { seed: 3, rate: 60, kinds: ["partition", "netem"] }');
  expect(drawnFaults!.length).toBeGreaterThan(20);
  for (const { kind } of drawnFaults!) expect(["partition", "netem"]).toContain(kind);
});

test("mistakes", async () => {
  const kinds = chaosKinds.map((kind) => `"${kind}"`).join(", ");
  const mistakes = await mistakesIn(
    files('chaos: { rate: 0, kinds: ["partitions"], start: 3 } as any'),
    { profile: defaultProfile },
  );
  expect(mistakes).toEqual([
    "scenario.ts:6:12 chaos.rate: 0; allowed: faults a minute, above 0",
    `scenario.ts:6:29 chaos.kinds[0]: "partitions"; allowed: ${kinds} (did you mean "partition"?)`,
    'scenario.ts:6:44 chaos.start: 3; allowed: a duration such as "30s", "1m30s" or "250ms" (did you mean "3s" or "3ms"?)',
  ]);
  const many = await mistakesIn(files("chaos: { rate: 1e9 }"), { profile: defaultProfile });
  expect(many).toEqual(["scenario.ts:6:12 chaos.rate: more than 10000 faults; allowed: fewer"]);
});
