/**
 * What node_exporter would say of each machine, read off the network at a scrape.
 *
 * Owns: counters of eth0 and of conntrack, and drops by place. Reads and changes nothing.
 */
import type { Network } from "../../network/network.ts";
import { families } from "./families.ts";
import type { Registry } from "./registry.ts";

/**
 * Preamble, FCS and the gap between frames (IEEE 802.3): on the wire, but no part of what an interface counts, which is
 * the frame from its Ethernet header on.
 */
const WIRE_ONLY_BYTES = 24;

const DEVICE = "eth0";

export class Machines {
  readonly #counters: Record<"entries" | "limit" | "insertFailed" | "drop" | "earlyDrop", Numbers>;
  readonly #device: Record<"txBytes" | "txPackets" | "txDrop" | "rxBytes" | "rxPackets", Numbers>;
  readonly #dropped: Numbers;

  constructor(registry: Registry) {
    this.#counters = {
      entries: registry.numbers(families.conntrackEntries),
      limit: registry.numbers(families.conntrackLimit),
      insertFailed: registry.numbers(families.conntrackInsertFailed),
      drop: registry.numbers(families.conntrackDrop),
      earlyDrop: registry.numbers(families.conntrackEarlyDrop),
    };
    this.#device = {
      txBytes: registry.numbers(families.transmitBytes),
      txPackets: registry.numbers(families.transmitPackets),
      txDrop: registry.numbers(families.transmitDrop),
      rxBytes: registry.numbers(families.receiveBytes),
      rxPackets: registry.numbers(families.receivePackets),
    };
    this.#dropped = registry.numbers(families.packetsDropped);
  }

  read(network: Network): void {
    for (const { name, nic, switchPort, conntrack } of network.hosts) {
      const { txBytes, txPackets, txDrop, rxBytes, rxPackets } = this.#device;
      txBytes.of(name, DEVICE).set(nic.bytes - nic.packets * WIRE_ONLY_BYTES);
      txPackets.of(name, DEVICE).set(nic.packets);
      txDrop.of(name, DEVICE).set(nic.droppedPackets);
      rxBytes.of(name, DEVICE).set(switchPort.bytes - switchPort.packets * WIRE_ONLY_BYTES);
      rxPackets.of(name, DEVICE).set(switchPort.packets);
      if (conntrack === null) continue;
      const { count, limit, counters } = conntrack;
      this.#counters.entries.of(name).set(count);
      this.#counters.limit.of(name).set(limit);
      this.#counters.insertFailed.of(name).set(counters.insertFailed);
      this.#counters.drop.of(name).set(counters.dropped);
      this.#counters.earlyDrop.of(name).set(counters.earlyDropped);
    }
    this.#readDrops(network);
  }

  #readDrops({ hops, drops }: Network): void {
    for (const { name, droppedPackets } of hops) {
      if (droppedPackets > 0) this.#dropped.of(name, "queue_full").set(droppedPackets);
    }
    for (const [place, causes] of drops) {
      for (const [cause, count] of causes) this.#dropped.of(place, cause).set(count);
    }
  }
}

type Numbers = ReturnType<Registry["numbers"]>;
