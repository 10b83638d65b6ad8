/**
 * events.csv: what happened in the cluster, line by line.
 *
 * Owns: keeping the events in the order they were observed. Refuses to own: which facts are events.
 */
import type { SimTimeNs } from "../../engine/index.ts";
import { NumberColumn } from "../columns.ts";
import { columnsOf } from "../metrics.ts";
import type { FaultTotals, RunTotals } from "../totals.ts";
import type { Recorder, Row, Table } from "../recorder.ts";

/** Events of which the summary tells too. */
const START_FAILURES = new Set(["container_start_failed", "container_not_found", "listen_failed"]);
const RESETS = new Set(["pod_reset", "container_reset"]);
const TARGET_CHANGES = new Set(["target_healthy", "target_unhealthy"]);

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const file = "events.csv";

export class Events implements Recorder {
  readonly #times = new NumberColumn();
  readonly #texts: (readonly [kind: string, object: string, detail: string])[] = [];

  event(atNs: SimTimeNs, kind: string, object: string, detail: string): void {
    this.#times.push(atNs);
    this.#texts.push([kind, object, detail]);
  }

  tables(): readonly Table[] {
    return [{ file, columns: columnsOf(file), rows: { [Symbol.iterator]: () => this.#rows() } }];
  }

  totals(): Partial<RunTotals> {
    const failedStarts = this.#texts.flatMap(([kind, object, error], i) =>
      START_FAILURES.has(kind) ? [{ object, atNs: this.#times.at(i), error }] : [],
    );
    const targetChanges = this.#texts.flatMap(([kind, object, service], i) =>
      TARGET_CHANGES.has(kind)
        ? [{ object, atNs: this.#times.at(i), healthy: kind === "target_healthy", service }]
        : [],
    );
    return { targetChanges, failedStarts, faults: this.#faults() };
  }

  #faults(): FaultTotals[] {
    const found: Mutable<FaultTotals>[] = [];
    const resets = new Map<string, Mutable<FaultTotals>>();
    const lasting = new Map<string, Mutable<FaultTotals>[]>();
    for (const [i, [kind, object, detail]] of this.#texts.entries()) {
      const atNs = this.#times.at(i);
      const fault = { fault: detail, object, count: 1, firstNs: atNs };
      const key = `${detail} ${object}`;
      if (RESETS.has(kind)) addReset(resets, found, `${kind} ${detail}`, atNs);
      else if (kind === "fault") found.push({ ...fault, lastNs: atNs });
      else if (kind === "fault_began") {
        const begun = { ...fault, lastNs: null };
        found.push(begun);
        lasting.set(key, [...(lasting.get(key) ?? []), begun]);
      } else if (kind === "fault_ended") {
        const ended = lasting.get(key)?.shift();
        if (ended !== undefined) ended.lastNs = atNs;
      }
    }
    return found;
  }

  *#rows(): Generator<Row> {
    for (const [i, texts] of this.#texts.entries()) yield [this.#times.at(i), ...texts];
  }
}

function addReset(
  resets: Map<string, Mutable<FaultTotals>>,
  found: Mutable<FaultTotals>[],
  fault: string,
  atNs: SimTimeNs,
): void {
  const before = resets.get(fault);
  if (before !== undefined) {
    before.count++;
    before.lastNs = atNs;
    return;
  }
  const first = { fault, object: null, count: 1, firstNs: atNs, lastNs: atNs };
  resets.set(fault, first);
  found.push(first);
}
