/** The overlay map against a plain Map: same answers, and the base is never written. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { OverlayMap } from "../../src/kubernetes/api/overlayMap.ts";

const key = fc.constantFrom("a", "b", "c", "d", "e", "f");
const step = fc.oneof(
  fc.record({ what: fc.constant("set" as const), key, value: fc.nat(99) }),
  fc.record({ what: fc.constant("delete" as const), key }),
);

test("holds what a copy of the base would hold after the same changes", () => {
  // Broken on purpose: deleting the overlay's entry instead of marking it lets the base shine through, and so does a
  // mark that is not counted.
  fc.assert(
    fc.property(fc.uniqueArray(key), fc.array(step, { maxLength: 40 }), (baseKeys, steps) => {
      const base = new Map<string, number>(baseKeys.map((each, i) => [each, 1000 + i]));
      const untouched = [...base];
      const overlay = new OverlayMap(base);
      const model = new Map(base);
      for (const each of steps) {
        if (each.what === "set") {
          expect(overlay.set(each.key, each.value)).toBe(model.get(each.key));
          model.set(each.key, each.value);
        } else {
          expect(overlay.delete(each.key)).toBe(model.delete(each.key));
        }
        expect(overlay.size).toBe(model.size);
        for (const name of "abcdef") expect(overlay.get(name)).toBe(model.get(name));
        expect([...overlay.values()].sort()).toEqual([...model.values()].sort());
      }
      expect([...base]).toEqual(untouched);
    }),
    { numRuns: 200, seed: 1 },
  );
});

test("gives the base's keys first, in its order, then the others as they came", () => {
  const overlay = new OverlayMap(
    new Map([
      ["a", 1],
      ["b", 2],
      ["c", 3],
    ]),
  );
  overlay.set("z", 26);
  overlay.set("y", 25);
  overlay.delete("b");
  overlay.set("a", 10);
  expect([...overlay.values()]).toEqual([10, 3, 26, 25]);
});

test("two holders of one base see only their own changes", () => {
  const base = new Map([["a", 1]]);
  const [left, right] = [new OverlayMap(base), new OverlayMap(base)];
  left.set("a", 2);
  left.set("b", 3);
  expect([right.get("a"), right.get("b"), right.size]).toEqual([1, undefined, 1]);
});
