/**
 * Zones as the node lifecycle controller judges them, and the pace at which it taints nodes in each.
 *
 * Owns: ComputeZoneState, the rates that follow from it, and the rate-limited queue of a zone. Source:
 * node_lifecycle_controller.go, scheduler/rate_limited_queue.go; timings §5.
 */
import { Phase, seconds, type SimTimeNs, type Simulation } from "../../engine/index.ts";
import { ZONE_LABEL, type Node } from "../api/types.ts";
import type { ControllerManagerProfile } from "./profile.ts";

type NodeLifecycleProfile = ControllerManagerProfile["nodeLifecycle"];

export interface ZoneState {
  /** partial: more than two nodes, and too large a share of them, are not ready; full: all are. */
  readonly state: "normal" | "partial" | "full";
  readonly nodes: number;
}

interface Counts {
  ready: number;
  notReady: number;
}

const UNHEALTHY_LEAST = 2;
/** --unhealthy-zone-threshold. */
const UNHEALTHY_SHARE = 0.55;

export function zoneStates(
  nodes: Iterable<Node>,
  isReady: (name: string) => boolean,
): Map<string, ZoneState> {
  const counts = new Map<string, Counts>();
  for (const { metadata } of nodes) {
    const zone = metadata.labels[ZONE_LABEL] ?? "";
    let count = counts.get(zone);
    if (count === undefined) counts.set(zone, (count = { ready: 0, notReady: 0 }));
    if (isReady(metadata.name)) count.ready++;
    else count.notReady++;
  }
  return new Map([...counts].map(([zone, count]) => [zone, stateOf(count)]));
}

function stateOf({ ready, notReady }: Counts): ZoneState {
  const nodes = ready + notReady;
  if (ready === 0 && notReady > 0) return { state: "full", nodes };
  const isPartial = notReady > UNHEALTHY_LEAST && notReady / nodes >= UNHEALTHY_SHARE;
  return { state: isPartial ? "partial" : "normal", nodes };
}

/** Nodes a second that each zone may lose. */
export function disruptedPaces(
  zones: ReadonlyMap<string, ZoneState>,
  { evictionRate, secondaryEvictionRate, largeZoneNodes }: NodeLifecycleProfile,
): [zone: string, perSecond: number][] {
  return [...zones].map(([zone, { state, nodes }]) => {
    if (state !== "partial") return [zone, evictionRate];
    return [zone, nodes > largeZoneNodes ? secondaryEvictionRate : 0];
  });
}

/** The nodes of one zone that are to be tainted, one at a time and no faster than the zone's pace. */
export class ZoneTainter {
  readonly #sim: Simulation;
  readonly #profile: NodeLifecycleProfile;
  readonly #taint: (node: string) => void;
  readonly #queue = new Set<string>();
  #perSecond: number;
  #lastNs: SimTimeNs = -Infinity;
  #isArmed = false;

  constructor(sim: Simulation, profile: NodeLifecycleProfile, taint: (node: string) => void) {
    this.#sim = sim;
    this.#profile = profile;
    this.#taint = taint;
    this.#perSecond = profile.evictionRate;
  }

  get isIdle(): boolean {
    return this.#queue.size === 0 || this.#perSecond === 0;
  }

  setPace(perSecond: number): void {
    this.#perSecond = perSecond;
    this.#arm();
  }

  add(node: string): void {
    this.#queue.add(node);
    this.#arm();
  }

  cancel(node: string): void {
    this.#queue.delete(node);
  }

  /** The queue is looked at each nodeEvictionPeriod. */
  #arm(): void {
    if (this.#isArmed || this.isIdle) return;
    this.#isArmed = true;
    const { evictionPeriodNs } = this.#profile;
    const nextNs = (Math.floor(this.#sim.nowNs / evictionPeriodNs) + 1) * evictionPeriodNs;
    this.#sim.callAt(nextNs, Phase.start, () => {
      this.#isArmed = false;
      const [node] = this.#queue;
      const freeNs = this.#lastNs + seconds(1) / this.#perSecond;
      if (node !== undefined && this.#perSecond > 0 && this.#sim.nowNs >= freeNs) {
        this.#queue.delete(node);
        this.#lastNs = this.#sim.nowNs;
        this.#taint(node);
      }
      this.#arm();
    });
  }
}
