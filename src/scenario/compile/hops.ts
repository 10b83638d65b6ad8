/**
 * The counters of every hop and of every place that drops packets: as a run reports them, and window by window for
 * whoever observes that.
 *
 * Owns: reading them off the network. Refuses to own: counting (network/hop.ts).
 */
import type { SimTimeNs } from "../../engine/index.ts";
import { HopMeter } from "../../network/hopMeter.ts";
import type { Network } from "../../network/network.ts";
import type { Observations } from "../../observe/observations.ts";
import type { HopReport } from "../../observe/report.ts";

export function hopReports(network: Network, endNs: SimTimeNs): HopReport[] {
  const hops = network.hops.map((hop): HopReport => ({
    hop: hop.name,
    kind: hop.kind,
    packets: hop.packets,
    bytes: hop.bytes,
    drops: hop.droppedPackets > 0 ? [{ cause: "queue_full", count: hop.droppedPackets }] : [],
    utilisation: hop.queues && endNs > 0 ? hop.utilisation(endNs) : null,
    queueP99Ns: hop.queues ? Math.round(hop.waitQuantileNs(0.99)) : null,
  }));
  for (const [place, causes] of network.drops) {
    hops.push({
      hop: place,
      kind: kindOfPlace(place),
      packets: 0,
      bytes: 0,
      drops: [...causes].map(([cause, count]) => ({ cause, count })),
      utilisation: null,
      queueP99Ns: null,
    });
  }
  return hops;
}

function kindOfPlace(place: string): string {
  return place.includes("/") ? place.slice(place.lastIndexOf("/") + 1) : "namespace";
}

/** Tells at each window's end what hops did in it. A place may have a hop's name: the two are one then. */
export class HopWindows {
  readonly #network: Network;
  readonly #observations: Observations;
  /** In the network's order; hops of new pods come behind. */
  readonly #meters: HopMeter[] = [];
  /** By place: drops up to the last window. */
  readonly #dropped = new Map<string, number>();
  readonly #numbers = new Map<string, number>();

  constructor(network: Network, observations: Observations) {
    this.#network = network;
    this.#observations = observations;
  }

  close(nowNs: SimTimeNs): void {
    const { hops } = this.#network;
    const lost = this.#newDrops();
    while (this.#meters.length < hops.length) {
      this.#meters.push(new HopMeter(hops[this.#meters.length]!));
    }
    for (const meter of this.#meters) {
      if (!meter.read(nowNs)) continue;
      const { hop, packets, bytes, sentForNs, waitP99Ns, backlogNs } = meter;
      const drops = meter.drops + (lost.get(hop.name) ?? 0);
      lost.delete(hop.name);
      const number = this.#numberOf(hop.name, hop.kind);
      const [sent, wait] = hop.queues ? [sentForNs, waitP99Ns] : ([-1, -1] as const);
      this.#observations.hopLoaded(number, packets, bytes, drops, sent, wait, backlogNs);
    }
    for (const [place, drops] of lost) {
      const number = this.#numberOf(place, kindOfPlace(place));
      this.#observations.hopLoaded(number, 0, 0, drops, -1, -1, 0);
    }
  }

  /** By place, of those at which packets were dropped in the window. */
  #newDrops(): Map<string, number> {
    const lost = new Map<string, number>();
    for (const [place, causes] of this.#network.drops) {
      const all = [...causes.values()].reduce((sum, each) => sum + each, 0);
      const before = this.#dropped.get(place) ?? 0;
      if (all === before) continue;
      this.#dropped.set(place, all);
      lost.set(place, all - before);
    }
    return lost;
  }

  #numberOf(name: string, kind: string): number {
    const known = this.#numbers.get(name);
    if (known !== undefined) return known;
    const number = this.#numbers.size;
    this.#numbers.set(name, number);
    this.#observations.hopNamed(number, name, kind);
    return number;
  }
}
