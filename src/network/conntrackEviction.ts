/**
 * Which entries of a conntrack table go: those that have expired, and others when it is full.
 *
 * Owns: the collector in the background, and early drop. Refuses to own: when an entry expires, and taking it
 * out (conntrack.ts). Source: nf_conntrack_core.c, gc_worker() and early_drop().
 */
import type { SimTimeNs } from "../engine/index.ts";
import type { ConntrackCounters } from "./conntrackCounters.ts";
import { canEarlyDrop } from "./conntrackStates.ts";
import { EntryFlag, type ConntrackTables, type EntryId } from "./conntrackTable.ts";
import { DueQueue } from "./dueQueue.ts";
import type { Packet } from "./packet.ts";
import type { LinuxProfile } from "./profile.ts";

/** A host's entries, as eviction needs them. */
export interface HostEntries {
  readonly count: number;
  readonly limit: number;
  readonly counters: ConntrackCounters;
  /** In no order. */
  entryAt(place: number): EntryId;
  /** Its first packet is still on its way through netfilter. */
  isHidden(id: EntryId, flags: number): boolean;
  forget(id: EntryId): void;
}

export class Eviction {
  private readonly entries: HostEntries;
  private readonly tables: ConntrackTables;
  private readonly profile: LinuxProfile["conntrack"];
  /** Entries in the order in which the collector looks at them. */
  private readonly collector = new DueQueue();
  private readonly firstPassNs: SimTimeNs;
  /** The table was full: on its next pass the collector takes closing connections too, down to a share. */
  private pressed = false;

  constructor(
    entries: HostEntries,
    tables: ConntrackTables,
    profile: LinuxProfile["conntrack"],
    firstPassNs: SimTimeNs,
  ) {
    this.entries = entries;
    this.tables = tables;
    this.profile = profile;
    this.firstPassNs = firstPassNs;
  }

  /** The next pass will look at it. */
  added(id: EntryId, nowNs: SimTimeNs): void {
    this.collector.push(id, this.tables.generationOf(id), this.nextPassNs(nowNs));
  }

  /** When the collector next goes through the whole table: no earlier than a pass that a packet finds due. */
  private nextPassNs(nowNs: SimTimeNs): SimTimeNs {
    const { firstPassNs } = this;
    const { collectIntervalNs } = this.profile;
    return (
      (Math.floor((nowNs - firstPassNs) / collectIntervalNs) + 1) * collectIntervalNs + firstPassNs
    );
  }

  /** The collector in the background: it goes through the whole table once an interval (gc_worker). */
  collect(nowNs: SimTimeNs): void {
    const { collector, tables, entries } = this;
    if (collector.nextDueNs > nowNs) return;
    const nextNs = this.nextPassNs(nowNs);
    while (collector.nextDueNs <= nowNs) {
      const generation = collector.nextTag;
      const id = collector.take();
      if (!tables.isAlive(id) || tables.generationOf(id) !== generation) continue;
      if (tables.expiresAtNs[id]! <= nowNs) entries.forget(id);
      else if (this.pressed && this.makesRoom(id)) entries.forget(id);
      else collector.push(id, generation, nextNs);
    }
    this.pressed = false;
  }

  /** gc_worker_can_early_drop(), while the table is nearly full. */
  private makesRoom(id: EntryId): boolean {
    const { entries, tables } = this;
    if (entries.count < this.profile.pressedShare * entries.limit) return false;
    const assured = (tables.flagsOf(id) & EntryFlag.assured) !== 0;
    return !assured || canEarlyDrop(tables.stateOf(id));
  }

  /**
   * early_drop(): looks at eight buckets of the table, and takes what has expired there and, in the first
   * of them that holds any, all entries that are not assured. A bucket's entries are as good as drawn
   * from all of the host's: here by stepping through them from a place that the tuple's hash gives.
   * @returns whether any was taken that had not expired; if not, the collector is told to hurry
   */
  earlyDrop(host: number, packet: Packet, nowNs: SimTimeNs): boolean {
    const { tables, profile, entries } = this;
    let at = tables.hashOfTuple(host, packet.protocol, packet);
    for (let bucket = 0; bucket < profile.evictionBuckets; bucket++) {
      let taken = 0;
      for (let i = 0; i < profile.tuplesPerBucket && entries.count > 0; i++) {
        at = (at + 0x9e3779b1) >>> 0;
        const id = entries.entryAt(at % entries.count);
        const flags = tables.flagsOf(id);
        if (tables.expiresAtNs[id]! <= nowNs) entries.forget(id);
        else if ((flags & EntryFlag.assured) === 0 && !entries.isHidden(id, flags)) {
          entries.forget(id);
          taken++;
        }
      }
      entries.counters.earlyDropped += taken;
      if (taken > 0) return true;
    }
    this.pressed = true;
    return false;
  }
}
