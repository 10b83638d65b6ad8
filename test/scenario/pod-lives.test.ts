/** Manifests and scenarios about pods' lives: what is read, what is refused, and what is said to have no effect. */
import { expect, test } from "vitest";
import { seconds } from "../../src/engine/index.ts";
import { compile } from "../../src/scenario/compile.ts";
import { defaultProfile } from "../../src/scenario/profile.ts";
import { loadFiles, mistakesIn } from "./files.ts";

const scenario = (cluster = "", more = ""): string => `import { defineScenario } from "podstorm";
export default defineScenario({
  duration: "60s",
  cluster: { nodes: 1, manifests: ["pod.yaml"]${cluster} },
  ${more}
});`;
const podYaml = (spec: string): string => `apiVersion: v1
kind: Pod
metadata: { name: web, labels: { app: web } }
spec:
${spec}`;
const FULL = `  initContainers:
    - { name: wait, image: "busybox:1", command: ["sh", "-c", "sleep 7"] }
    - name: mesh
      image: mesh:1
      restartPolicy: Always
      startupProbe: { exec: { command: ["ready"] }, periodSeconds: 1 }
  containers:
    - name: web
      image: web:1
      imagePullPolicy: Never
      ports: [{ name: http, containerPort: 80 }]
      resources: { limits: { cpu: 250m, memory: 64Mi } }
      startupProbe: { grpc: { port: http }, failureThreshold: 30 }
      livenessProbe: { httpGet: { port: 80 }, terminationGracePeriodSeconds: 5 }
      lifecycle:
        postStart: { httpGet: { port: http, path: /warm } }
        preStop: { exec: { command: ["/bin/sh", "-c", "nginx -s quit; sleep 15"] } }
`;

test("the fields of a pod's life", async () => {
  const loaded = await loadFiles({ "scenario.ts": scenario(), "pod.yaml": podYaml(FULL) });
  const { spec } = loaded.cluster.pods[0]!;
  expect(spec.initContainers).toMatchObject([
    { name: "wait", sleepNs: seconds(7) },
    { name: "mesh", restartPolicy: "Always", startupProbe: { handler: { kind: "exec" } } },
  ]);
  expect(spec.containers[0]).toMatchObject({
    imagePullPolicy: "Never",
    limits: { cpuMillis: 250, memoryBytes: 64 * 1024 ** 2 },
    startupProbe: { handler: { kind: "grpc", port: 80 }, failureThreshold: 30 },
    livenessProbe: { terminationGracePeriodNs: seconds(5) },
    postStart: { kind: "httpGet", port: 80, path: "/warm" },
    preStop: { kind: "exec", sleepNs: seconds(15) },
  });
  // What a command does beside sleeping is nobody's guess.
  expect(loaded.ignored.map(({ object, reason }) => `${object}: ${reason}`)).toEqual([
    expect.stringContaining("the command is not run"),
    expect.stringContaining("the command is not run"),
  ]);
});

test("what the API server refuses is a mistake, with its place", async () => {
  const mistakes = await mistakesIn({
    "scenario.ts": scenario(),
    "pod.yaml": podYaml(`  initContainers:
    - { name: one, image: a, readinessProbe: { tcpSocket: { port: 1 } } }
  containers:
    - name: web
      image: web
      livenessProbe: { tcpSocket: { port: 80 }, successThreshold: 2 }
      readinessProbe: { tcpSocket: { port: 80 }, terminationGracePeriodSeconds: 5 }
      lifecycle: { preStop: { sleep: { seconds: 1 }, exec: { command: [a] } } }
    - { name: one, image: a }
`),
  });
  const paths = mistakes.map((text) => /spec\.(\S+):/.exec(text)?.[1]);
  expect(paths.toSorted()).toEqual([
    "containers[0].lifecycle.preStop",
    "containers[0].livenessProbe.successThreshold",
    "containers[0].readinessProbe.terminationGracePeriodSeconds",
    "containers[1].name",
    "initContainers[0].readinessProbe",
  ]);
});

test("a sidecar and a container may not have one port", async () => {
  const mistakes = await mistakesIn({
    "scenario.ts": scenario(),
    "pod.yaml": podYaml(`  initContainers:
    - { name: mesh, image: a, restartPolicy: Always, ports: [{ containerPort: 80 }] }
    - { name: once, image: a, ports: [{ containerPort: 80 }] }
  containers:
    - { name: web, image: a, ports: [{ containerPort: 80 }] }
`),
  });
  expect(mistakes).toHaveLength(1);
  expect(mistakes[0]).toContain("containers[0].ports[0].containerPort");
});

test("images and servers: words, sizes, mistakes", async () => {
  const files = { "pod.yaml": podYaml("  containers: [{ name: web, image: web }]\n") };
  const good = scenario(
    `, images: { web: "70Mi", "gone:1": "missing" }`,
    `servers: { "pod/web": { onSigterm: "drainListening", lameDuck: "5s", cpuShare: 0.5, memory: "10Mi",
      memoryPerRequest: "1Mi" } },`,
  );
  const loaded = await loadFiles({ "scenario.ts": good, ...files });
  expect(loaded.cluster.images).toEqual({ web: 70 * 1024 ** 2, "gone:1": null });
  expect(loaded.cluster.servers).toMatchObject([
    { lameDuckNs: seconds(5), cpuShare: 0.5, memoryBytes: 10 * 1024 ** 2 },
  ]);
  const bad = scenario(
    `, images: { web: "many" as "1Mi" }`,
    `servers: { "pod/web": { cpuShare: 2 } },`,
  );
  const mistakes = await mistakesIn({ "scenario.ts": bad, ...files });
  expect(mistakes).toHaveLength(2);
  expect(mistakes.join("\n")).toMatch(/images\.web/);
  expect(mistakes.join("\n")).toMatch(/cpuShare/);
});

test("from a manifest to a run: the init container's sleep, the sidecar, the others", async () => {
  const text = scenario("", "coldStart: true,");
  // Its HTTP hook would find nobody listening yet, and cost the container its life.
  const spec = FULL.replace("httpGet: { port: http, path: /warm }", "exec: { command: [warm] }");
  const loaded = await loadFiles(
    { "scenario.ts": text, "pod.yaml": podYaml(spec) },
    { profile: defaultProfile },
  );
  const exits: [number, string][] = [];
  let readyNs = 0;
  const run = compile(loaded, [
    {
      event: (atNs, kind, _object, detail) => {
        if (kind === "container_exited") exits.push([atNs, detail]);
        if (kind === "pod_ready") readyNs = atNs;
      },
    },
  ]);
  run.runUntil(loaded.durationNs);
  expect(exits.map(([, name]) => name)).toEqual(["wait"]);
  expect(exits[0]![0]).toBeGreaterThan(seconds(7));
  expect(readyNs).toBeGreaterThan(exits[0]![0]);
  expect(run.finish().brokenLaws).toEqual([]);
});
