/**
 * What nodes know of a Service's slices: found once for all nodes, and the same as if each had looked for itself.
 *
 * Broken on purpose: a step remembered without what takes the slice's place; a difference without what was there before.
 */
import { expect, test } from "vitest";
import type { EndpointSlice } from "../../src/kubernetes/api/types.ts";
import { changedPods, withSlice } from "../../src/kubernetes/proxy/sliceVersions.ts";
import { endpoint, slice } from "../helpers/kube-objects.ts";

const [a, b, c] = ["1", "2", "3"].map((n) => endpoint(`10.0.0.${n}`)) as [
  ReturnType<typeof endpoint>,
  ReturnType<typeof endpoint>,
  ReturnType<typeof endpoint>,
];
const [one, newer, other] = [slice("s", [a]), slice("s", [a, b]), slice("t", [c])] as [
  EndpointSlice,
  EndpointSlice,
  EndpointSlice,
];

test("nodes that knew the same and learn the same then know the very same list", () => {
  const known = [one, other];
  const first = withSlice(known, newer, newer);
  expect(first).toMatchObject({ previous: one, slices: [other, newer] });
  expect(withSlice(known, newer, newer).slices).toBe(first.slices);
  expect(known).toEqual([one, other]);
});

test("one that learns something else of the same slice, or knew something else, does not", () => {
  const known = [one, other];
  expect(withSlice(known, newer, newer).slices).toEqual([other, newer]);
  expect(withSlice(known, newer, null)).toMatchObject({ previous: one, slices: [other] });
  expect(withSlice([other], newer, newer)).toMatchObject({
    previous: null,
    slices: [other, newer],
  });
  expect(withSlice(undefined, one, one).slices).toEqual([one]);
  expect(withSlice(undefined, other, other).slices).toEqual([other]);
});

test("what two versions of a slice tell differently depends on both", () => {
  const pods = (...of: Parameters<typeof changedPods>): string[] =>
    changedPods(...of).map((uid) => uid.replace("uid-of-10.0.0.", ""));
  expect(pods(one, newer)).toEqual(["2"]);
  expect(pods(null, newer)).toEqual(["1", "2"]);
  expect(pods(one, newer)).toEqual(["2"]);
  expect(pods(newer, null)).toEqual(["1", "2"]);
  expect(pods(null, null)).toEqual([]);
});
