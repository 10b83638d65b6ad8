/**
 * What changed since the last sync. Facts: rules of kube-proxy, section 12.
 *
 * Broken on purpose: a trigger at the tracker's start counted; arrivals of endpoints that did not change; the ends that
 * two versions of a slice have in common compared one place off; what a failed sync had taken put back over what has
 * come since.
 */
import { describe, expect, test } from "vitest";
import type { Endpoint } from "../../src/kubernetes/api/types.ts";
import { ChangeTracker } from "../../src/kubernetes/proxy/changeTracker.ts";
import { endpoint, slice } from "../helpers/kube-objects.ts";

const KEY = "default/web";
const START_NS = 1000;

describe("trigger times", () => {
  test("count from after the tracker's start: not before it, and not at it", () => {
    const tracker = new ChangeTracker(START_NS);
    for (const atNs of [999, 1000, 1001]) tracker.sliceChanged(KEY, atNs);
    tracker.sliceChanged(KEY, null);
    const { triggers, services } = tracker.take();
    expect(Object.fromEntries(triggers)).toEqual({ [KEY]: [1001] });
    expect(services).toEqual([KEY]);
    expect(tracker.isEmpty).toBe(true);
    expect(tracker.take().triggers.size).toBe(0);
  });

  test("of a Service go with any slice of it; it is looked at all the same", () => {
    const tracker = new ChangeTracker(START_NS);
    tracker.sliceChanged(KEY, 2000);
    tracker.sliceChanged("default/other", 2000);
    tracker.sliceDeleted(KEY);
    const { triggers, services } = tracker.take();
    expect([...triggers.keys()]).toEqual(["default/other"]);
    expect(services).toEqual([KEY, "default/other"]);
  });
});

describe("arrivals", () => {
  const seven = { deliveredNs: 6, trackedNs: 7 };
  const nine = { deliveredNs: 9, trackedNs: 9 };
  const [a, b, c, d] = ["1", "2", "3", "4"].map((n) => endpoint(`10.0.0.${n}`)) as [
    Endpoint,
    Endpoint,
    Endpoint,
    Endpoint,
  ];
  const unready = (of: Endpoint, observedCauseNs = 5): Endpoint => ({
    ...of,
    observedCauseNs,
    conditions: { ready: false, serving: true, terminating: true },
  });
  const arrived = (
    before: readonly Endpoint[] | null,
    after: readonly Endpoint[] | null,
  ): string[] => {
    const tracker = new ChangeTracker(0);
    const of = (endpoints: readonly Endpoint[] | null) =>
      endpoints === null ? null : slice("s", endpoints);
    tracker.endpointsArrived(of(before), of(after), seven);
    const times = tracker.take().arrivals.get(KEY)!;
    expect([...times.values()].every((arrival) => arrival === seven)).toBe(true);
    return [...times.keys()].map((uid) => uid.replace("uid-of-10.0.0.", ""));
  };

  test.each([
    ["a new slice: all of it", null, [a, b], ["1", "2"]],
    ["a slice that goes: all of it", [a, b], null, ["1", "2"]],
    ["nothing new: nobody", [a, b, c], [a, b, c], []],
    ["one in the middle", [a, b, c], [a, unready(b), c], ["2"]],
    ["one at the head, one at the end", [a, b, c], [unready(a), b, unready(c)], ["1", "3"]],
    ["one that comes before all others", [a, b], [d, a, b], ["4"]],
    ["one that comes between others", [a, c], [a, b, c], ["2"]],
    ["one that goes from the end", [a, b, c], [a, b], ["3"]],
    ["one that goes from between two", [a, b, c], [a, c], ["2"]],
    ["another in its place", [a, b], [a, d], ["4", "2"]],
    ["an equal copy of one is nothing new", [a, b], [{ ...a }, b], []],
    ["another cause is, though it is as ready as before", [unready(a)], [unready(a, 6)], ["1"]],
  ] as const)("%s", (_what, before, after, expected) => {
    expect(arrived(before, after).toSorted()).toEqual(expected.toSorted());
  });

  test("that a failed sync had taken wait for the next; newer ones of the same endpoint count", () => {
    const tracker = new ChangeTracker(0);
    tracker.endpointsArrived(slice("s", [a, b]), slice("s", [unready(a), unready(b)]), seven);
    const taken = tracker.take();
    tracker.endpointsArrived(slice("s", [unready(b)]), slice("s", [b]), nine);
    tracker.putBack(taken.arrivals);
    const times = tracker.take().arrivals.get(KEY)!;
    expect(Object.fromEntries(times)).toEqual({ [a.podUid]: seven, [b.podUid]: nine });
  });
});
