/**
 * events.csv: what happened in the cluster, line by line.
 *
 * Owns: keeping the events in the order they were observed. Refuses to own: which facts are events.
 */
import type { SimTimeNs } from "../../engine/index.ts";
import { NumberColumn } from "../columns.ts";
import { columnsOf } from "../metrics.ts";
import type { Recorder, Row, Table } from "../recorder.ts";

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

  *#rows(): Generator<Row> {
    for (const [i, texts] of this.#texts.entries()) yield [this.#times.at(i), ...texts];
  }
}
