/**
 * What clients of the API server see when it stands still, is slow, or cannot be reached: requests that time
 * out, watches that fall silent, break, and come back. Facts: timings §6.
 */
import { describe, expect, test } from "vitest";
import { ms, Phase, seconds, Simulation } from "../../src/engine/index.ts";
import type { ApiServerProfile } from "../../src/kubernetes/api/profile.ts";
import { SimulatedApiServer } from "../../src/kubernetes/api/server.ts";
import type { Pod } from "../../src/kubernetes/api/types.ts";
import {
  exactApi,
  pod,
  RESPONSE_NS,
  unthrottled,
  WATCH_NS,
  WRITE_NS,
} from "../helpers/kube-objects.ts";

/** A server, an untroubled hand, and a component "kubelet" that watches pods and writes. */
function parts(profile: Partial<ApiServerProfile> = {}) {
  const sim = new Simulation({ seed: "partition" });
  const commits: string[] = [];
  const api = new SimulatedApiServer(sim, { ...exactApi, ...profile }, (_kind, _previous, object) =>
    commits.push(`${(sim.nowNs / seconds(1)).toFixed(3)} ${object?.metadata.name ?? "gone"}`),
  );
  const heard: string[] = [];
  const note =
    (what: string) =>
    (object: Pod): void =>
      void heard.push(`${(sim.nowNs / seconds(1)).toFixed(3)} ${what} ${object.metadata.name}`);
  const updated = (_previous: Pod, now: Pod): void => note("updated")(now);
  const informer = api.watch("Pod", {
    watcher: "kubelet",
    handlers: { added: note("added"), updated, deleted: note("deleted") },
  });
  const client = api.client({ ...unthrottled, name: "kubelet" });
  const hand = api.client(unthrottled);
  const at = (atS: number, then: () => void): void =>
    void sim.callAt(seconds(atS), Phase.start, then);
  /** [seconds, error] of each answer to a write of the component at `atS`. */
  const answers: [number, string | null][] = [];
  const write = (atS: number, name: string): void =>
    at(atS, () =>
      client.create("Pod", pod(name), (_pod, error) =>
        answers.push([sim.nowNs / seconds(1), error]),
      ),
    );
  const touch = (atS: number, name: string): void =>
    at(atS, () => hand.patch("Pod", `default/${name}`, (each) => ({ ...each })));
  return { sim, api, hand, client, informer, heard, commits, answers, at, write, touch };
}
const create = ({ at, hand }: ReturnType<typeof parts>, atS: number, name: string): void =>
  at(atS, () => hand.create("Pod", pod(name)));

