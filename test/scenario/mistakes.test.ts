/** Every mistake is reported, all at once, with file, line, path and what is allowed. */
import { describe, expect, test } from "vitest";
import { nearest } from "../../src/scenario/mistakes.ts";
import { mistakesIn, scenarioText, webManifest } from "./files.ts";

/** Mistakes of a scenario with these further fields, which stand on line 5. */
async function inFields(fields: string, manifest = webManifest()) {
  return mistakesIn({ "scenario.ts": scenarioText(fields), "web.yaml": manifest });
}

async function inScenario(text: string, options = {}) {
  return mistakesIn({ "scenario.ts": text, "web.yaml": webManifest() }, options);
}

async function inManifest(manifest: string) {
  return inFields("", manifest);
}

const client = (fields: string) =>
  `clients: [{ name: "c", to: "svc/web:8080", load: openLoop(1), ${fields} }]`;

describe("in the scenario", () => {
  test("a file without mistakes has none", async () => {
    expect(await inFields(client(""))).toEqual([]);
  });

  test("all mistakes come at once, each at its line, names in broken parts included", async () => {
    const found = await inFields(`seed: 1.5, clents: [],
      servers: { "deploy/wb": { concurency: 3 } },
      clients: [
        { name: "a", to: "svc/wbe:8080", load: openLoop(-3), timeout: "-2s" },
        { name: "b", to: "svc/web:81", load: openLoop(burst({ base: 1, peak: 2, at: "1s", for: 9 })) },
      ]`);
    expect(found.map((text) => text.replace(/; allowed: .*?(?= \(did|$)/, ""))).toEqual([
      "scenario.ts:5:3 seed: 1.5",
      "scenario.ts:5:14 clents: unknown field (did you mean clients?)",
      'scenario.ts:6:18 servers["deploy/wb"]: no workload "deploy/wb" (did you mean deploy/web?)',
      'scenario.ts:6:33 servers["deploy/wb"].concurency: unknown field (did you mean concurrency?)',
      "scenario.ts:8:22 clients[0].to: no Service default/wbe (did you mean svc/web?)",
      "scenario.ts:8:57 clients[0].load.rate: -3",
      'scenario.ts:8:62 clients[0].timeout: "-2s" (a duration cannot be negative)',
      "scenario.ts:9:22 clients[1].to: no port 81 in web",
      'scenario.ts:9:91 clients[1].load.rate.for: 9 (did you mean "9s" or "9ms"?)',
    ]);
  });

  test.each([
    ["a fraction of a nanosecond", client('timeout: "1.5ns"'), /shorter than the nanosecond/],
    ["104 days and more", client('timeout: "3000h"'), /longer than 2\^53 ns/],
    ["a duration of the wrong type", client("timeout: 2"), /allowed: a duration such as "30s"/],
    [
      "a word that is near another",
      client('from: { kind: "pods", replicas: 1 }'),
      /pods\(\.\.\.\)/,
    ],
    ["a quantity", client('requestSize: "8Kb"'), /"8Kb" \(not a quantity\)/],
    [
      "a message beyond the queues",
      client('requestSize: "100Gi"'),
      /"100Gi"; allowed: .*at most 1Gi/,
    ],
    ["a try too short for a network", client('timeout: "1ns"'), /"1ns"; allowed: .*at least 100us/],
    [
      "too many windows",
      'window: "1ns"',
      /window: \d+ windows in the run; allowed: at most 1000000/,
    ],
    [
      "too many resets",
      'faults: [resetPods({ selector: "app=web", count: 1, at: "1s", every: "1ns" })]',
      /every: \d+ resets until the end; allowed: at most 1000000/,
    ],
    ["no tries", client("retries: { attempts: 0 }"), /whole number from 1 to 100/],
    ["stop before start", client('start: "3s", stop: "2s"'), /not after start/],
    ["ClusterIP from outside", client("from: outside(1)"), /nothing outside the cluster can reach/],
    ["no node port", client('to: nodePort("svc/web")'), /has no node port; allowed: .*NodePort/],
    ["no such Service", client('to: "svc/wbe"'), /no Service default\/wbe.*mean svc\/web/],
    ["no such port", client('to: "svc/web:http"'), /no port http in web; .*8080/],
    ["no reference", client('to: "web"'), /allowed: "svc\/NAME:PORT"/],
    [
      "a warm-up by requests and by time",
      'servers: { "deploy/web": { warmUp: { factor: 0.5, requests: 10, time: "1s" } } }',
      /warmUp\.factor: 0\.5; allowed: a factor from 1 to 1000/,
    ],
    [
      "a warm-up by neither",
      'servers: { "deploy/web": { warmUp: { factor: 5 } } }',
      /warmUp: .*; allowed: one of requests and time/,
    ],
    ["no such workload", 'servers: { "deploy/wbe": {} }', /one of deploy\/web \(did you mean/],
    [
      "no pod for a fault",
      'faults: [resetPods({ selector: "app=x", count: 1, at: "1s" })]',
      /matches no pod/,
    ],
    [
      "a set-based selector",
      'faults: [resetPods({ selector: "a in (b)", count: 1, at: "1s" })]',
      /labels such as/,
    ],
    [
      "fraction and count",
      'faults: [resetPods({ selector: "app=web", at: "1s" })]',
      /neither fraction nor count/,
    ],
    [
      "a fraction above 1",
      'faults: [resetPods({ selector: "app=web", fraction: 2, at: "1s" })]',
      /above 0 up to 1/,
    ],
    [
      "repeats without interval",
      'faults: [resetPods({ selector: "app=web", count: 1, at: "1s", times: 2 })]',
      /every: missing/,
    ],
    [
      "an unknown constant",
      "profile: { kubernetes: { kubeProxi: {} } }",
      /unknown constant.*mean kubeProxy/,
    ],
    [
      "a constant with its unit",
      "profile: { network: { nic: { latencyNs: 3 } } }",
      /mean latency\?/,
    ],
    ["a constant of the wrong type", "profile: { network: { mtuBytes: '1' } }", /a number from 0/],
    [
      "a distribution's order",
      'servers: { "deploy/web": { serviceTime: { kind: "lognormal", p50: "2s", p99: "1s" } } }',
      /p99: below p50|below p50/,
    ],
    [
      "CIDRs that overlap",
      'cluster: { manifests: ["web.yaml"], podCIDR: "10.96.0.0/16" }',
      /overlaps podCIDR/,
    ],
    [
      "a CIDR with host bits",
      'cluster: { manifests: ["web.yaml"], podCIDR: "10.244.0.1/16" }',
      /first address/,
    ],
    [
      "more nodes than ranges",
      'cluster: { manifests: ["web.yaml"], podCIDR: "10.244.0.0/23", nodes: 3 }',
      /left for node 3/,
    ],
    [
      "a missing manifest",
      'cluster: { manifests: ["no.yaml"] }',
      /cluster\.manifests\[0\]: "no.yaml": no such file/,
    ],
    [
      "more client pods than room",
      client("from: pods(221)"),
      /225|223 pods in all \(221 of clients\)/,
    ],
  ])("%s", async (_, fields, expected) => {
    const found = await inFields(fields);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(expected);
    expect(found[0]).toMatch(/^(scenario.ts:5|web.yaml)/);
  });

  test("a Service whose pods are of an ignored kind names it", async () => {
    const manifest = `${webManifest()}
---
apiVersion: batch/v1beta1
kind: CronJob
metadata: { name: db }
---
apiVersion: v1
kind: Service
metadata: { name: db }
spec: { selector: { app: db }, ports: [{ port: 5432 }] }
`;
    const found = await inManifest(manifest);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain("app=db matches no pod (ignored: CronJob db); allowed: ");
  });

  test("two clients of one name", async () => {
    const one = '{ name: "c", to: "svc/web", load: openLoop(1) }';
    expect(await inFields(`clients: [${one}, ${one}]`)).toEqual([
      'scenario.ts:5:64 clients[1].name: a second client "c"; allowed: unique names',
    ]);
  });

  test.each([
    [
      "a missing import",
      'import { x } from "./no.ts";\nexport default x;',
      /^scenario.ts:1:19: Could not resolve/,
    ],
    [
      "an unknown word",
      '\nimport { pod } from "podstorm";\nexport default pod;',
      /^scenario.ts:2:10: No matching export in "podstorm"/,
    ],
    ["a syntax error", "export default {\n  duration: ;\n};", /^scenario.ts:2:13: /],
    [
      "an exception",
      'function f() {\n  throw new TypeError("boom");\n}\nf();',
      /^scenario.ts:2:9: TypeError: boom/,
    ],
    [
      "an exception in its function",
      "export default ({ env }: any) => {\n  return env.A.b;\n};",
      /^scenario.ts:2:\d+: TypeError/,
    ],
    [
      "an unknown name",
      "export default { duration: nmae };",
      /^scenario.ts:1:28: ReferenceError: nmae/,
    ],
    ["no default export", "export const x = 1;", /no default export/],
    ["no object", "export default 3;", /^scenario.ts:1:16: 3; allowed: a scenario/],
    [
      "a function in the data",
      "export default { duration: () => 1 };",
      /^scenario.ts:1:18 duration: .*plain data/,
    ],
    ["a cycle", "const a: any = {};\na.seed = a;\nexport default a;", /holds itself/],
    ["__proto__", "export default JSON.parse('{\"__proto__\": {}}');", /the key __proto__/],
    [
      "a changed prototype",
      "export default { __proto__: { duration: 1 } };",
      /a prototype of its own/,
    ],
    ["a getter", "export default { cluster: { get nodes() { return 1; } } };", /a getter/],
  ])("%s has its place", async (_, text, expected) => {
    const found = await inScenario(text);
    expect(found[0]).toMatch(expected);
  });

  test("a mistake in a constant or a function's result is placed where it is written", async () => {
    const text = `const load = { kind: "openLoop", rate: -1 };
const base = { to: "svc/web", load };
export default () => {
  const duration = 5;
  return { duration, cluster: { manifests: ["web.yaml"] }, clients: [{ ...base, name: "c" }] };
};`;
    expect((await inScenario(text)).map((line) => line.split(";")[0])).toEqual([
      "scenario.ts:1:34 clients[0].load.rate: -1",
      "scenario.ts:5:12 duration: 5",
    ]);
  });

  test("a scenario that is not there", async () => {
    expect(await mistakesIn({})).toEqual(["scenario.ts: no such file"]);
  });

  test("options are checked like the file", async () => {
    expect(await inScenario(scenarioText(), { duration: "10", seed: "" })).toEqual([
      '--seed: ""; allowed: text of 1 to 256 characters',
      '--duration: "10" (the unit is missing); allowed: a duration such as "30s", "1m30s" or "250ms", above 0',
    ]);
  });

  test("-e with a name that the scenario does not read", async () => {
    const text =
      "export default ({ env }: any) => ({ duration: env.DURATION ?? '1s', cluster: {} });";
    expect(await inScenario(text, { env: { DURATOIN: "3s" } })).toEqual([
      "-e DURATOIN: the scenario does not read it; allowed: DURATION (did you mean DURATION?)",
    ]);
  });
});

const second = (spec: string) =>
  `---\napiVersion: v1\nkind: Service\nmetadata: { name: two }\nspec: { selector: { app: web }, ${spec} }\n`;
const nodePorts = webManifest()
  .replace("80 }]\n", "80 }]\n")
  .replace("targetPort: 80", "nodePort: 31000, targetPort: 80");

describe("in a manifest", () => {
  test.each([
    [
      "a selector that matches nothing",
      webManifest() +
        second("selector: { app: wbe }, ports: [{ port: 1 }]").replace(
          "selector: { app: web }, ",
          "",
        ),
      /^web.yaml:22:9 spec.selector: app=wbe matches no pod; .*app=web/,
    ],
    [
      "two Services on one NodePort",
      nodePorts.replace(
        "selector: { app: web }\n  ports",
        "type: NodePort\n  selector: { app: web }\n  ports",
      ) + second("type: NodePort, ports: [{ port: 1, nodePort: 31000, targetPort: 80 }]"),
      /spec.ports\[0\].nodePort: 31000 is taken by Service default\/web/,
    ],
    [
      "NodePort out of range",
      webManifest() + second("type: NodePort, ports: [{ port: 1, nodePort: 80 }]"),
      /nodePort: 80; allowed: a node port from 30000 to 32767/,
    ],
    [
      "a node port on a ClusterIP",
      webManifest() + second("ports: [{ port: 1, nodePort: 31000 }]"),
      /a node port on a ClusterIP Service/,
    ],
    [
      "a named port that no pod has",
      webManifest() + second("ports: [{ port: 1, targetPort: htp }]"),
      /no container has a port "htp"; .*http \(did you mean http\?\)/,
    ],
    [
      "ClusterIP out of range",
      webManifest() + second("clusterIP: 1.2.3.4, ports: [{ port: 1, targetPort: 80 }]"),
      /spec.clusterIP: 1.2.3.4; allowed: a free address of 10.96.0.0\/12/,
    ],
    [
      "the API server's ClusterIP",
      webManifest() + second("clusterIP: 10.96.0.1, ports: [{ port: 1, targetPort: 80 }]"),
      /10.96.0.1 is taken by Service default\/kubernetes/,
    ],
    [
      "two ports of one number",
      webManifest() +
        second(
          "ports: [{ name: a, port: 1 , targetPort: 80}, { name: b, port: 1, targetPort: 80 }]",
        ),
      /a second port 1\/TCP/,
    ],
    [
      "two objects of one name",
      webManifest() + webManifest().split("---")[1]!.replace(/^/, "---"),
      /a second Service default\/web; the first is at web.yaml:12/,
    ],
    [
      "a misspelt field",
      webManifest().replace("replicas:", "replcas:"),
      /^web.yaml:5:3 spec.replcas: unknown field; .*mean replicas/,
    ],
    [
      "a misspelt kind",
      "apiVersion: apps/v1\nkind: Deploymnt",
      /^web.yaml:2:1 kind: unknown kind "Deploymnt" \(did you mean Deployment/,
    ],
    [
      "an old version",
      "apiVersion: extensions/v1beta1\nkind: Deployment",
      /no longer served; allowed: apps\/v1/,
    ],
    ["no kind", "apiVersion: v1", /^web.yaml:1:1 kind: missing/],
    ["no object", "- 1", /a Kubernetes object with apiVersion and kind/],
    [
      "a number as a label",
      webManifest().replaceAll("app: web", "app: 1"),
      /selector.*1; allowed: text .*mean "1"\?/,
    ],
    ["a bad label", webManifest().replaceAll("app: web", "app: w b"), /"w b"; allowed: text/],
    [
      "a bad name",
      webManifest().replace("name: web", "name: Web"),
      /metadata.name: "Web"; allowed: a name of lower-case/,
    ],
    [
      "a bad quantity",
      webManifest().replace("image: web", "resources: { requests: { cpu: 1x } }"),
      /requests.cpu: "1x" \(not a quantity\)/,
    ],
    [
      "a huge number",
      webManifest().replace("replicas: 2", "replicas: 1e300"),
      /spec.replicas: 1e\+300; allowed: a number of pods/,
    ],
    [
      "a fractional number",
      webManifest().replace("replicas: 2", "replicas: 2.5"),
      /a whole number from 0/,
    ],
    [
      "seconds beyond 2^53 ns",
      webManifest({ spec: "\n      terminationGracePeriodSeconds: 9007200" }),
      /0 to 9007199/,
    ],
    [
      "a selector that misses its template",
      webManifest().replace("matchLabels: { app: web }", "matchLabels: { app: x }"),
      /does not match the labels of the template/,
    ],
    [
      "more pods than room",
      webManifest({ replicas: 600 }),
      /600 pods in all .*at most 220 on 2 nodes/,
    ],
    [
      "more CPU than there is",
      webManifest({ replicas: 9 }).replace("image: web", "resources: { requests: { cpu: 1 } }"),
      /9000m CPU in all; allowed: at most 8000m/,
    ],
    [
      "a pod larger than any node",
      webManifest().replace("image: web", "resources: { requests: { memory: 17Gi } }"),
      /at most 17179869184 bytes of memory a node/,
    ],
    ["a host's network", webManifest({ spec: "\n      hostNetwork: true" }), /not modelled yet/],
  ])("%s", async (_, manifest, expected) => {
    const found = await inManifest(manifest);
    expect(found[0]).toMatch(expected);
    expect(found[0]).toMatch(/^web.yaml:\d+:\d+[ :]/);
  });

  test("two containers of a pod on one port", async () => {
    const manifest = webManifest().replace(
      "80 }] }]",
      "80 }] }, { name: b, ports: [{ containerPort: 81 }, { containerPort: 80 }] }]",
    );
    expect(await inManifest(manifest)).toEqual([
      'web.yaml:10:135 spec.template.spec.containers[1].ports[1].containerPort: port 80/TCP is taken by container "web" of the same pod; allowed: a port that no other container listens on',
    ]);
  });

  test("one port for two protocols is no conflict", async () => {
    const both = webManifest().replace(
      "80 }] }]",
      "80 }, { containerPort: 80, protocol: UDP }] }]",
    );
    expect(await inManifest(both)).toEqual([]);
  });

  test("a workload that cannot be read does not make its Service select nothing", async () => {
    const found = await inFields('servers: { "deploy/web": {} }', webManifest({ replicas: -1 }));
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(/spec.replicas: -1/);
  });

  test("a client of a headless Service learns what is missing", async () => {
    const headless = webManifest({ service: "\n  clusterIP: None" });
    const found = await inFields(client(""), headless);
    expect(found).toEqual([expect.stringContaining("which only DNS leads to")]);
  });
});

test("a suggestion is near in spelling, or there is none", () => {
  expect(nearest("replcas", ["replicas", "selector"])).toBe("replicas");
  expect(nearest("ReplicaS", ["replicas"])).toBe("replicas");
  expect(nearest("prot", ["port"])).toBe("port");
  expect(nearest("banana", ["replicas", "selector"])).toBeNull();
});
