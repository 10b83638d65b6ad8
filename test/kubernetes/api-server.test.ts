/** The API server: what a write costs, what it may not do, and what its watchers see. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ms, Phase, seconds, Simulation } from "../../src/engine/index.ts";
import type { ApiClient } from "../../src/kubernetes/api/contract.ts";
import { apiServerProfile } from "../../src/kubernetes/api/profile.ts";
import { SimulatedApiServer } from "../../src/kubernetes/api/server.ts";
import type { Pod } from "../../src/kubernetes/api/types.ts";
import {
  exactApi,
  node,
  pendingPod,
  pod,
  RESPONSE_NS,
  service,
  unthrottled,
  WATCH_NS,
  WRITE_NS,
} from "../helpers/kube-objects.ts";

interface Commit {
  readonly type: "put" | "deleted";
  readonly name: string;
  readonly version: number;
  readonly atNs: number;
}

function server() {
  const sim = new Simulation({ seed: "api" });
  const commits: Commit[] = [];
  const api = new SimulatedApiServer(sim, exactApi, (kind, previous, object) => {
    const { name, resourceVersion: version } = (object ?? previous)!.metadata;
    if (kind === "Pod") {
      commits.push({ type: object ? "put" : "deleted", name, version, atNs: sim.nowNs });
    }
  });
  return { sim, api, commits, client: api.client(unthrottled) };
}

/** What the store holds of a pod: a new watch lists it. */
function stored(api: SimulatedApiServer, key: string): Pod | undefined {
  return api.watch("Pod", { watcher: "look", handlers: {} }).get(key);
}

describe("a write", () => {
  test("commits after the way there and etcd's time; the answer takes the way back", () => {
    const { sim, client, commits } = server();
    let answeredNs = -1;
    client.create("Pod", pod("a"), () => (answeredNs = sim.nowNs));
    sim.run(seconds(1));
    expect([commits[0]!.atNs, answeredNs]).toEqual([WRITE_NS, WRITE_NS + RESPONSE_NS]);
  });

  test("costs what timings §6 calls typical: p50 5-15 ms with p99 50-100 ms; a watch event 5-20 ms", () => {
    const { writeLatency, watchLatency } = apiServerProfile;
    const [write, watch] = [writeLatency, watchLatency] as { p50: number; p99: number }[];
    expect(write!.p50).toBeGreaterThanOrEqual(ms(5));
    expect(write!.p50).toBeLessThanOrEqual(ms(15));
    expect(write!.p99).toBeGreaterThanOrEqual(ms(50));
    expect(write!.p99).toBeLessThanOrEqual(ms(100));
    expect(watch!.p50).toBeGreaterThanOrEqual(ms(5));
    expect(watch!.p99).toBeLessThanOrEqual(ms(20));
  });

  test("completes what is created: uid, creation time, a version greater than any before", () => {
    const { sim, api, client, commits } = server();
    client.create("Pod", { ...pod("a"), metadata: { ...pod("a").metadata, uid: "" } });
    client.create("Pod", pod("bb"));
    sim.run(seconds(1));
    const { metadata } = stored(api, "default/a")!;
    expect(metadata.uid).not.toBe("");
    expect(metadata.creationTimestampNs).toBe(WRITE_NS);
    expect(commits[1]!.version).toBeGreaterThan(commits[0]!.version);
  });

  test("fails by name: AlreadyExists, NotFound, and Conflict for a version that is no longer stored", () => {
    const { sim, api, client } = server();
    const first = api.preload("Pod", pod("a"));
    const errors: (string | null)[] = [];
    const note = (_object: unknown, error: string | null): void => void errors.push(error);
    client.create("Pod", pod("a"), note);
    client.update("Pod", pod("bb"), note);
    client.patch("Pod", "default/bb", (each) => each, note);
    client.delete("Pod", "default/bb", {}, note);
    client.delete("Pod", "default/a", { uid: "of another" }, note);
    client.update("Pod", first, note);
    client.update("Pod", first, note);
    sim.run(seconds(1));
    expect(errors).toEqual([
      "AlreadyExists",
      "NotFound",
      "NotFound",
      "NotFound",
      "NotFound",
      null,
      "Conflict",
    ]);
  });

  test("a patch that changes nothing makes no version and no event", () => {
    const { sim, api, client, commits } = server();
    const before = api.preload("Pod", pod("a"));
    let answer: Pod | null = null;
    client.patch(
      "Pod",
      "default/a",
      () => null,
      (object) => (answer = object),
    );
    sim.run(seconds(1));
    expect(answer).toBe(before);
    expect(commits).toEqual([]);
  });
});

