/**
 * --rate, --reset, --nodes, --zones and -f: what the command line says over a scenario, and a scenario of
 * manifests alone.
 *
 * Seen to fail: with setRate() leaving the load as it was, with resetOf() without its default fraction (the reset
 * is a mistake), and with asOptionMistakes() doing nothing (mistakes name fields that nobody wrote).
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { seconds } from "../../src/engine/index.ts";
import { loadScenario, type LoadOptions } from "../../src/scenario/load.ts";
import { UserError } from "../../src/scenario/mistakes.ts";
import { defaultProfile } from "../../src/scenario/profile.ts";
import { loadFiles, mistakesIn, webManifest } from "./files.ts";
import { runShortly, shopPart } from "./import/imports.ts";

const client = (name: string) =>
  `{ name: "${name}", to: "svc/web:8080", load: openLoop(50, { arrivals: "deterministic" }) }`;
const files = (clients: string, faults = "") => ({
  "scenario.ts": `import { defineScenario, openLoop, resetPods } from "podstorm";
export default defineScenario({
  duration: "30s",
  cluster: { nodes: 2, manifests: ["web.yaml"] },
  clients: [${clients}],
  ${faults}
});`,
  "web.yaml": webManifest(),
});
const load = (options: LoadOptions, clients = client("app"), faults = "") =>
  loadFiles(files(clients, faults), { profile: defaultProfile, ...options });
const mistakes = (options: LoadOptions, clients = client("app"), faults = "") =>
  mistakesIn(files(clients, faults), { profile: defaultProfile, ...options });

describe("over a scenario", () => {
  test("--rate is the client's rate, and all else of its load stays", async () => {
    const [app] = (await load({ rates: ["500"] })).clients;
    expect(app!.load).toMatchObject({
      kind: "openLoop",
      process: "deterministic",
      rate: [{ startRps: 500, endRps: 500 }],
    });
  });

  test("of several clients --rate names one", async () => {
    const two = `${client("app")}, ${client("batch")}`;
    const { clients } = await load({ rates: ["batch=7.5"] }, two);
    const rates = clients.map(({ load: own }) => own.kind === "openLoop" && own.rate[0]!.endRps);
    expect(rates).toEqual([50, 7.5]);
    expect(await mistakes({ rates: ["9"] }, two)).toEqual([
      '--rate "9": 2 clients, and one rate for all; allowed: one of app=9, batch=9',
    ]);
  });

  test("--reset comes after the scenario's own faults, at a third of the run", async () => {
    const faults = 'faults: [resetPods({ selector: "app=web", count: 1, at: "1s" })],';
    const scenario = await load({ resets: ["deploy/web"], duration: "60s" }, client("app"), faults);
    expect(scenario.faults).toHaveLength(2);
    expect(scenario.faults[1]).toEqual({
      kind: "resetPods",
      namespace: "default",
      selector: { app: "web" },
      how: "delete",
      amount: { kind: "fraction", fraction: 1 },
      atNs: seconds(20),
      everyNs: 0,
      times: 1,
    });
  });

  test("--reset takes what resetPods knows", async () => {
    const { faults } = await load({
      resets: ["deploy/web,how=sigkill,at=2s,count=1,every=3s,times=2"],
    });
    expect(faults[0]).toMatchObject({
      how: "sigkill",
      amount: { kind: "count", count: 1 },
      atNs: seconds(2),
      everyNs: seconds(3),
      times: 2,
    });
  });

  test("--nodes and --zones replace the scenario's numbers", async () => {
    const { nodes } = (await load({ nodes: 5, zones: 3 })).cluster;
    const zones = nodes.map(({ metadata }) => metadata.labels["topology.kubernetes.io/zone"]);
    expect(zones).toEqual(["zone-1", "zone-2", "zone-3", "zone-1", "zone-2"]);
  });

  test("mistakes are the option's, all at once", async () => {
    const wrong = await mistakes({
      rates: ["fast"],
      resets: ["deploy/web;rm"],
      duration: "soon",
    });
    expect(wrong.map((each) => each.split(":")[0])).toEqual([
      "--duration",
      '--rate "fast"',
      '--reset "deploy/web;rm"',
    ]);
    expect(await mistakes({ resets: ["deploy/wep", "x/web", "deploy/web,how=melt"] })).toEqual([
      '--reset "deploy/web,how=melt": how: "melt"; allowed: "delete", "crash", "kill", "sigkill", "oom", "evict"',
      '--reset "deploy/wep": no workload "deploy/wep"; allowed: one of deploy/web (did you mean deploy/web?)',
      '--reset "x/web": no workload "x/web"; allowed: one of deploy/web (did you mean deploy/web?)',
    ]);
  });
});

describe("resetPods({ workload })", () => {
  const reset = (fields: string) => `faults: [resetPods({ ${fields}, count: 1, at: "1s" })],`;

  test("names the pods of a workload", async () => {
    const { faults } = await load({}, client("app"), reset('workload: "deploy/web"'));
    expect(faults[0]).toMatchObject({ namespace: "default", selector: { app: "web" } });
  });

  test("stands instead of a selector", async () => {
    const both = reset('workload: "deploy/web", selector: "app=web"');
    expect((await mistakes({}, client("app"), both)).join()).toContain(
      "both selector and workload",
    );
    expect(
      (await mistakes({}, client("app"), 'faults: [resetPods({ count: 1, at: "1s" })],')).join(),
    ).toContain("neither selector nor workload");
  });
});

describe("-f", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "podstorm-f-"));
    writeFileSync(join(folder, "shop.yaml"), shopPart("front") + shopPart("cart"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const manifests = (options: LoadOptions = {}) =>
    loadScenario("shop", { filename: [join(folder, "shop.yaml")], ...options });

  test("is a whole experiment", async () => {
    const scenario = await manifests({
      rates: ["200"],
      resets: ["deploy/front,at=1s"],
      duration: "10s",
      nodes: 4,
      zones: 2,
      seed: "7",
    });
    expect(scenario).toMatchObject({
      name: "shop",
      seed: "7",
      durationNs: seconds(10),
      file: null,
    });
    expect(scenario.cluster.nodes).toHaveLength(4);
    const { brokenLaws, served, failed } = runShortly(scenario, seconds(3));
    expect(brokenLaws).toEqual([]);
    expect(served).toBeGreaterThan(100);
    // Its one pod is deleted, and nobody is there for a while.
    expect(failed).toBeGreaterThan(10);
  });

  test("says what was assumed, but not what was said", async () => {
    const assumed = async (options: LoadOptions) => (await manifests(options)).assumed!.join("\n");
    expect(await assumed({})).toContain("100 requests/s to svc/front:80");
    expect(await assumed({ rates: ["7"] })).not.toContain("requests/s");
  });

  test("too few nodes are a mistake of --nodes, not more nodes", async () => {
    writeFileSync(join(folder, "shop.yaml"), shopPart("front", { more: "\n  replicas: 500" }));
    await expect(manifests({ nodes: 2 })).rejects.toThrow(/pods in all/);
    expect((await manifests()).cluster.nodes.length).toBeGreaterThan(4);
  });

  test("reads no -e", async () => {
    await expect(manifests({ env: { A: "b" } })).rejects.toThrow(UserError);
  });
});
