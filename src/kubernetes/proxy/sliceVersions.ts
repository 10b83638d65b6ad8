/**
 * The slices of a Service as a node knows them, version by version.
 *
 * Owns: what a list of slices becomes when one comes, changes or goes, and which pods' endpoints two versions of a slice
 * tell differently. Refuses to own: when a node learns of any (kubeProxy.ts). Both are found once for all nodes: those that
 * knew the same and learn the same then know the very same list.
 */
import type { Endpoint, EndpointSlice } from "../api/types.ts";

export interface SliceStep {
  /** The one that had the name; null for none. */
  readonly previous: EndpointSlice | null;
  readonly slices: readonly EndpointSlice[];
}

interface Step extends SliceStep {
  readonly slice: EndpointSlice;
  readonly now: EndpointSlice | null;
}

const NO_SLICES: readonly EndpointSlice[] = [];
/** What the last node made of a list. */
const steps = new WeakMap<readonly EndpointSlice[], Step>();

/** @param now the slice in its place; null when it has gone */
export function withSlice(
  known: readonly EndpointSlice[] = NO_SLICES,
  slice: EndpointSlice,
  now: EndpointSlice | null,
): SliceStep {
  const last = steps.get(known);
  if (last?.slice === slice && last.now === now) return last;
  const { name } = slice.metadata;
  // Slices of one Service are in one namespace: their names tell them apart.
  const others = known.filter((each) => each.metadata.name !== name);
  const previous = known.find((each) => each.metadata.name === name) ?? null;
  const slices = now === null ? others : [...others, now];
  const step = { slice, now, previous, slices };
  steps.set(known, step);
  return step;
}

interface Difference {
  readonly previous: EndpointSlice | null;
  readonly pods: readonly string[];
}

const differences = new WeakMap<EndpointSlice, Difference>();

/** Uids of the pods whose endpoints came, went, or became ready or not. null: there was none, or is none now. */
export function changedPods(
  previous: EndpointSlice | null,
  slice: EndpointSlice | null,
): readonly string[] {
  if (slice === null) return [...podsOf(previous?.endpoints ?? [], [])];
  const last = differences.get(slice);
  if (last?.previous === previous) return last.pods;
  const pods = [...podsOf(previous?.endpoints ?? [], slice.endpoints)];
  differences.set(slice, { previous, pods });
  return pods;
}

/**
 * Versions of a slice share the endpoints that did not change, mostly at the same places: what is alike at both
 * ends costs a comparison.
 */
function* podsOf(before: readonly Endpoint[], after: readonly Endpoint[]): Generator<string> {
  let from = 0;
  while (from < before.length && before[from] === after[from]) from++;
  let cut = 0;
  const most = Math.min(before.length, after.length) - from;
  while (cut < most && before.at(-1 - cut) === after.at(-1 - cut)) cut++;
  const gone = before.slice(from, before.length - cut);
  const old = new Map(gone.map((endpoint) => [endpoint.podUid, endpoint]));
  for (const { podUid, conditions, observedCauseNs } of after.slice(from, after.length - cut)) {
    const was = old.get(podUid);
    old.delete(podUid);
    const isSame =
      was?.conditions.ready === conditions.ready && was.observedCauseNs === observedCauseNs;
    if (!isSame) yield podUid;
  }
  yield* old.keys();
}