describe("deleting a pod (rest.BeforeDelete, pod strategy CheckGracefulDelete; timings §1.3)", () => {
  /** [time since the first delete's commit, grace] of a pod after deletes with these grace periods. */
  function after(...graces: readonly (number | null)[]) {
    const { sim, api, client } = server();
    api.preload("Pod", pod("a"));
    for (const [i, gracePeriodNs] of graces.entries()) {
      sim.callAt(seconds(i), Phase.start, () =>
        client.delete("Pod", "default/a", { gracePeriodNs }),
      );
    }
    sim.run(seconds(60));
    const metadata = stored(api, "default/a")?.metadata;
    return metadata === undefined
      ? "removed"
      : [metadata.deletionTimestampNs! - WRITE_NS, metadata.deletionGracePeriodNs];
  }

  test("sets the time and the pod's own grace, and keeps the object", () => {
    expect(after(null)).toEqual([0, seconds(30)]);
  });

  test("a later delete shortens the grace and never lengthens it; the time stays that of the first", () => {
    // Broken on purpose: without the comparison in #beginDeletion the third delete makes it 20 s.
    expect(after(null, seconds(10), seconds(20))).toEqual([0, seconds(10)]);
  });

  test("grace 0 removes at once, also one that is on its way out", () => {
    expect([after(0), after(null, 0)]).toEqual(["removed", "removed"]);
  });

  test.each([
    ["that was never scheduled", pendingPod("a")],
    ["that has succeeded", pod("a", { status: { phase: "Succeeded" } })],
    ["that has failed", pod("a", { status: { phase: "Failed" } })],
  ])("a pod %s goes at once", (_what, which) => {
    const { sim, api, client } = server();
    api.preload("Pod", which);
    client.delete("Pod", "default/a", {});
    sim.run(seconds(1));
    expect(stored(api, "default/a")).toBeUndefined();
  });

  test("other kinds have no grace", () => {
    const { sim, api, client } = server();
    api.preload("Service", service());
    client.delete("Service", "default/web", { gracePeriodNs: seconds(30) });
    sim.run(seconds(1));
    expect(api.watch("Service", { watcher: "look", handlers: {} }).size).toBe(0);
  });
});

