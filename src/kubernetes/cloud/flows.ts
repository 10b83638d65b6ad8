/**
 * A passthrough balancer's memory of flows: which target each one got.
 *
 * Owns: the table, and forgetting flows that have been silent. Refuses to own: the choice (targets.ts). No
 * allocation for each packet.
 */
import type { DurationNs, SimTimeNs } from "../../engine/index.ts";
import { DueQueue } from "../../network/dueQueue.ts";
import type { Packet } from "../../network/packet.ts";
import { ABSENT, TupleTable } from "../../network/tupleTable.ts";
import type { Target } from "./targets.ts";

export class FlowTable {
  readonly #idleNs: DurationNs;
  readonly #table = new TupleTable();
  readonly #flows: Flow[] = [];
  readonly #free: number[] = [];
  readonly #collector = new DueQueue();

  constructor(idleNs: DurationNs) {
    this.#idleNs = idleNs;
  }

  get size(): number {
    return this.#table.size;
  }

  /** The target that the flow got, if it has not been silent too long nor its target gone. */
  find(packet: Packet, nowNs: SimTimeNs): Target | null {
    const id = this.#idOf(packet);
    if (id === ABSENT) return null;
    const flow = this.#flows[id]!;
    if (nowNs - flow.lastNs >= this.#idleNs || flow.target!.removed) return null;
    flow.lastNs = nowNs;
    return flow.target;
  }

  remember(packet: Packet, target: Target, nowNs: SimTimeNs): void {
    this.#collect(nowNs);
    let id = this.#idOf(packet);
    if (id === ABSENT) {
      id = this.#free.pop() ?? this.#flows.length;
      (this.#flows[id] ??= new Flow()).take(packet);
      const { protocol, source, sourcePort, destination, destinationPort } = packet;
      this.#table.set(0, protocol, source, sourcePort, destination, destinationPort, id);
      this.#collector.push(id, 0, nowNs + this.#idleNs);
    }
    const flow = this.#flows[id]!;
    flow.target = target;
    flow.lastNs = nowNs;
  }

  #idOf({ protocol, source, sourcePort, destination, destinationPort }: Packet): number {
    return this.#table.get(0, protocol, source, sourcePort, destination, destinationPort);
  }

  /** Each flow is looked at again and again until it has been silent for a whole time-out. */
  #collect(nowNs: SimTimeNs): void {
    while (this.#collector.nextDueNs <= nowNs) {
      const id = this.#collector.take();
      const flow = this.#flows[id]!;
      if (nowNs - flow.lastNs < this.#idleNs) {
        this.#collector.push(id, 0, nowNs + this.#idleNs);
        continue;
      }
      const { protocol, source, sourcePort, destination, destinationPort } = flow;
      this.#table.delete(0, protocol, source, sourcePort, destination, destinationPort);
      this.#free.push(id);
    }
  }
}

class Flow {
  protocol = 0;
  source = 0;
  sourcePort = 0;
  destination = 0;
  destinationPort = 0;
  target: Target | null = null;
  lastNs = 0;

  take({ protocol, source, sourcePort, destination, destinationPort }: Packet): void {
    this.protocol = protocol;
    this.source = source;
    this.sourcePort = sourcePort;
    this.destination = destination;
    this.destinationPort = destinationPort;
  }
}
