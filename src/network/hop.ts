/**
 * One hop: a finite FIFO queue in front of a medium with a rate, a CPU cost and a latency.
 *
 * Owns: when a train of packets leaves, how many wait, what is counted. Refuses to own: what comes
 * next on the path (stack.ts), and any event: the departure time follows from the arrivals alone, so
 * a FIFO with known service times needs none.
 */
import { Histogram } from "../stats/index.ts";
import type { HopProfile } from "./profile.ts";
import type { SimTimeNs } from "../engine/index.ts";

export type HopKind = "loopback" | "veth" | "bridge" | "nic" | "switch";

/** offer() gives this instead of a departure time when the queue has no room. */
export const DROPPED = -1;

const RING_INITIAL = 16;
/** Of hops at which nothing has ever waited: a large cluster has hundreds of thousands. */
const NO_RING = new Float64Array(0);
const NO_SIZES = new Int32Array(0);

export class Hop {
  readonly name: string;
  readonly kind: HopKind;
  readonly latencyNs: number;
  /** Whether a train can ever wait here: if not, the hop is a delay with counters. */
  readonly queues: boolean;

  packets = 0;
  bytes = 0;
  droppedPackets = 0;
  /** Time that all accepted trains take to be sent; those that still wait among them. */
  private busyNs = 0;
  /** Trains that found the hop idle, and the waiting times in ns of those that did not. */
  private unqueued = 0;
  readonly waitTimes = new Histogram();

  private readonly nsPerByte: number;
  private readonly profileCpuNsPerPacket: number;
  private cpuNsPerPacket: number;
  private readonly limitPackets: number;
  private readonly limitBytes: number;
  private readonly limited: boolean;
  private busyUntilNs = 0;
  /** Fraction of a nanosecond not yet charged: at 100 Gb/s a byte takes 0.08 ns. */
  private carryNs = 0;

  /** Waiting trains: when each starts to be sent, and its size. A ring, oldest first. */
  private starts = NO_RING;
  /** Integers: a number out of a Float64Array would turn waitingPackets into a double and undo what was compiled. */
  private sizes = NO_SIZES;
  private head = 0;
  private waiting = 0;
  private waitingPackets = 0;
  private waitingBytes = 0;

  constructor(name: string, kind: HopKind, profile: HopProfile) {
    this.name = name;
    this.kind = kind;
    this.latencyNs = profile.latencyNs;
    this.nsPerByte = 8e9 / profile.linkRateBps;
    this.profileCpuNsPerPacket = profile.cpuNsPerPacket;
    this.cpuNsPerPacket = profile.cpuNsPerPacket;
    this.limitPackets = profile.queueLimitPackets;
    this.limitBytes = profile.queueLimitBytes;
    this.limited = this.limitPackets !== Infinity || this.limitBytes !== Infinity;
    this.queues = this.nsPerByte > 0 || this.cpuNsPerPacket > 0;
  }

  /**
   * A train of `packets` and `bytes` (headers included) arrives at `nowNs`. Calls come in the order in
   * which they are made: the stack offers up to AT_ONCE_NS (stack.ts) ahead of the clock, so of trains
   * from several sources within that time a later one may be in front of an earlier. A train may wait only while the queue has room for all of it; one that finds the hop idle
   * needs no room.
   * @returns when its last bit has been sent, or DROPPED
   */
  offer(nowNs: SimTimeNs, packets: number, bytes: number): number {
    if (!this.queues) {
      this.pass(packets, bytes);
      return nowNs;
    }
    let startNs = nowNs;
    if (this.busyUntilNs > nowNs) {
      if (!this.waits(nowNs, packets, bytes)) return DROPPED;
      startNs = this.busyUntilNs;
    } else {
      if (this.waiting > 0) this.clearQueue();
      this.unqueued++;
    }
    const exactNs = packets * this.cpuNsPerPacket + bytes * this.nsPerByte + this.carryNs;
    const serviceNs = Math.floor(exactNs);
    this.carryNs = exactNs - serviceNs;
    this.packets += packets;
    this.bytes += bytes;
    this.busyNs += serviceNs;
    const departureNs = startNs + serviceNs;
    this.busyUntilNs = departureNs;
    return departureNs;
  }

