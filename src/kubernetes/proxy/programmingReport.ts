/**
 * Tells the book of changes which endpoints a node now uses, or no longer.
 *
 * Owns: comparing the slices that the rules were made of with those that they are made of now. Only observes:
 * kube-proxy itself reads nothing of it.
 */
import type { SimTimeNs } from "../../engine/index.ts";
import type { EndpointSlice } from "../api/types.ts";
import type { ChangeLedger } from "../ledger.ts";
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

interface EndpointState {
  readonly ready: boolean;
  readonly causeNs: number | null;
}

const NOTHING_ARRIVED: ReadonlyMap<string, Arrival> = new Map();

export function reportProgrammed(ledger: ChangeLedger, programmed: Programmed): void {
  const { node, service, family, before, after, syncStartedNs, nowNs } = programmed;
  const addressType = family === 4 ? "IPv4" : "IPv6";
  const arrived = programmed.arrived ?? NOTHING_ARRIVED;
  // Nothing else can differ, but where there was nothing before.
  const among = before.length === 0 ? null : arrived;
  const was = endpointStates(before, among);
  const is = endpointStates(after, among);
  for (const podUid of new Set([...is.keys(), ...was.keys()])) {
    const ready = is.get(podUid)?.ready ?? false;
    if (ready === (was.get(podUid)?.ready ?? false)) continue;
    const causeNs = is.get(podUid)?.causeNs ?? null;
    const { deliveredNs = syncStartedNs, trackedNs = syncStartedNs } = arrived.get(podUid) ?? {};
    const times = { deliveredNs, trackedNs, syncStartedNs };
    const of = { service, podUid, addressType } as const;
    ledger.programmed(node, of, ready, causeNs, times, nowNs);
  }
}

/** @param among the pods asked for, by uid; null for all */
function endpointStates(
  slices: readonly EndpointSlice[],
  among: ReadonlyMap<string, unknown> | null,
): Map<string, EndpointState> {
  const states = new Map<string, EndpointState>();
  if (among?.size === 0) return states;
  for (const { endpoints } of slices) {
    for (const { podUid, conditions, observedCauseNs } of endpoints) {
      if (among !== null && !among.has(podUid)) continue;
      states.set(podUid, { ready: conditions.ready, causeNs: observedCauseNs });
    }
  }
  return states;
}
