/**
 * events.csv: what happened in the cluster, line by line.
 *
 * Owns: keeping the events in the order they were observed. Refuses to own: which facts are events.
 */
import type { SimTimeNs } from "../../engine/index.ts";
import { NumberColumn } from "../columns.ts";
import { columnsOf } from "../metrics.ts";
import type { RunTotals } from "../totals.ts";
import type { Recorder, Row, Table } from "../recorder.ts";

/** Events of which the summary tells too. */
const START_FAILURES = new Set(["container_start_failed", "listen_failed"]);
const TARGET_CHANGES = new Set(["target_healthy", "target_unhealthy"]);

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
    return { targetChanges, failedStarts };
  }

  *#rows(): Generator<Row> {
    for (const [i, texts] of this.#texts.entries()) yield [this.#times.at(i), ...texts];
  }
}
