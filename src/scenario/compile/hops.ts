/** The counters of every hop and of every place that drops packets, as a run reports them. */
import type { SimTimeNs } from "../../engine/index.ts";
import type { Network } from "../../network/network.ts";
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
      kind: place.includes("/") ? place.slice(place.lastIndexOf("/") + 1) : "namespace",
      packets: 0,
      bytes: 0,
      drops: [...causes].map(([cause, count]) => ({ cause, count })),
      utilisation: null,
      queueP99Ns: null,
    });
  }
  return hops;
}
