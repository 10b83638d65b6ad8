/**
 * The trace-event format of Chrome, which ui.perfetto.dev opens ("Trace Event Format", Google, 2016): JSON, times in
 * microseconds.
 *
 * Owns: which span stands on which track. On one track slices only nest; what would overlap goes to a track beside it.
 */
import type { Attribute, Counter, Instant, Slice, Span, SpanTree, TraceContents } from "./span.ts";

type Args = Readonly<Record<string, Attribute>>;

interface Event {
  readonly ph: "X" | "i" | "C" | "M";
  readonly name: string;
  readonly cat?: string;
  readonly pid: number;
  readonly tid: number;
  readonly ts?: number;
  readonly dur?: number;
  /** Of an instant: how far it reaches. */
  readonly s?: "t";
  readonly args?: Args;
}

export function* traceEventText(contents: TraceContents): Generator<string> {
  const head = JSON.stringify({ displayTimeUnit: "ns", otherData: contents.about });
  yield `${head.slice(0, -1)},"traceEvents":[\n`;
  let separator = "";
  for (const event of new Tracks().events(contents)) {
    yield `${separator}${JSON.stringify(event)}`;
    separator = ",\n";
  }
  yield "\n]}\n";
}

/** A group of tracks is a process, a track a thread: that is how viewers fold them. */
class Tracks {
  readonly #groups = new Map<string, { readonly pid: number; tracks: number }>();
  readonly #tids = new Map<string, number>();

  *events({ requests, changes, slices, instants, counters }: TraceContents): Generator<Event> {
    for (const instant of instants) yield* this.#instant(instant);
    for (const change of changes) yield* this.#tree(change, "control plane");
    for (const slice of slices) yield* this.#slice(slice);
    for (const counter of counters) yield* this.#counter(counter);
    for (const request of requests) yield* this.#tree(request, "request");
  }

  *#instant({ track, name, atNs, attributes }: Instant): Generator<Event> {
    const { pid, tid, named } = this.#track("events", track);
    yield* named;
    yield { ph: "i", s: "t", cat: "event", name, pid, tid, ts: atNs / 1000, args: attributes };
  }

  *#slice({ group, track, name, atNs, tookNs, attributes }: Slice): Generator<Event> {
    const { pid, tid, named } = this.#track(group, track);
    yield* named;
    const times = { ts: atNs / 1000, dur: tookNs / 1000 };
    yield { ph: "X", cat: "control plane", name, pid, tid, ...times, args: attributes };
  }

  *#counter({ group, name, points }: Counter): Generator<Event> {
    const { pid, named } = this.#group(group);
    yield* named;
    for (const [atNs, value] of points) {
      yield { ph: "C", name, pid, tid: 0, ts: atNs / 1000, args: { value } };
    }
  }

  /** What happens within one another on one track; what was caused on as many more as it takes. */
  *#tree({ key, group, root }: SpanTree, cat: string): Generator<Event> {
    const { pid, tid, named } = this.#track(group, key, root.name);
    yield* named;
    yield* nested(root, pid, tid, cat);
    const lanes: number[] = [];
    for (const span of causedBy(root).toSorted((a, b) => a.startNs - b.startNs)) {
      let lane = lanes.findIndex((freeNs) => freeNs <= span.startNs);
      if (lane < 0) lane = lanes.length;
      lanes[lane] = span.endNs;
      const label = lane === 0 ? "" : ` (${lane + 1})`;
      const beside = this.#track(
        group,
        `${key} beside ${lane}`,
        `${key}: ${besideOf(cat)}${label}`,
      );
      yield* beside.named;
      yield* nested(span, pid, beside.tid, cat);
    }
  }

  /** @returns with the events that name it, the first time */
  #track(group: string, track: string, label = track) {
    const { pid, named, own } = this.#group(group);
    const key = `${pid} ${track}`;
    const known = this.#tids.get(key);
    if (known !== undefined) return { pid, tid: known, named };
    const tid = ++own.tracks;
    this.#tids.set(key, tid);
    const name = metadata("thread_name", pid, tid, { name: label });
    const order = metadata("thread_sort_index", pid, tid, { sort_index: tid });
    return { pid, tid, named: [...named, name, order] };
  }

  #group(group: string) {
    const known = this.#groups.get(group);
    if (known !== undefined) return { pid: known.pid, named: [], own: known };
    const own = { pid: this.#groups.size + 1, tracks: 0 };
    this.#groups.set(group, own);
    const named = [
      metadata("process_name", own.pid, 0, { name: group }),
      metadata("process_sort_index", own.pid, 0, { sort_index: own.pid }),
    ];
    return { pid: own.pid, named, own };
  }
}

function besideOf(cat: string): string {
  return cat === "request" ? "packets" : "nodes";
}

function metadata(name: string, pid: number, tid: number, args: Args): Event {
  return { ph: "M", name, pid, tid, args };
}

function* nested(span: Span, pid: number, tid: number, cat: string): Generator<Event> {
  const { name, startNs, endNs, attributes, error, children } = span;
  const args = error === undefined ? attributes : { ...attributes, error };
  const times = { ts: startNs / 1000, dur: (endNs - startNs) / 1000 };
  yield { ph: "X", cat, name, pid, tid, ...times, args };
  for (const child of children) yield* nested(child, pid, tid, cat);
}

/** By a span or any within it. */
function causedBy({ caused = [], children }: Span): readonly Span[] {
  return [...caused, ...children.flatMap(causedBy)];
}
