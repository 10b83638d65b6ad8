/**
 * Tells the book of changes which endpoints a node now uses, or no longer.
 *
 * Owns: comparing the slices that the rules were made of with those that they are made of now. Only observes:
 * kube-proxy itself reads nothing of it.
 */
import type { SimTimeNs } from "../../engine/index.ts";
import type { Endpoint, EndpointSlice } from "../api/types.ts";
import type { ChangeLedger, EndpointName } from "../ledger.ts";
import type { Arrival } from "./changeTracker.ts";

/** One Service's rules that have come into force. */
export interface Programmed {
  readonly node: string;
  readonly service: string;
  readonly family: 4 | 6;
  readonly before: readonly EndpointSlice[];
  readonly after: readonly EndpointSlice[];
  /** When the node was told of each pod's endpoint, by uid: of those of which it was told something new. */
  readonly arrived: ReadonlyMap<string, Arrival> | undefined;
  readonly syncStartedNs: SimTimeNs;
  readonly nowNs: SimTimeNs;
}

/** A pod's endpoint that is used from now on, or no longer. */
interface Difference {
  readonly of: EndpointName;
  readonly ready: boolean;
  /** As its slice says; null when it has left. */
  readonly causeNs: SimTimeNs | null;
}

export function reportProgrammed(ledger: ChangeLedger, programmed: Programmed): void {
  const { node, arrived, syncStartedNs, nowNs } = programmed;
  for (const { of, ready, causeNs } of differencesOf(programmed)) {
    const arrival = arrived?.get(of.podUid);
    const deliveredNs = arrival?.deliveredNs ?? syncStartedNs;
    const times = { deliveredNs, trackedNs: arrival?.trackedNs ?? syncStartedNs, syncStartedNs };
    ledger.programmed(node, of, ready, causeNs, times, nowNs);
  }
}

interface Compared {
  readonly service: string;
  readonly differences: readonly Difference[];
}

/** By list before and after, which nodes share: what differs between two of them is found once for all nodes. */
const compared = new WeakMap<
  readonly EndpointSlice[],
  WeakMap<readonly EndpointSlice[], Compared>
>();

function differencesOf(programmed: Programmed): readonly Difference[] {
  const { service, before, after } = programmed;
  let known = compared.get(before);
  if (known === undefined) compared.set(before, (known = new WeakMap()));
  let found = known.get(after);
  if (found?.service !== service) {
    known.set(after, (found = { service, differences: [...difference(programmed)] }));
  }
  return found.differences;
}

function* difference({ service, family, before, after }: Programmed): Generator<Difference> {
  const addressType = family === 4 ? "IPv4" : "IPv6";
  const among = podsThatMayDiffer(before, after);
  const was = endpointsOf(before, among);
  const is = endpointsOf(after, among);
  for (const podUid of new Set([...is.keys(), ...was.keys()])) {
    const ready = is.get(podUid)?.conditions.ready ?? false;
    if (ready === (was.get(podUid)?.conditions.ready ?? false)) continue;
    const causeNs = is.get(podUid)?.observedCauseNs ?? null;
    yield { of: { service, podUid, addressType }, ready, causeNs };
  }
}

/** Those of slices that are not in both lists: most of a long list are. */
function podsThatMayDiffer(
  before: readonly EndpointSlice[],
  after: readonly EndpointSlice[],
): ReadonlySet<string> {
  const pods = new Set<string>();
  for (const [these, those] of [
    [before, after],
    [after, before],
  ] as const) {
    for (const slice of these) {
      if (!those.includes(slice)) for (const { podUid } of slice.endpoints) pods.add(podUid);
    }
  }
  return pods;
}

/** By uid of the pod. */
function endpointsOf(
  slices: readonly EndpointSlice[],
  among: ReadonlySet<string>,
): Map<string, Endpoint> {
  const found = new Map<string, Endpoint>();
  for (const { endpoints } of slices) {
    for (const each of endpoints) if (among.has(each.podUid)) found.set(each.podUid, each);
  }
  return found;
}
