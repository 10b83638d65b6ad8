/**
 * A cold start is played: pods are made, placed, started and found ready, requests fail until then, and where it
 * ends is where a start at rest begins.
 *
 * Broken on purpose and seen to fail: startCold() starts at rest; a probe that passes tells nobody.
 */
import { expect, test } from "vitest";
import { objectKey, type Pod } from "../../src/kubernetes/api/types.ts";
import type { Observer } from "../../src/observe/observations.ts";
import type { Run } from "../../src/scenario/compile.ts";
import { loadScenario } from "../../src/scenario/load.ts";
import { tallied } from "./tally.ts";

/** The events of each pod's life, in order, and when the first and last pod became ready. */
class Lives implements Observer {
  readonly byPod = new Map<string, string[]>();
  firstReadyNs = Infinity;
  lastReadyNs = 0;

  event(atNs: number, kind: string, object: string): void {
    if (!object.startsWith("pod/") || object.includes("/client-")) return;
    const known = this.byPod.get(object);
    if (known === undefined) this.byPod.set(object, [kind]);
    else known.push(kind);
    if (kind !== "pod_ready") return;
    this.firstReadyNs = Math.min(this.firstReadyNs, atNs);
    this.lastReadyNs = Math.max(this.lastReadyNs, atNs);
  }
}

/** When the last request began that failed, and when the first was served. */
class Requests implements Observer {
  lastFailedNs = 0;
  firstServedNs = Infinity;
  failedBefore = 0;
  readonly #lives: Lives;

  constructor(lives: Lives) {
    this.#lives = lives;
  }

  requestEnded(
    _client: number,
    _service: number,
    outcome: number,
    startedAtNs: number,
    endedAtNs: number,
  ): void {
    if (outcome === 0) this.firstServedNs = Math.min(this.firstServedNs, endedAtNs);
    else this.lastFailedNs = Math.max(this.lastFailedNs, startedAtNs);
    if (outcome !== 0 && endedAtNs < this.#lives.firstReadyNs) this.failedBefore++;
  }
}

/** Ready pods by owner and how many stand on each node; how many endpoints each node has for each Service. */
function state({ cluster, transport }: Run) {
  expect(cluster.isQuiet).toBe(true);
  const ready = [...cluster.api.list("Pod")].filter(({ status }) => status.ready.status);
  const ownerOf = ({ metadata }: Pod): string => metadata.labels["app"] ?? "client";
  const pods = new Map<string, Map<string, number>>();
  for (const pod of ready) {
    const byNode = pods.get(ownerOf(pod)) ?? new Map<string, number>();
    pods.set(ownerOf(pod), byNode);
    byNode.set(pod.spec.nodeName!, (byNode.get(pod.spec.nodeName!) ?? 0) + 1);
  }
  const endpoints = [...cluster.api.list("Service")].flatMap((service) =>
    cluster.proxies.map((proxy, node) => {
      const address = transport.network.addresses.intern(service.spec.clusterIP);
      const rules = proxy.of(4)!.table.atAddress(address, 6, service.spec.ports[0]!.port)?.rules;
      return [objectKey(service), service.spec.clusterIP, node, rules?.cluster?.length];
    }),
  );
  const spread = [...pods].map(([owner, byNode]) => [owner, [...byNode.values()].sort()]);
  return { spread: spread.sort(), endpoints };
}

test.each([
  ["hello", ["pod_scheduled", "sandbox_created", "container_started", "pod_ready"]],
  ["quiet", ["pod_created", "pod_scheduled", "sandbox_created", "container_started", "pod_ready"]],
])("%s, started cold", async (name, life) => {
  const scenario = await loadScenario(`scenarios/${name}.ts`, { duration: "30s" });
  const lives = new Lives();
  const requests = new Requests(lives);
  const { tally, run } = tallied({ ...scenario, coldStart: true }, [lives, requests]);
  const served = scenario.cluster.deployments.reduce((n, { spec }) => n + spec.replicas, 0);
  expect(lives.byPod.size).toBe(served + scenario.cluster.pods.length);
  for (const [pod, events] of lives.byPod) expect(events, pod).toEqual(life);
  // Nothing is ready at once, and no endpoint is known before.
  expect(lives.firstReadyNs).toBeGreaterThan(500e6);
  // Whether hello's one client starts before its one server is for the draws to say.
  if (name === "quiet") expect(requests.failedBefore).toBeGreaterThan(0);
  // A SYN that was refused beyond ICMP's rate limit is sent again, and served when its time has come.
  expect(requests.firstServedNs).toBeGreaterThan(lives.firstReadyNs);
  if (name === "quiet") expect([...tally.causes.keys()]).toEqual(["refused"]);
  expect(requests.lastFailedNs).toBeLessThan(lives.lastReadyNs + 2e9);
  expect(tally.served).toBeGreaterThan(100);
  expect(state(run)).toEqual(state(tallied(scenario).run));
});
