/**
 * Spans: what happened from when to when, within what.
 *
 * Owns: the shape that every format of a trace is written from.
 */
import type { DurationNs, SimTimeNs } from "../../engine/index.ts";

export type Attribute = string | number | boolean;

/** Who did it: the client, the server, the network between, or a part of the control plane. */
export interface Actor {
  readonly kind: "client" | "server" | "network" | "control plane";
  /** What a tracing tool shows as the service's name. */
  readonly name: string;
}

export interface Span {
  readonly name: string;
  readonly actor: Actor;
  readonly startNs: SimTimeNs;
  readonly endNs: SimTimeNs;
  readonly attributes: Readonly<Record<string, Attribute>>;
  /** Why it failed; absent: it did not. */
  readonly error?: string;
  /** Within it, one after another. */
  readonly children: readonly Span[];
  /** Caused by it, at any time and side by side: packets. */
  readonly caused?: readonly Span[];
}

/** A whole of spans that belong together. */
export interface SpanTree {
  /** Unique in the run, and the same in every run of the scenario. */
  readonly key: string;
  /** Those of one group stand together. */
  readonly group: string;
  readonly root: Span;
}

/** Something that happened at an instant, on a track. */
export interface Instant {
  readonly track: string;
  readonly name: string;
  readonly atNs: SimTimeNs;
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/** Something that lasted, on a track of its own on which nothing overlaps. */
export interface Slice extends Instant {
  /** Tracks of one group stand together. */
  readonly group: string;
  readonly tookNs: DurationNs;
}

export interface Counter {
  readonly group: string;
  readonly name: string;
  readonly points: readonly (readonly [atNs: SimTimeNs, value: number])[];
}

/** All that a trace shows. */
export interface TraceContents {
  readonly requests: readonly SpanTree[];
  readonly changes: readonly SpanTree[];
  readonly slices: readonly Slice[];
  readonly instants: readonly Instant[];
  readonly counters: readonly Counter[];
  /** What of how much it shows, for whoever reads it. */
  readonly about: Readonly<Record<string, Attribute>>;
}
