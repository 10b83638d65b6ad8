/**
 * What a finished run reports besides its observations: hop counters, broken laws, fingerprint.
 *
 * Owns: the shapes handed from the compiled run (scenario/) to recorders and output. Refuses to own:
 * how any of it is measured.
 */
import type { DurationNs, SimTimeNs } from "../engine/index.ts";

/** Packets lost at one hop for one cause. */
export interface DropReport {
  /** lower_snake_case, as in hops.csv. */
  readonly cause: string;
  /** Packets. */
  readonly count: number;
}

/** The counters of one hop over the whole run. */
export interface HopReport {
  /** The hop's name, unique in the run. */
  readonly hop: string;
  /** loopback, veth, bridge, nic, switch_port, ... */
  readonly kind: string;
  /** Packets that left the hop, as they would be on the wire. */
  readonly packets: number;
  /** Bytes of those packets, headers included. */
  readonly bytes: number;
  /** One entry per cause; causes without a drop may be left out. */
  readonly drops: readonly DropReport[];
  /** Share of the run in which the hop was sending, 0..1; null where a hop has no finite rate. */
  readonly utilisation: number | null;
  /** 99th percentile of the time that packets waited in the hop's queue; null where nothing waits. */
  readonly queueP99Ns: DurationNs | null;
}

/** The counters of one node's conntrack, by the names of `conntrack -S`. */
export interface ConntrackReport {
  readonly node: string;
  /** Entries at the end, and how many the table may hold. */
  readonly entries: number;
  readonly limit: number;
  readonly inserted: number;
  readonly insertFailed: number;
  readonly drops: number;
  readonly earlyDrops: number;
  readonly invalid: number;
  readonly clashResolved: number;
  readonly deleted: number;
}

/** A container under a CPU limit, by its cgroup's cpu.stat. */
export interface ContainerCpuReport {
  /** namespace/name of its pod. */
  readonly pod: string;
  readonly container: string;
  /** How often it had been started again before. */
  readonly restarts: number;
  readonly node: string;
  readonly limitMillis: number;
  readonly usedNs: DurationNs;
  readonly periods: number;
  readonly throttledPeriods: number;
  readonly throttledNs: DurationNs;
}

/** A routing law found broken. */
export interface BrokenLaw {
  /** Number and name, as docs/invariants.md has it. */
  readonly law: string;
  /** The entity concerned: "kind/name". */
  readonly entity: string;
  readonly atNs: SimTimeNs;
  readonly detail: string;
}

/** The end of a run. */
export interface RunEnd {
  readonly hops: readonly HopReport[];
  readonly conntracks: readonly ConntrackReport[];
  /** Absent where no container has a limit. */
  readonly containers?: readonly ContainerCpuReport[];
  readonly brokenLaws: readonly BrokenLaw[];
  /** Rolling hash over every event, 16 hex digits. */
  readonly eventFingerprint: string;
}
