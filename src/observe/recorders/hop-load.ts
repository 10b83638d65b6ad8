/**
 * hop_load.csv: what each hop did, window by window. What a report draws over time; recorded only when it is asked for.
 *
 * Owns: keeping it in typed arrays, and its rows. Refuses to own: counting (network/hop.ts), and reading the counters
 * (scenario/compile/hops.ts): once a window for each hop, and never for a packet.
 */
import type { SimTimeNs } from "../../engine/index.ts";
import { NumberColumn } from "../columns.ts";
import { columnsOf } from "../metrics.ts";
import type { Recorder, Row, Table } from "../recorder.ts";

const file = "hop_load.csv";

export class HopLoad implements Recorder {
  readonly #hops: { readonly name: string; readonly kind: string }[] = [];
  readonly #rows = {
    hop: new NumberColumn(),
    packets: new NumberColumn(),
    bytes: new NumberColumn(),
    drops: new NumberColumn(),
    sentForNs: new NumberColumn(),
    waitP99Ns: new NumberColumn(),
    backlogNs: new NumberColumn(),
  };
  readonly #windows = {
    startNs: new NumberColumn(),
    endNs: new NumberColumn(),
    /** Rows up to its end. */
    rows: new NumberColumn(),
  };

  hopNamed(hop: number, name: string, kind: string): void {
    this.#hops[hop] = { name, kind };
  }

  hopLoaded(
    hop: number,
    packets: number,
    bytes: number,
    drops: number,
    sentForNs: number,
    waitP99Ns: number,
    backlogNs: number,
  ): void {
    const rows = this.#rows;
    rows.hop.push(hop);
    rows.packets.push(packets);
    rows.bytes.push(bytes);
    rows.drops.push(drops);
    rows.sentForNs.push(sentForNs);
    rows.waitP99Ns.push(waitP99Ns);
    rows.backlogNs.push(backlogNs);
  }

  windowClosed(startNs: SimTimeNs, endNs: SimTimeNs): void {
    this.#windows.startNs.push(startNs);
    this.#windows.endNs.push(endNs);
    this.#windows.rows.push(this.#rows.hop.length);
  }

  tables(): readonly Table[] {
    return [
      { file, columns: columnsOf(file), rows: { [Symbol.iterator]: () => this.#tableRows() } },
    ];
  }

  *#tableRows(): Generator<Row> {
    let i = 0;
    for (let window = 0; window < this.#windows.rows.length; window++) {
      const startNs = this.#windows.startNs.at(window);
      const windowNs = this.#windows.endNs.at(window) - startNs;
      for (const end = this.#windows.rows.at(window); i < end; i++) {
        yield this.#row(i, startNs, windowNs);
      }
    }
  }

  #row(i: number, startNs: SimTimeNs, windowNs: number): Row {
    const rows = this.#rows;
    const { name, kind } = this.#hops[rows.hop.at(i)]!;
    const sentForNs = rows.sentForNs.at(i);
    const queues = sentForNs >= 0;
    return [
      name,
      kind,
      startNs,
      windowNs,
      rows.packets.at(i),
      rows.bytes.at(i),
      rows.drops.at(i),
      queues ? Number((sentForNs / windowNs).toPrecision(6)) : null,
      queues ? rows.waitP99Ns.at(i) : null,
      queues ? rows.backlogNs.at(i) : null,
    ];
  }
}
