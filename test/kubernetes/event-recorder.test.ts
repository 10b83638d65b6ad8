/** Kubernetes Events and the tokens that they take from their client's other writes. Facts: timings §3.3. */
import { describe, expect, test } from "vitest";
import { createDistribution, ms, seconds, Simulation } from "../../src/engine/index.ts";
import { EventRecorder } from "../../src/kubernetes/api/eventRecorder.ts";
import { SimulatedApiServer } from "../../src/kubernetes/api/server.ts";
import { TokenBucket } from "../../src/kubernetes/api/tokenBucket.ts";
import { ReplicaSetController } from "../../src/kubernetes/controllers/replicaset.ts";
import { runControllers } from "../helpers/controllers.ts";
import { exactApi, pod, replicaSet } from "../helpers/kube-objects.ts";

/** A recorder whose Events take 10 ms each, on a bucket of 20 a second and 30 at once. */
function recorder() {
  const bucket = new TokenBucket(20, 30);
  const of = new EventRecorder({
    bucket,
    stream: new Simulation({ seed: "events" }).streams.get("events"),
    latency: createDistribution({ kind: "deterministic", value: ms(10) }),
    networkNs: 0,
  });
  /** Tokens that are left at a time. */
  const left = (atNs: number): number => {
    of.catchUp(atNs);
    let count = 0;
    while (bucket.tryTake(atNs)) count++;
    return count;
  };
  return { of, left };
}

describe("the recorder", () => {
  test("one Event after the other, a token each when it begins", () => {
    // Ten at once: at 45 ms the fifth is under way. Broken on purpose: all at once take ten.
    const { of, left } = recorder();
    for (let i = 0; i < 10; i++) of.record(`pod-${i}`, 0);
    // 45 ms give back 0.9 of a token.
    expect(left(ms(45))).toBe(25);
  });

  test("about one object 25, and then one in five minutes (the spam filter)", () => {
    const { of, left } = recorder();
    for (let i = 0; i < 40; i++) of.record("set", 0);
    expect(left(ms(250))).toBe(30 - 25 + 5);
    const later = recorder();
    for (let i = 0; i < 40; i++) later.of.record("set", 0);
    later.of.record("set", seconds(310));
    later.of.record("set", seconds(310));
    expect(later.left(seconds(310) + ms(20))).toBe(29);
  });

  test("about others as many again", () => {
    const { of, left } = recorder();
    for (let i = 0; i < 10; i++) for (const about of ["a", "b"]) of.record(about, 0);
    expect(left(ms(199))).toBe(30 - 20 + 3);
  });
});

test("an Event delays the client's next calls, and is nothing to the server", () => {
  const run = (events: number): number[] => {
    const sim = new Simulation({ seed: "events" });
    const atMs: number[] = [];
    const api = new SimulatedApiServer(sim, exactApi, () => void atMs.push(sim.nowNs / ms(1)));
    const client = api.client({ name: "c", qps: 20, burst: 2, user: "system:masters" });
    for (let i = 0; i < events; i++) client.recordEvent(`e${i}`);
    for (const name of ["a", "bb"]) client.create("Pod", pod(name));
    sim.run(seconds(1));
    return atMs;
  };
  // The second create waits for a token, 50 ms, which the Event has taken.
  expect(run(0)).toEqual([10.2, 10.2]);
  expect(run(1)).toEqual([10.2, 60.2]);
});

test("replacements of many ReplicaSets cost an Event each: a storm's pods come later", () => {
  // 40 sets of one pod, 20 requests a second with a burst of 30, five workers: each sync creates a pod and writes a
  // status. Broken on purpose: Events without a token, and both are alike.
  const lastS = (counts: boolean): number => {
    const run = runControllers({ controllers: [new ReplicaSetController("ReplicaSet")], qps: 20 });
    const made = run.api.client.bind(run.api);
    if (!counts) run.api.client = (options) => ({ ...made(options), recordEvent: () => {} });
    for (let i = 0; i < 40; i++) {
      const set = replicaSet(1);
      const metadata = { ...set.metadata, name: `web-${i}`, uid: `uid-${i}` };
      run.api.preload("ReplicaSet", { ...set, metadata });
    }
    run.start();
    let last = 0;
    run.api.watch("Pod", {
      watcher: "w",
      handlers: { added: () => (last = run.sim.nowNs / seconds(1)) },
    });
    run.sim.run(seconds(60));
    expect(run.list("Pod")).toHaveLength(40);
    return last;
  };
  const [without, withEvents] = [lastS(false), lastS(true)];
  expect(withEvents).toBeGreaterThan(without * 1.1);
  expect(withEvents).toBeLessThan(without * 2);
});