describe("watches", () => {
  test("begin with what is stored and hear of the rest after the delivery time", () => {
    const { sim, api, client } = server();
    api.preload("Pod", pod("a"));
    const heard: [string, number][] = [];
    const informer = api.watch("Pod", {
      watcher: "w",
      handlers: { added: ({ metadata }) => heard.push([metadata.name, sim.nowNs]) },
    });
    expect(informer.size).toBe(1);
    client.create("Pod", pod("bb"));
    sim.run(seconds(1));
    expect(heard).toEqual([["bb", WRITE_NS + WATCH_NS]]);
  });

  test("a kubelet's watch shows the pods of its node, each as new when it is bound", () => {
    const { sim, api, client } = server();
    api.preload("Pod", pendingPod("a"));
    api.preload("Pod", pod("other", { spec: { nodeName: "node-1" } }));
    const added: string[] = [];
    const informer = api.watch("Pod", {
      watcher: "kubelet/node-0",
      nodeName: "node-0",
      handlers: { added: ({ metadata }) => added.push(metadata.name) },
    });
    expect(informer.size).toBe(0);
    const bind = (nodeName: string) => (each: Pod) => ({
      ...each,
      spec: { ...each.spec, nodeName },
    });
    client.patch("Pod", "default/a", bind("node-0"));
    client.patch("Pod", "default/other", (each) => each);
    sim.run(seconds(1));
    expect(added).toEqual(["a"]);
    expect([...informer.values()].map(({ metadata }) => metadata.name)).toEqual(["a"]);
  });

  /** One write of a random history. */
  const write = fc.record({
    what: fc.constantFrom("create", "patch", "delete", "kill"),
    name: fc.constantFrom("a", "bb", "ccc"),
    atMs: fc.integer({ min: 0, max: 60 }),
  });

  function send(client: ApiClient, { what, name }: { what: string; name: string }): void {
    const key = `default/${name}`;
    if (what === "create") client.create("Pod", pod(name));
    else if (what === "patch") client.patch("Pod", key, (each) => ({ ...each }));
    else client.delete("Pod", key, { gracePeriodNs: what === "kill" ? 0 : null });
  }

  test("miss nothing, overtake nothing, and end up with what is stored, whatever is written", () => {
    // Broken on purpose: without #lastDeliveryNs in WatchCache.send an update overtakes its create.
    const history = fc.array(write, { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(history, (writes) => {
        const sim = new Simulation({ seed: "history" });
        const commits: string[] = [];
        const versions: number[] = [];
        const api = new SimulatedApiServer(sim, apiServerProfile, (_kind, previous, object) => {
          const name = (object ?? previous)!.metadata.name;
          const type = object === null ? "deleted" : previous === null ? "added" : "updated";
          commits.push(`${type} ${name}`);
          if (object !== null) versions.push(object.metadata.resourceVersion);
        });
        const heard: string[][] = [[], []];
        const informers = heard.map((log, i) =>
          api.watch("Pod", {
            watcher: `watcher-${i}`,
            handlers: {
              added: ({ metadata }) => log.push(`added ${metadata.name}`),
              updated: ({ metadata }) => log.push(`updated ${metadata.name}`),
              deleted: ({ metadata }) => log.push(`deleted ${metadata.name}`),
            },
          }),
        );
        const client = api.client(unthrottled);
        for (const each of writes) {
          sim.callAt(ms(each.atMs), Phase.start, () => send(client, each));
        }
        sim.run(seconds(60));
        for (const log of heard) expect(log).toEqual(commits);
        expect(versions).toEqual([...versions].sort((a, b) => a - b));
        expect(new Set(versions).size).toBe(versions.length);
        const truth = [...api.watch("Pod", { watcher: "new", handlers: {} }).values()];
        for (const informer of informers) {
          expect(new Set(informer.values())).toEqual(new Set(truth));
        }
      }),
      { numRuns: 60, seed: 1 },
    );
  });
});

describe("a client's rate limit (client-go flowcontrol; kcm: 20 qps, burst 30, timings §3)", () => {
  function commitTimes(calls: number, laterNs: number, later: number): number[] {
    const sim = new Simulation({ seed: "limit" });
    const times: number[] = [];
    const api = new SimulatedApiServer(sim, exactApi, () => times.push(sim.nowNs - WRITE_NS));
    const client = api.client({ name: "kcm", qps: 20, burst: 30 });
    for (let i = 0; i < calls; i++) client.create("Node", node(`n${i}`));
    sim.callAt(laterNs, Phase.start, () => {
      for (let i = 0; i < later; i++) client.create("Node", node(`later-${i}`));
    });
    sim.run(seconds(60));
    return times;
  }

  test("lets 30 calls go at once, then one every 50 ms, in call order", () => {
    const times = commitTimes(33, seconds(30), 0);
    expect(times.slice(0, 30)).toEqual(Array(30).fill(0));
    expect(times.slice(30)).toEqual([ms(50), ms(100), ms(150)]);
  });

  test("fills up again by 20 a second, to 30 and no further", () => {
    // 30 gone at once; 0.5 s later there are 10 again; after a minute there are 30.
    const soon = commitTimes(30, ms(500), 12).slice(30);
    expect(soon.filter((atNs) => atNs === ms(500))).toHaveLength(10);
    const long = commitTimes(30, seconds(50), 40).slice(30);
    expect(long.filter((atNs) => atNs === seconds(50))).toHaveLength(30);
  });

  test("clients do not share a bucket: one controller's storm holds up no other", () => {
    const sim = new Simulation({ seed: "limit" });
    const api = new SimulatedApiServer(sim, exactApi);
    const noisy = api.client({ name: "noisy", qps: 20, burst: 30 });
    const calm = api.client({ name: "calm", qps: 20, burst: 30 });
    for (let i = 0; i < 100; i++) noisy.create("Node", node(`n${i}`));
    let answeredNs = -1;
    calm.create("Node", node("calm"), () => (answeredNs = sim.nowNs));
    sim.run(seconds(10));
    expect(answeredNs).toBe(WRITE_NS + RESPONSE_NS);
  });
});
