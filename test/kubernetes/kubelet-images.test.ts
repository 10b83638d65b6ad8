/** Image pulls of one node. Facts: timings §1.2: serial by default, 5 qps / burst 10, back-off 10 s to 300 s. */
import { describe, expect, test } from "vitest";
import { seconds } from "../../src/engine/index.ts";
import type { Pod } from "../../src/kubernetes/api/types.ts";
import { container, pendingPod, WATCH_NS, WRITE_NS } from "../helpers/kube-objects.ts";
import {
  exactKubelet,
  kubeletRig,
  SANDBOX_NS,
  secondsAfter,
  START_NS,
  VOLUMES_NS,
} from "../helpers/kubelet.ts";

const MIB = 1024 ** 2;
const ROUND_TRIP_S = 0.2;
/** When a container would start that has its image. */
const STARTS_NS = WRITE_NS + WATCH_NS + VOLUMES_NS + SANDBOX_NS + START_NS;

function bound(name: string, image: string, change: Parameters<typeof container>[0] = {}): Pod {
  const containers = [container({ name, image, ...change })];
  return pendingPod(name, { spec: { nodeName: "node-0", containers } });
}

function rig(
  images: Readonly<Record<string, number | null>>,
  profile: Partial<typeof exactKubelet> = {},
) {
  return kubeletRig({
    images: new Map(Object.entries(images)),
    profile: { ...exactKubelet, ...profile },
  });
}

const pulledIn = (times: readonly number[]): number[] =>
  secondsAfter(STARTS_NS, times).map((each) => Math.round(each * 1000) / 1000);

describe("a pull", () => {
  test("takes the registry's answer and its bytes at 50 MiB/s; an image without a size is there", () => {
    const { sim, hand, times } = rig({ "big:1": 100 * MIB });
    hand.create("Pod", bound("a", "big:1"));
    hand.create("Pod", bound("b", "other:1"));
    sim.run(seconds(20));
    expect(pulledIn(times("start a/"))).toEqual([2 + ROUND_TRIP_S]);
    expect(pulledIn(times("start b/"))).toEqual([0]);
  });

  test("is made once for a node: the second pod finds it, unless its policy is Always", () => {
    const { sim, hand, times } = rig({ "big:1": 100 * MIB, big: 100 * MIB });
    const late = (fn: () => void): void => void sim.callAt(seconds(20), 4, fn);
    hand.create("Pod", bound("a", "big:1"));
    hand.create("Pod", bound("b", "big"));
    late(() => hand.create("Pod", bound("c", "big:1")));
    late(() => hand.create("Pod", bound("d", "big")));
    late(() => hand.create("Pod", bound("e", "big:1", { imagePullPolicy: "Always" })));
    sim.run(seconds(60));
    // An image without a tag is latest, and asked for each time; so is `e`'s, one after the other.
    expect(pulledIn(times("start c/")).map((each) => each - 20)).toEqual([0]);
    const asked = [...times("start d/"), ...times("start e/")];
    expect(pulledIn(asked).map((each) => Math.round((each - 20) * 10) / 10)).toEqual([0.2, 0.4]);
  });

  test("serial: one after the other; parallel: they share the bandwidth", () => {
    const images = { "one:1": 50 * MIB, "two:1": 100 * MIB };
    const times = (profile: Partial<typeof exactKubelet>): number[] => {
      const { sim, hand, times: timesOf } = rig(images, profile);
      hand.create("Pod", bound("a", "one:1"));
      hand.create("Pod", bound("b", "two:1"));
      sim.run(seconds(30));
      return pulledIn([...timesOf("start a/"), ...timesOf("start b/")]);
    };
    // Broken on purpose: pulls that each have the whole bandwidth end at 1.2 and 2.2 s.
    expect(times({})).toEqual([1 + ROUND_TRIP_S, 3 + 2 * ROUND_TRIP_S]);
    expect(times({ serializeImagePulls: false })).toEqual([2.4, 3.4]);
  });

  test("Never: the container waits for ever", () => {
    const { sim, hand, api, times } = rig({ "big:1": MIB });
    hand.create("Pod", bound("a", "big:1", { imagePullPolicy: "Never" }));
    sim.run(seconds(60));
    expect(times("start")).toEqual([]);
    const [status] = api.watch("Pod", { watcher: "x", handlers: {} }).get("default/a")!.status
      .containerStatuses!;
    expect(status).toMatchObject({ state: "waiting", reason: "ErrImageNeverPull" });
  });
});

describe("failures", () => {
  test("an image that no registry has: ErrImagePull, then ImagePullBackOff, 10 s doubling", () => {
    const { sim, hand, log } = rig({ "gone:1": null });
    hand.create("Pod", bound("a", "gone:1"));
    sim.run(seconds(120));
    const reasons = log.filter(({ what }) => what.startsWith("reason ")).map(({ what }) => what);
    // Tries at once, then after 10, 20, 40 s and more: at least two back-offs between them.
    const pulls = reasons.filter((each) => each.endsWith("ErrImagePull"));
    expect(pulls.length).toBeGreaterThanOrEqual(3);
    expect(pulls.length).toBeLessThanOrEqual(4);
    expect(reasons.filter((each) => each.endsWith("ImagePullBackOff")).length).toBeGreaterThan(0);
    expect(log.filter(({ what }) => what.startsWith("start"))).toEqual([]);
  });

  test("more than 10 pulls at once and 5 a second: the others fail, and come again later", () => {
    const images = Object.fromEntries(Array.from({ length: 14 }, (_, i) => [`i${i}:1`, MIB]));
    const { sim, hand, times } = rig(images, { serializeImagePulls: false });
    for (let i = 0; i < 14; i++) hand.create("Pod", bound(`p${i}`, `i${i}:1`));
    sim.run(seconds(60));
    const soon = times("start").filter((atNs) => atNs < seconds(9));
    expect(soon).toHaveLength(10);
    expect(times("start")).toHaveLength(14);
  });
});