describe("a partition from the API", () => {
  test("shorter than TCP's patience: what was sent meanwhile arrives with a retransmission, in order", () => {
    // Sent at 10.01 s; again 0.2, 0.6, 1.4, 3.0 s later; the partition ends at 12 s.
    const all = parts();
    all.at(9, () => all.api.disconnect("kubelet"));
    create(all, 10, "a");
    create(all, 10.1, "bb");
    all.at(12, () => all.api.reconnect("kubelet"));
    create(all, 12.5, "ccc");
    all.sim.run(seconds(20));
    const backS = (10 + (WRITE_NS + WATCH_NS) / seconds(1) + 3).toFixed(3);
    expect(all.heard).toEqual(["a", "bb", "ccc"].map((name) => `${backS} added ${name}`));
    expect(all.informer.size).toBe(3);
  });

  test("is noticed 30 s after the last frame plus 15 s of an unanswered ping: requests fail then", () => {
    // The last frame is the answer at 5 s; cut at 20 s. Written at 21 s, given up at 50 s.
    const all = parts();
    all.write(5, "a");
    all.at(20, () => all.api.disconnect("kubelet"));
    all.write(21, "bb");
    all.sim.run(seconds(100));
    expect(all.answers[0]![1]).toBeNull();
    const [gaveUpS, error] = all.answers[1]!;
    expect(error).toBe("Timeout");
    expect(gaveUpS).toBeCloseTo(5 + WRITE_NS / 1e9 + 45, 1);
    expect(all.commits).toHaveLength(1);
  });

  test("a write whose answer is cut off has happened, though its client hears of a time-out", () => {
    const all = parts();
    all.write(5, "a");
    all.at(5 + ms(5) / seconds(1), () => all.api.disconnect("kubelet"));
    all.sim.run(seconds(100));
    expect(all.answers[0]![1]).toBe("Timeout");
    expect(all.commits).toHaveLength(1);
  });

  test("a broken watch goes on from where it was when the server still has what happened since", () => {
    // Broken on purpose: with the version not kept it lists instead, and sees pod bb only at the end.
    const all = parts();
    create(all, 1, "a");
    all.at(2, () => all.api.disconnect("kubelet"));
    create(all, 10, "bb");
    all.at(11, () => all.hand.delete("Pod", "default/bb", { gracePeriodNs: 0 }));
    // Closed at 46 s (a frame at 1 s); the dial under way is answered by its SYN 3 s later.
    all.at(49, () => all.api.reconnect("kubelet"));
    all.sim.run(seconds(100));
    expect(all.heard.map((line) => line.split(" ").slice(1).join(" "))).toEqual([
      "added a",
      "added bb",
      "deleted bb",
    ]);
    expect(Number(all.heard[1]!.split(" ")[0])).toBeCloseTo(49.04, 1);
    expect((all.informer as { lists?: number }).lists).toBe(1);
  });

  test("a version that the server no longer has is too old: list, and handlers for what differs", () => {
    // Broken on purpose: a history that never drops anything.
    const all = parts({
      watchCache: { ...exactApi.watchCache, minEvents: 2, freshNs: seconds(5) },
    });
    create(all, 1, "a");
    create(all, 1.5, "bb");
    all.at(2, () => all.api.disconnect("kubelet"));
    all.at(10, () => all.hand.delete("Pod", "default/a", { gracePeriodNs: 0 }));
    for (let i = 0; i < 8; i++) create(all, 12 + i * 4, "c".repeat(i + 3));
    all.at(42, () => all.hand.delete("Pod", "default/ccc", { gracePeriodNs: 0 }));
    all.at(48, () => all.api.reconnect("kubelet"));
    all.sim.run(seconds(100));
    const what = all.heard.slice(2).map((line) => line.split(" ").slice(1).join(" "));
    const names = Array.from({ length: 7 }, (_, i) => "c".repeat(i + 4));
    expect(what).toEqual([...names.map((name) => `added ${name}`), "deleted a"]);
    expect((all.informer as { lists?: number }).lists).toBe(2);
  });

  test("dials that nobody answers fail after 30 s each; then back-off of 0.8 s doubling to 30 s, times 1 to 2", () => {
    const all = parts();
    all.at(1, () => all.api.disconnect("kubelet"));
    create(all, 2, "a");
    all.at(500, () => all.api.reconnect("kubelet"));
    all.sim.run(seconds(600));
    // Between 500 s and the longest wait: 60 s of back-off; or the next SYN of a dial.
    const heardS = Number(all.heard[0]!.split(" ")[0]);
    expect(heardS).toBeGreaterThan(500);
    expect(heardS).toBeLessThan(561);
    expect(all.informer.size).toBe(1);
  });

  test("others notice nothing", () => {
    const all = parts();
    const other: number[] = [];
    all.api.watch("Pod", {
      watcher: "other",
      handlers: { added: () => other.push(all.sim.nowNs) },
    });
    all.at(1, () => all.api.disconnect("kubelet"));
    create(all, 2, "a");
    all.sim.run(seconds(10));
    expect(other).toEqual([seconds(2) + WRITE_NS + WATCH_NS]);
    expect(all.heard).toEqual([]);
  });
});

describe("a server that stands still", () => {
  test("answers what was under way when it goes on", () => {
    const all = parts();
    all.write(5, "a");
    all.at(5 + ms(5) / seconds(1), () => all.api.pause());
    all.at(10, () => all.api.resume());
    all.sim.run(seconds(20));
    expect(all.commits).toEqual(["10.000 a"]);
    expect(all.answers[0]![1]).toBeNull();
    expect(all.api.isIdle).toBe(true);
  });

  test("is given up by all its clients, who come back by themselves", () => {
    const all = parts();
    create(all, 1, "a");
    all.at(2, () => all.api.pause());
    all.write(3, "bb");
    all.at(100, () => all.api.resume());
    create(all, 150, "ccc");
    all.sim.run(seconds(200));
    expect(all.answers[0]![1]).toBe("Timeout");
    expect([...all.informer.values()].map(({ metadata }) => metadata.name)).toEqual(["a", "ccc"]);
    expect(all.api.isIdle).toBe(true);
  });

  test("is back, but TCP's next retransmission is farther away than the ping's time-out", () => {
    // Last frame at 15 s: pinged at 45 s, closed at 60 s. Sent at 21.2 s, again 0.2 s ... 25.4 s and 51 s later.
    // Broken on purpose: a mended connection with something to retransmit is not given up; bb is written at 72.2 s.
    const all = parts();
    all.write(15, "a");
    all.at(20, () => all.api.pause());
    all.write(21.2, "bb");
    all.at(50, () => all.api.resume());
    all.write(65, "ccc");
    all.sim.run(seconds(100));
    const [gaveUpS, error] = all.answers[1]!;
    expect(error).toBe("Timeout");
    expect(gaveUpS).toBeCloseTo(60, 1);
    expect(all.answers[2]![0]).toBeCloseTo(65, 1);
    expect(all.commits.map((line) => line.split(" ")[1])).toEqual(["a", "ccc"]);
  });

  test("each side retransmits by its own clock: what the server has to say does not hold up the client", () => {
    // The event of bb leaves the server at 1.51 s, again 25.4 s and 51 s later; ccc is sent at 28 s, again at 31 s.
    // Its answer waits behind that event. Broken on purpose: one queue for both, and ccc is written at 52.5 s.
    const all = parts();
    all.at(1.5, () => all.api.disconnect("kubelet"));
    create(all, 1.5, "bb");
    all.write(28, "ccc");
    all.at(30, () => all.api.reconnect("kubelet"));
    all.sim.run(seconds(60));
    expect(all.commits[1]).toBe("31.010 ccc");
    expect(all.answers[0]![0]).toBeCloseTo(52.5, 1);
    expect(Number(all.heard[0]!.split(" ")[0])).toBeCloseTo(52.5, 1);
  });

  test("a stalled etcd: watches stay, writes time out after 60 s and have not happened", () => {
    // Broken on purpose: without the deadline the write waits for ever.
    const all = parts();
    all.at(1, () => all.api.pause("etcd"));
    all.write(2, "a");
    all.at(200, () => all.api.resume("etcd"));
    all.write(201, "bb");
    all.sim.run(seconds(300));
    expect(all.answers[0]).toEqual([
      2 + (ms(0.2) + seconds(60) + RESPONSE_NS) / seconds(1),
      "Timeout",
    ]);
    expect(all.commits.map((line) => line.split(" ")[1])).toEqual(["bb"]);
    expect((all.informer as { lists?: number }).lists).toBe(1);
    expect(all.heard).toHaveLength(1);
  });

  test("a slow etcd makes each write take so many times as long", () => {
    const all = parts();
    all.api.slow(20);
    all.write(1, "a");
    all.at(2, () => all.api.slow(1));
    all.write(3, "bb");
    all.sim.run(seconds(5));
    expect(all.commits).toEqual(["1.200 a", "3.010 bb"]);
  });
});

