/**
 * shutdownNode: what a kubelet does before its machine goes down, what it does not tell, and what comes of it.
 * Facts: timings §1.8 (pkg/kubelet/nodeshutdown).
 */
import { describe, expect, test } from "vitest";
import { compile } from "../../src/scenario/compile.ts";
import { defaultProfile } from "../../src/scenario/profile.ts";
import { loadFiles, webManifest } from "../scenario/files.ts";

const lifecycle = "lifecycle: { preStop: { sleep: { seconds: 8 } } }";
const web = webManifest({ replicas: 6, spec: "\n      terminationGracePeriodSeconds: 15" }).replace(
  "image: web,",
  `image: web, ${lifecycle},`,
);
/** A pod on node-1, with a grace of its own. */
const single = (name: string, spec: string): string => `---
apiVersion: v1
kind: Pod
metadata: { name: ${name}, labels: { app: ${name} } }
spec: { nodeName: node-1, ${spec}, containers: [{ name: main, image: x }] }
`;

async function shutdown(kubelet: string, { more = "", fault = "" } = {}) {
  const files = {
    "scenario.ts": `import { openLoop, pods, shutdownNode } from "podstorm";
export default {
  duration: "90s",
  cluster: { nodes: 3, manifests: ["web.yaml"] },
  clients: [{ name: "c", from: pods(1, { node: "node-2" }), to: "svc/web:8080", load: openLoop(50), timeout: "1s" }],
  profile: { kubernetes: { kubelet: { ${kubelet} } } },
  faults: [shutdownNode({ nodes: "node-1", at: "10s"${fault} })],
};`,
    "web.yaml": `${web}${more}`,
  };
  const scenario = await loadFiles(files, { profile: defaultProfile });
  const events: { atS: number; kind: string; object: string }[] = [];
  const routed: number[] = [];
  const nodes: string[] = [];
  const run = compile(scenario, [
    {
      event: (atNs, kind, object) => events.push({ atS: atNs / 1e9, kind, object }),
      endpointNamed: (index, _service, _endpoint, _pod, node) => (nodes[index] = node),
      connectionRouted: (_node, endpoint, atNs) => {
        if (nodes[endpoint] === "node-1") routed.push(atNs / 1e9);
      },
    },
  ]);
  const node = () => run.cluster.api.list("Node");
  const isReady = (): boolean =>
    [...node()].find(({ metadata }) => metadata.name === "node-1")!.status.ready.status;
  const onNode = () =>
    [...run.cluster.api.list("Pod")].filter(({ spec }) => spec.nodeName === "node-1");
  const to = (atS: number): void => void run.runUntil(atS * 1e9);
  const times = (kind: string, object = ""): number[] =>
    events.filter((e) => e.kind === kind && e.object.includes(object)).map(({ atS }) => atS);
  const { hosts } = run.transport.network;
  const isOff = (): boolean => hosts.find(({ name }) => name === "node-1")!.state !== 0;
  return { run, to, isReady, onNode, routed, times, isOff, scenario };
}

const GRACEFUL = 'shutdownGracePeriod: "30s", shutdownGracePeriodCriticalPods: "10s"';

describe("with a grace period", () => {
  test("the node says so at once, its pods end with their grace and have failed, and the power goes then", async () => {
    // Broken on purpose: the power gone at once.
    const run = await shutdown(GRACEFUL);
    run.to(10.5);
    expect(run.isReady()).toBe(false);
    const before = run.onNode().filter(({ metadata }) => metadata.labels["app"] === "web");
    expect(before.length).toBeGreaterThan(0);
    run.to(17.9);
    expect(run.isOff()).toBe(false);
    // preStop of 8 s, and the processes end with SIGTERM.
    run.to(25);
    expect(run.isOff()).toBe(true);
    const failed = run.onNode().filter(({ status }) => status.phase === "Failed");
    expect(failed.map(({ status }) => status.reason)).toEqual(before.map(() => "Terminated"));
    run.to(90);
    expect(run.run.finish().brokenLaws).toEqual([]);
    const alive = [...run.run.cluster.api.list("Pod")].filter(
      ({ metadata, status }) => metadata.labels["app"] === "web" && status.phase === "Running",
    );
    expect(alive).toHaveLength(6);
  });

  test("its pods are sent new connections until the node lifecycle controller has looked, every 5 s", async () => {
    // Nobody has told the slices: that is what graceful node shutdown leaves out. Broken on purpose: pods marked
    // unready as they are told to end.
    const run = await shutdown(GRACEFUL);
    run.to(90);
    const late = run.routed.filter((atS) => atS > 10.2);
    expect(late.length).toBeGreaterThan(20);
    expect(Math.max(...late)).toBeLessThan(10 + 5 + 1.5);
  });

  test("no more than the group's time; critical pods after the others; what comes meanwhile is turned away", async () => {
    const stuck = single("stuck", "terminationGracePeriodSeconds: 300");
    const critical = single("critical", "priorityClassName: system-node-critical");
    const run = await shutdown(GRACEFUL, { more: stuck + critical });
    run.to(12);
    const late = {
      ...run.onNode()[0]!,
      metadata: { ...run.onNode()[0]!.metadata, name: "late", uid: "" },
    };
    const hand = run.run.cluster.api.client({ name: "t", qps: 1e6, burst: 1e6 });
    hand.create("Pod", { ...late, status: { ...late.status, phase: "Pending", podIPs: [] } });
    run.to(80);
    const [first] = run.times("sigterm", "critical");
    const others = run.times("container_exited", "web-").filter((atS) => atS < 31);
    // The others first: those of the web have ended, and so has the one that has 300 s but gets 20.
    expect(first).toBeGreaterThan(Math.max(...others));
    const rejected = run.onNode().find(({ metadata }) => metadata.name === "late")!;
    expect([rejected.status.phase, rejected.status.reason]).toEqual(["Failed", "NodeShutdown"]);
  });

  test("it boots at the end, and is ready again", async () => {
    const run = await shutdown(GRACEFUL, { fault: ', for: "40s"' });
    run.to(49);
    expect([run.isOff(), run.isReady()]).toEqual([true, false]);
    run.to(75);
    expect([run.isOff(), run.isReady()]).toEqual([false, true]);
  });

  test("called off before it is down, the node stays up and is ready again", async () => {
    const run = await shutdown(GRACEFUL, { fault: ', for: "3s"' });
    run.to(30);
    expect([run.isOff(), run.isReady()]).toEqual([false, true]);
  });
});

test("without one, as kubelets are by default, the power goes at once", async () => {
  const run = await shutdown("");
  run.to(10.1);
  expect([run.isOff(), run.isReady()]).toEqual([true, true]);
});
