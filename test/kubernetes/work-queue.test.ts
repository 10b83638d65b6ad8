/** client-go's rate-limited work queue: what waits once, what never runs twice, when a failure returns. */
import { describe, expect, test } from "vitest";
import { ms, Phase, seconds, Simulation } from "../../src/engine/index.ts";
import { controllerManagerProfile } from "../../src/kubernetes/controllers/profile.ts";
import { WorkQueue, type WorkQueueOptions } from "../../src/kubernetes/controllers/workqueue.ts";

const generic: WorkQueueOptions = { ...controllerManagerProfile, workers: 5, maxRetries: Infinity };

/** A queue whose syncs take `workNs` and fail as `fails` says of (key, how many runs before). */
function queue(
  change: Partial<WorkQueueOptions> = {},
  workNs = 0,
  fails: (key: string, before: number) => boolean = () => false,
) {
  const sim = new Simulation({ seed: "queue" });
  const runs: { key: string; atNs: number }[] = [];
  let working = 0;
  let mostWorking = 0;
  const caches = { whenSynced: (then: () => void) => then() };
  const under = new WorkQueue(sim, { ...generic, ...change }, caches, (key, done) => {
    const before = runs.filter((run) => run.key === key).length;
    runs.push({ key, atNs: sim.nowNs });
    mostWorking = Math.max(mostWorking, ++working);
    sim.callAfter(workNs, Phase.complete, () => {
      working--;
      done(fails(key, before));
    });
  });
  return { sim, under, runs, most: () => mostWorking };
}

const timesOf = (runs: readonly { atNs: number }[]): number[] => runs.map(({ atNs }) => atNs);
const keysOf = (runs: readonly { key: string }[]): string[] => runs.map(({ key }) => key);

describe("waiting and working", () => {
  test("keys are worked on in the order in which they came, each once however often it was asked", () => {
    const { sim, under, runs } = queue({ workers: 1 }, ms(10));
    for (const key of ["a", "b", "c", "b", "c", "b"]) under.add(key);
    sim.run(seconds(1));
    expect(keysOf(runs)).toEqual(["a", "b", "c"]);
    expect(timesOf(runs)).toEqual([0, ms(10), ms(20)]);
  });

  test("as many keys at a time as there are workers, and no more", () => {
    const { sim, under, runs, most } = queue({}, ms(10));
    for (let i = 0; i < 12; i++) under.add(`key-${i}`);
    sim.run(seconds(1));
    expect(most()).toBe(5);
    expect(timesOf(runs)).toEqual([
      ...Array(5).fill(0),
      ...Array(5).fill(ms(10)),
      ...Array(2).fill(ms(20)),
    ]);
  });

  test("one key is never worked on twice at a time: asked meanwhile, it comes once more after", () => {
    // Broken on purpose: without the check of #working in add() all three run at once.
    const { sim, under, runs, most } = queue({}, ms(10));
    under.add("a");
    sim.callAt(ms(3), Phase.start, () => under.add("a"));
    sim.callAt(ms(6), Phase.start, () => under.add("a"));
    sim.run(seconds(1));
    expect(timesOf(runs)).toEqual([0, ms(10)]);
    expect(most()).toBe(1);
  });

  test("of two delays of a waiting key the earlier holds (delaying_queue.go)", () => {
    // Broken on purpose: with a timer for each call it ran at 300, 500 and 600 ms.
    const { sim, under, runs } = queue();
    under.addAfter("a", ms(500));
    sim.callAt(ms(100), Phase.start, () => under.addAfter("a", ms(200)));
    sim.callAt(ms(100), Phase.start, () => under.addAfter("a", ms(500)));
    sim.run(seconds(1));
    expect(timesOf(runs)).toEqual([ms(300)]);
  });
});

describe("failures", () => {
  test("a key's waits double from 5 ms to 1000 s (client-go DefaultControllerRateLimiter; timings §3)", () => {
    const { sim, under, runs } = queue({}, 0, () => true);
    under.add("a");
    sim.run(seconds(5000));
    const waits = timesOf(runs).map((atNs, i, all) => atNs - (all[i - 1] ?? 0));
    const doubling = Array.from({ length: 18 }, (_, i) => ms(5) * 2 ** i);
    expect(waits.slice(1, 19)).toEqual(doubling);
    expect(waits.slice(19)).toEqual(Array(waits.length - 19).fill(seconds(1000)));
    expect(waits.length).toBeGreaterThan(20);
  });

  test("EndpointSlice: 1 s doubling to 1000 s, 15 retries and then no more (timings §2)", () => {
    const { endpointSlice } = controllerManagerProfile;
    const { sim, under, runs } = queue(endpointSlice, 0, () => true);
    under.add("a");
    sim.run(seconds(20_000));
    const waits = timesOf(runs).map((atNs, i, all) => atNs - (all[i - 1] ?? 0));
    const powers = Array.from({ length: 15 }, (_, i) => Math.min(seconds(1000), seconds(2 ** i)));
    expect(waits).toEqual([0, ...powers]);
    under.add("a");
    sim.run(seconds(20_010));
    // Let go, it begins again with 1 s.
    expect(timesOf(runs).slice(16, 18)).toEqual([seconds(20_000), seconds(20_001)]);
  });

  test("success clears the record", () => {
    const { sim, under, runs } = queue({}, 0, (_key, before) => before !== 2);
    under.add("a");
    sim.callAt(seconds(1), Phase.start, () => under.add("a"));
    sim.run(seconds(1) + ms(6));
    // Fails at 0 and 5 ms, succeeds at 15 ms; fails at 1 s, is back 5 ms later and not 20.
    expect(timesOf(runs)).toEqual([0, ms(5), ms(15), seconds(1), seconds(1) + ms(5)]);
  });

  test("retries of all keys share 10 a second with a burst of 100: the longer wait counts", () => {
    const { sim, under, runs } = queue({ workers: 200 }, 0, (_key, before) => before === 0);
    for (let i = 0; i < 103; i++) under.add(`key-${i}`);
    sim.run(seconds(10));
    expect(timesOf(runs.slice(103, 203))).toEqual(Array(100).fill(ms(5)));
    expect(timesOf(runs.slice(203))).toEqual([ms(100), ms(200), ms(300)]);
  });

  test("no worker starts before the caches have synced; then each key has its turn", () => {
    const sim = new Simulation({ seed: "queue" });
    const runs: string[] = [];
    let synced = (): void => {};
    const caches = { whenSynced: (then: () => void) => void (synced = then) };
    const queue = new WorkQueue(sim, generic, caches, (key, done) => {
      runs.push(key);
      done(false);
    });
    for (const key of ["a", "b", "a"]) queue.add(key);
    expect([runs, queue.isIdle]).toEqual([[], false]);
    synced();
    expect([runs, queue.isIdle]).toEqual([["a", "b"], true]);
  });

  test("a key that fails and was asked meanwhile runs again at once", () => {
    const { sim, under, runs } = queue(controllerManagerProfile.endpointSlice, ms(10), () => false);
    const failing = queue(controllerManagerProfile.endpointSlice, ms(10), (_k, n) => n === 0);
    for (const { sim: clock, under: q } of [{ sim, under }, failing]) {
      q.add("a");
      clock.callAt(ms(5), Phase.start, () => q.add("a"));
      clock.run(seconds(3));
    }
    expect(timesOf(runs)).toEqual([0, ms(10)]);
    expect(timesOf(failing.runs)).toEqual([0, ms(10), seconds(1) + ms(10)]);
  });
});
