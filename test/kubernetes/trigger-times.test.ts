/**
 * Trigger times: what is noted of the pods that have changed is what a look at all of them would note.
 *
 * Broken on purpose: pods that have gone kept in mind; a pod that has taken another's place in the list passed over.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { seconds } from "../../src/engine/index.ts";
import type { Pod } from "../../src/kubernetes/api/types.ts";
import { TriggerTimeTracker } from "../../src/kubernetes/controllers/triggerTimes.ts";
import { pod } from "../helpers/kube-objects.ts";

function readyAt(name: string, second: number): Pod {
  const made = pod(name);
  const ready = { status: true, lastTransitionTimeNs: seconds(second) };
  return { ...made, status: { ...made.status, ready } };
}

/** Upstream's: the times of all pods, before and now. */
function lookAtAll(before: ReadonlyMap<string, number>, pods: readonly Pod[]) {
  const now = new Map<string, number>();
  for (const { metadata, status } of pods) {
    const { lastTransitionTimeNs } = status.ready;
    if (lastTransitionTimeNs > 0) now.set(metadata.name, lastTransitionTimeNs);
  }
  const newer = [...now].filter(([name, atNs]) => atNs > (before.get(name) ?? -1));
  const times = newer.map(([, atNs]) => atNs);
  return { now, leastNs: times.length === 0 ? null : Math.min(...times) };
}

const version = fc.record({
  name: fc.constantFrom("a", "b", "c", "d"),
  second: fc.integer({ min: 0, max: 4 }),
});
const list = fc.uniqueArray(version, { selector: ({ name }) => name });

test("the least time that is new, in whatever order pods come, change, go and come back", () => {
  fc.assert(
    fc.property(fc.array(list, { minLength: 2, maxLength: 6 }), (lists) => {
      const tracker = new TriggerTimeTracker(null);
      const known = new Map<string, Pod>();
      let before: ReadonlyMap<string, number> = new Map();
      for (const [i, each] of lists.entries()) {
        // An unchanged pod is the same object, as in an informer's store.
        const pods = each.map(({ name, second }) => {
          const key = `${name} ${second}`;
          if (!known.has(key)) known.set(key, readyAt(name, second));
          return known.get(key)!;
        });
        const { now, leastNs } = lookAtAll(before, pods);
        const seen = tracker.update("default/web", seconds(9), pods);
        expect(seen).toBe(i === 0 ? seconds(9) : leastNs);
        before = now;
      }
    }),
    { numRuns: 100, seed: 1 },
  );
});

test("a run that begins at rest has seen what was there, but not what came since", () => {
  const tracker = new TriggerTimeTracker(seconds(5));
  const pods = [readyAt("old", 4), readyAt("new", 7), readyAt("newer", 8)];
  expect(tracker.update("default/web", 0, pods)).toBe(seconds(7));
  expect(tracker.update("default/web", 0, pods)).toBeNull();
});
