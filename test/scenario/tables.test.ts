/**
 * Members of tables, chosen by name: an unknown name is the user's mistake, with what was meant.
 *
 * Seen to fail: without the entry of kubeProxy.mode in profileChoices, with `text` for cluster.network,
 * with zod imported by a fault's file, and without the line of ownPackage about dynamic imports.
 */
import { build } from "esbuild";
import { describe, expect, test } from "vitest";
import { ownPackage } from "../../src/scenario/bundle.ts";
import { defaultProfile, profileChoices } from "../../src/scenario/profile.ts";
import * as faultWords from "../../src/scenario/faults/words.ts";
import { loadFiles, mistakesIn, scenarioText, webManifest } from "./files.ts";

const files = (fields: string) => ({
  "scenario.ts": scenarioText(fields),
  "web.yaml": webManifest(),
});

async function mistakeIn(fields: string): Promise<string[]> {
  return mistakesIn(files(fields), { profile: defaultProfile });
}

describe("an unknown member", () => {
  test("of the pod networks", async () => {
    const found = await mistakeIn('cluster: { manifests: ["web.yaml"], network: "bridge-hostgw" }');
    expect(found).toEqual([
      'scenario.ts:5:39 cluster.network: "bridge-hostgw"; allowed: "bridge-host-gw" (did you mean "bridge-host-gw"?)',
    ]);
  });

  test("of kube-proxy's modes", async () => {
    const found = await mistakeIn('profile: { kubernetes: { kubeProxy: { mode: "iptable" } } }');
    expect(found).toEqual([
      'scenario.ts:5:41 profile.kubernetes.kubeProxy.mode: "iptable"; allowed: "iptables", "nftables", "ipvs", "ebpf" (did you mean "iptables"?)',
    ]);
  });

  test("of the kinds of server", async () => {
    const found = await mistakeIn('servers: { "deploy/web": { kind: "request" } }');
    expect(found).toEqual([
      'scenario.ts:5:30 servers["deploy/web"].kind: "request"; allowed: requests, task (did you mean requests?)',
    ]);
  });

  test("of the faults", async () => {
    const found = await mistakeIn('faults: [{ kind: "resetPod" }]');
    const allowed = Object.keys(faultWords).map((kind) => `${kind}(...)`);
    expect(found).toEqual([
      `scenario.ts:5:12 faults[0]: { kind: 'resetPod' }; allowed: ${allowed.join(", ")} (did you mean resetPods?)`,
    ]);
  });
});

test("a known member is taken", async () => {
  const profile =
    'profile: { kubernetes: { kubeProxy: { mode: "iptables", iptables: { backend: "legacy" } } } }';
  const server = 'servers: { "deploy/web": { kind: "requests", concurrency: 3 } }';
  const scenario = await loadFiles(files(`${server}, ${profile}`), { profile: defaultProfile });
  expect(scenario.cluster.servers).toMatchObject([{ kind: "requests", concurrency: 3 }]);
  expect(scenario.cluster.network).toBe("bridge-host-gw");
  expect(scenario.profile.kubernetes.kubeProxy).toMatchObject({
    mode: "iptables",
    iptables: { backend: "legacy" },
  });
});

test("every constant that is text is one of a few words, or known to be free", () => {
  const free = new Set([
    "name",
    "kubernetes.dns.zone",
    // Addresses.
    "kubernetes.dns.nodeLocal.address",
    "kubernetes.kubeProxy.clusterCIDR",
  ]);
  const texts = textPaths(defaultProfile, []).filter((path) => !free.has(path));
  expect(texts.toSorted()).toEqual(Object.keys(profileChoices).toSorted());
});

/** Paths of all text in the profile; a distribution's kind is read by its own schema. */
function textPaths(value: unknown, path: readonly string[]): string[] {
  if (typeof value === "string") return [path.join(".")];
  if (typeof value !== "object" || value === null || "kind" in value) return [];
  return Object.entries(value).flatMap(([key, part]) => textPaths(part, [...path, key]));
}

test("a scenario bundles the words and nothing that reads them", async () => {
  const { metafile } = await build({
    absWorkingDir: process.cwd(),
    entryPoints: ["scenarios/reset-storm.ts"],
    bundle: true,
    write: false,
    metafile: true,
    platform: "node",
    plugins: [ownPackage],
  });
  const read = Object.keys(metafile.inputs).map((file) => file.replace(/[^/]+$/, ""));
  expect([...new Set(read)].toSorted()).toEqual([
    "scenarios/",
    "src/",
    "src/answers/",
    "src/library/",
    "src/scenario/",
    "src/scenario/faults/",
    "src/scenario/language/",
  ]);
  const [output] = Object.values(metafile.outputs);
  const kept = Object.entries(output!.inputs).filter(([, { bytesInOutput }]) => bytesInOutput > 0);
  const words = /^(scenarios|src\/scenario\/(faults|language))\//;
  expect(kept.map(([file]) => file).filter((file) => !words.test(file))).toEqual([]);
});