  /** A train crosses a hop that cannot queue. */
  pass(packets: number, bytes: number): void {
    this.packets += packets;
    this.bytes += bytes;
  }

  /** From now on a packet takes so many times its CPU time: the CPUs are not all its host's. */
  stretchCpu(factor: number): void {
    this.cpuNsPerPacket = this.profileCpuNsPerPacket * factor;
  }

  /** How long a train that comes at `nowNs` waits before it is sent. */
  backlogNs(nowNs: SimTimeNs): number {
    return Math.max(0, this.busyUntilNs - nowNs);
  }

  /** Packets that wait at `nowNs`, the train being sent not among them. */
  queueLength(nowNs: SimTimeNs): number {
    this.expire(nowNs);
    return this.waitingPackets;
  }

  /** Trains that were accepted. */
  get trains(): number {
    return this.waitTimes.count + this.unqueued;
  }

  /** For how long until `nowNs` it was sending. What lies ahead is one busy stretch. */
  sentForNs(nowNs: SimTimeNs): number {
    return this.busyNs - this.backlogNs(nowNs);
  }

  /** Share of the time until `nowNs` in which it was sending. */
  utilisation(nowNs: SimTimeNs): number {
    return nowNs === 0 ? 0 : this.sentForNs(nowNs) / nowNs;
  }

  /** The quantile over all trains of their time in the queue, in ns; 0 where none came. */
  waitQuantileNs(q: number): number {
    const queued = this.waitTimes.count;
    if (queued === 0 || q * this.trains <= this.unqueued) return 0;
    return this.waitTimes.quantile((q * this.trains - this.unqueued) / queued);
  }

  /** A train finds the hop busy. @returns whether there is room for it */
  private waits(nowNs: number, packets: number, bytes: number): boolean {
    const startNs = this.busyUntilNs;
    if (this.limited && !this.enqueue(nowNs, startNs, packets, bytes)) {
      this.droppedPackets += packets;
      return false;
    }
    this.waitTimes.record(startNs - nowNs);
    return true;
  }

  private enqueue(nowNs: number, startNs: number, packets: number, bytes: number): boolean {
    this.expire(nowNs);
    if (
      this.waitingPackets + packets > this.limitPackets ||
      this.waitingBytes + bytes > this.limitBytes
    ) {
      return false;
    }
    if (this.waiting === this.starts.length) this.grow();
    const slot = (this.head + this.waiting) & (this.starts.length - 1);
    this.starts[slot] = startNs;
    this.sizes[2 * slot] = packets;
    this.sizes[2 * slot + 1] = bytes;
    this.waiting++;
    this.waitingPackets += packets;
    this.waitingBytes += bytes;
    return true;
  }

  /** Forgets the trains that have begun to be sent. */
  private expire(nowNs: number): void {
    const mask = this.starts.length - 1;
    while (this.waiting > 0 && this.starts[this.head]! <= nowNs) {
      this.waitingPackets -= this.sizes[2 * this.head]!;
      this.waitingBytes -= this.sizes[2 * this.head + 1]!;
      this.head = (this.head + 1) & mask;
      this.waiting--;
    }
  }

  private clearQueue(): void {
    this.head = 0;
    this.waiting = 0;
    this.waitingPackets = 0;
    this.waitingBytes = 0;
  }

  private grow(): void {
    const size = this.starts.length;
    const grown = Math.max(RING_INITIAL, 2 * size);
    const starts = new Float64Array(grown);
    const sizes = new Int32Array(2 * grown);
    for (let i = 0; i < this.waiting; i++) {
      const from = (this.head + i) & (size - 1);
      starts[i] = this.starts[from]!;
      sizes[2 * i] = this.sizes[2 * from]!;
      sizes[2 * i + 1] = this.sizes[2 * from + 1]!;
    }
    this.starts = starts;
    this.sizes = sizes;
    this.head = 0;
  }
}
