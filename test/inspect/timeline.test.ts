/**
 * `sim timeline`: each stage of a pod's life, in its order, at the time at which it happened.
 *
 * Seen to fail: the first node's time taken for the last one's; SIGTERM before the preStop sleep (the order of the two);
 * a name that is used again goes on with the old life.
 */
import { describe, expect, it } from "vitest";
import { seconds } from "../../src/engine/index.ts";
import { PodLives, timelineFormats, timelineOf } from "../../src/inspect/index.ts";
import type { Timeline } from "../../src/inspect/timeline/record.ts";
import { createObservations } from "../../src/observe/index.ts";
import { compile } from "../../src/scenario/compile.ts";
import { defaultProfile } from "../../src/scenario/profile.ts";
import { loadFiles, scenarioText, webManifest } from "../scenario/files.ts";

/** One of two pods is deleted at 5 s, sleeps for 3 s and exits; its replacement comes up meanwhile. */
const spec = `
      terminationGracePeriodSeconds: 20
      `;
const preStop = "lifecycle: { preStop: { sleep: { seconds: 3 } } }";
const manifest = webManifest({ spec }).replace("image: web,", `image: web, ${preStop},`);
const files = {
  "scenario.ts": scenarioText(`faults: [resetPods({ selector: "app=web", count: 1, at: "5s" })],`),
  "web.yaml": manifest,
};
const scenario = await loadFiles(files, { profile: defaultProfile, duration: "20s" });
const lives = new PodLives();
const lags: { node: string; change: number; atNs: number }[] = [];
const run = compile(scenario, [
  lives,
  { endpointProgrammed: (change, node, atNs) => lags.push({ node, change, atNs }) },
]);
run.runUntil(scenario.durationNs);
const timeline = (pattern: string): Timeline =>
  timelineOf(lives, scenario, scenario.durationNs, pattern);
const all = timeline("web-*").pods;
const gone = all.find(({ steps }) => steps.some(({ stage }) => stage === "object gone"))!;
const fresh = all.find(({ steps }) => steps[0]!.stage === "created")!;

describe("a life", () => {
  it("of a pod that is deleted with grace has every stage to the last node, in order", () => {
    expect(gone.steps.map(({ stage }) => stage)).toEqual([
      "at rest",
      "told to go",
      "preStop",
      "not ready in slice",
      "off the first node",
      "off the last node",
      "SIGTERM",
      "container exited",
      "sandbox removed",
      // The terminal status empties the slice; the object waits for the kubelet to come round again.
      "removed from slice",
      "object gone",
    ]);
    const at = (stage: string): number => gone.steps.find((step) => step.stage === stage)!.atNs;
    expect(at("SIGTERM") - at("preStop")).toBe(seconds(3));
    const programmed = lags.filter(({ change }) => change === 0).map(({ atNs }) => atNs);
    expect(at("off the first node")).toBe(Math.min(...programmed));
    expect(at("off the last node")).toBe(Math.max(...programmed));
  });

  it("of its replacement has every stage from its creation to the last node", () => {
    expect(fresh.steps.map(({ stage }) => stage)).toEqual([
      "created",
      "scheduled",
      "sandbox created",
      "container started",
      "ready",
      "in slice",
      "in force on the first node",
      "in force on the last node",
    ]);
    expect(fresh.node).toMatch(/^node-[12]$/);
    expect(fresh.endpoints.map(({ service }) => service)).toEqual(["default/web"]);
  });

  it("never goes back, and begins anew when a name is used again", () => {
    for (const { steps } of all) {
      const times = steps.map(({ atNs }) => atNs);
      expect(times).toEqual(times.toSorted((a, b) => a - b));
    }
    const twice = new PodLives();
    const hub = createObservations([twice]);
    for (const atNs of [1, 5]) {
      hub.event(atNs, "pod_created", "pod/default/db-0", "");
      hub.event(atNs + 1, "pod_removed", "pod/default/db-0", "node-1");
    }
    expect(twice.lives().map(({ steps }) => steps.map(({ atNs }) => atNs))).toEqual([
      [1, 2],
      [5, 6],
    ]);
  });
});

describe("a pattern", () => {
  it("is a name, or one with its namespace, and * is any characters", () => {
    const name = gone.pod.replace("default/", "");
    for (const pattern of [name, gone.pod, `pod/${name}`, `${name.slice(0, -2)}*`]) {
      expect(
        timeline(pattern).pods.map(({ pod }) => pod),
        pattern,
      ).toContain(gone.pod);
    }
    expect(all.length).toBe(3);
    expect(() => timeline("other/*")).toThrow(/--pod: no pod "other\/\*"/);
    expect(() => timeline("web.*")).toThrow(/no pod/);
  });
});

describe("a format", () => {
  it("text has a line for each step, json all of it", () => {
    const one = timeline(gone.pod);
    const lines = timelineFormats.text(one).trimEnd().split("\n");
    expect(lines[2]).toMatch(/^pod\/default\/web-\S+ on node-[12]: \S+ of default\/web$/);
    expect(lines.slice(3).length).toBe(gone.steps.length);
    expect(lines.find((line) => line.includes("SIGTERM"))).toMatch(
      /^ +8\.\d{6} s +\+\S+ \S+  SIGTERM +web$/,
    );
    expect(JSON.parse(timelineFormats.json(one))).toEqual(one);
  });

  it("is this text", async () => {
    const text = timelineFormats.text(timeline("web-*"));
    await expect(text).toMatchFileSnapshot("./golden/timeline.txt");
  });
});
