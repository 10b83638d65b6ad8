/** What manifests say about scheduling: read whole, with every mistake at once, and obeyed at rest. */
import { describe, expect, test } from "vitest";
import type { PodSpec } from "../../src/kubernetes/api/types.ts";
import { compile } from "../../src/scenario/compile.ts";
import { defaultProfile } from "../../src/scenario/profile.ts";
import { loadFiles, mistakesIn, scenarioText, webManifest } from "./files.ts";

const indent = (text: string): string => text.trim().split("\n").join("\n      ");
const web = (spec: string, more = "", replicas = 2): string =>
  `${webManifest({ replicas, spec: `\n      ${indent(spec)}` })}${more}`;

async function specOf(spec: string, more = ""): Promise<PodSpec> {
  const files = { "scenario.ts": scenarioText(), "web.yaml": web(spec, more) };
  const { cluster } = await loadFiles(files, { profile: defaultProfile });
  return cluster.deployments[0]!.spec.template.spec;
}

test("tolerations, affinity and spread constraints with Kubernetes' defaults", async () => {
  const spec = await specOf(`
tolerations:
- { key: gpu, value: "yes", effect: NoExecute, tolerationSeconds: 7 }
- { operator: Exists }
affinity:
  nodeAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      nodeSelectorTerms: [{ matchExpressions: [{ key: disk, operator: In, values: [ssd] }] }]
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
    - { weight: 5, podAffinityTerm: { topologyKey: zone, labelSelector: { matchLabels: { app: web } } } }
topologySpreadConstraints:
- { maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule, labelSelector: { matchLabels: { app: web } } }`);
  expect(spec.tolerations).toEqual([
    { key: "gpu", operator: "Equal", value: "yes", effect: "NoExecute", tolerationNs: 7e9 },
    { key: null, operator: "Exists", value: "", effect: null, tolerationNs: null },
  ]);
  const labelSelector = { matchLabels: { app: "web" }, matchExpressions: [] };
  expect(spec.affinity).toEqual({
    nodeRequired: [[{ key: "disk", operator: "In", values: ["ssd"] }]],
    nodePreferred: [],
    podRequired: [],
    podPreferred: [],
    antiRequired: [],
    antiPreferred: [{ weight: 5, term: { topologyKey: "zone", namespaces: [], labelSelector } }],
  });
  expect(spec.topologySpreadConstraints).toEqual([
    {
      maxSkew: 1,
      topologyKey: "zone",
      whenUnsatisfiable: "DoNotSchedule",
      labelSelector,
      minDomains: null,
    },
  ]);
});

describe("priorities (admission plugin Priority)", () => {
  const classes = `---
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: { name: high }
value: 1000
preemptionPolicy: Never
---
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: { name: usual }
value: 7
globalDefault: true
`;
  test.each([
    ["by its class", "priorityClassName: high", 1000, "Never"],
    [
      "of the system's",
      "priorityClassName: system-node-critical",
      2_000_001_000,
      "PreemptLowerPriority",
    ],
    ["by the default class", "nodeSelector: {}", 7, "PreemptLowerPriority"],
  ])("%s", async (_what, field, priority, policy) => {
    const spec = await specOf(field, classes);
    expect([spec.priority, spec.preemptionPolicy]).toEqual([priority, policy]);
  });
});

test("mistakes are reported all together", async () => {
  const found = await mistakesIn(
    {
      "scenario.ts": scenarioText(),
      "web.yaml": web(`
tolerations: [{ operator: Equal, value: x }, { key: a, operator: Exists, effect: NoSchedule, tolerationSeconds: 3 }]
topologySpreadConstraints: [{ maxSkew: 0, topologyKey: zone, whenUnsatisfiable: Sometimes }]
affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKeyy: zone }] } }`),
    },
    { profile: defaultProfile },
  );
  const texts = found.map((each) => JSON.stringify(each));
  for (const part of ["maxSkew", "Sometimes", "topologyKeyy"]) {
    expect(
      texts.filter((text) => text.includes(part)),
      part,
    ).toHaveLength(1);
  }
  const other = await mistakesIn(
    {
      "scenario.ts": scenarioText(),
      "web.yaml": web(`
tolerations: [{ operator: Equal, value: x }, { key: a, operator: Exists, effect: NoSchedule, tolerationSeconds: 3 }]
priorityClassName: none-such`),
    },
    { profile: defaultProfile },
  );
  const others = other.map((each) => JSON.stringify(each));
  for (const part of ["without a key", "of another effect", "none-such"]) {
    expect(
      others.filter((text) => text.includes(part)),
      part,
    ).toHaveLength(1);
  }
});

test("at rest: nobody on a tainted node but who bears it; who fits nowhere is pending", async () => {
  const nodes = ["plain", "gpu"]
    .map(
      (name) => `---
apiVersion: v1
kind: Node
metadata: { name: ${name} }
spec: { taints: [${name === "gpu" ? "{ key: gpu, effect: NoSchedule }" : ""}] }
`,
    )
    .join("");
  const text = scenarioText().replace("nodes: 2, ", "nodes: 0, ");
  const spread =
    "topologySpreadConstraints: [{ maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: DoNotSchedule, labelSelector: { matchLabels: { app: web } } }]";
  const placesOf = async (spec: string): Promise<(string | null)[]> => {
    const files = { "scenario.ts": text, "web.yaml": web(spec, nodes, 2) };
    const run = compile(await loadFiles(files, { profile: defaultProfile }), []);
    return [...run.cluster.api.list("Pod")].map((each) => each.spec.nodeName).sort();
  };
  expect(await placesOf("nodeSelector: {}")).toEqual(["plain", "plain"]);
  expect(await placesOf(`tolerations: [{ operator: Exists }]\n${spread}`)).toEqual([
    "gpu",
    "plain",
  ]);
  // The tainted node counts as an empty domain (nodeTaintsPolicy Ignore).
  expect(await placesOf(spread)).toEqual(["plain", null].sort());
});