describe("a server whose process is gone", () => {
  // Broken on purpose: dials that wait for an answer, as of a server that stands still (30 s and more).
  test("resets what is open and refuses what comes: requests fail at once", () => {
    const all = parts();
    all.at(10, () => all.api.pause("process"));
    all.write(20, "a");
    all.write(30, "bb");
    all.at(40, () => all.api.resume("process"));
    all.write(41, "ccc");
    all.sim.run(seconds(60));
    expect(all.answers.map(([, error]) => error)).toEqual(["Timeout", "Timeout", null]);
    for (const [i, writtenS] of [20, 30].entries()) {
      expect(all.answers[i]![0] - writtenS).toBeLessThan(0.001);
    }
    expect(all.commits.map((line) => line.split(" ")[1])).toEqual(["ccc"]);
  });

  /**
   * At 10 s its connection is reset; it asks again at once, then after 0.8 s, doubling, times 1 to 2. The new server's
   * cache begins with what is stored now, so the version where the watch ended is too old: it lists.
   * Broken on purpose: a history that the new process still has (no list).
   */
  test("its watches ask again for what comes next, and list when a new process knows nothing of that", () => {
    const all = parts();
    create(all, 1, "a");
    // Under way to etcd when the process ends: it happens, and nobody is told.
    all.write(10 - 0.005, "bb");
    all.at(10, () => all.api.pause("process"));
    all.at(14, () => all.api.resume("process"));
    all.sim.run(seconds(13.9));
    expect(all.commits.length).toBe(2);
    expect(all.answers).toEqual([[10 + RESPONSE_NS / 1e9, "Timeout"]]);
    expect((all.informer as { lists?: number }).lists).toBe(1);
    all.sim.run(seconds(60));
    expect((all.informer as { lists?: number }).lists).toBe(2);
    expect(all.heard.map((line) => line.split(" ").slice(1).join(" "))).toEqual([
      "added a",
      "added bb",
    ]);
    // The sixth try at the latest, and one back-off more before the list.
    expect(Number(all.heard[1]!.split(" ")[0])).toBeLessThan(14 + 12.8 + 25.6);
    expect(all.api.isIdle).toBe(true);
  });

  // Broken on purpose: a watch that was refused lists.
  test("a watch that had seen all goes on where it was", () => {
    const all = parts();
    create(all, 1, "a");
    all.at(10, () => all.api.pause("process"));
    all.at(14, () => all.api.resume("process"));
    create(all, 50, "bb");
    all.sim.run(seconds(60));
    expect((all.informer as { lists?: number }).lists).toBe(1);
    expect(all.heard.length).toBe(2);
  });

  // Broken on purpose: they are seated, and committed, while nobody is there.
  test("what waited for a seat is forgotten, and its seats are free", () => {
    const all = parts();
    const busy = all.api.client({ name: "busy", qps: 1e6, burst: 1e6 });
    const errors: (string | null)[] = [];
    // 56 seats of global-default at rest.
    all.at(10, () => {
      for (let i = 0; i < 60; i++) {
        busy.create("Pod", pod(`p${i}`), (_pod, error) => errors.push(error));
      }
    });
    all.at(10.005, () => all.api.pause("process"));
    all.at(12, () => all.api.resume("process"));
    all.sim.run(seconds(13));
    expect(all.commits.length).toBe(56);
    expect(errors).toEqual(Array(60).fill("Timeout"));
    expect(all.api.flowControl.waiting).toBe(0);
  });
});
