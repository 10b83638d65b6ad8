/**
 * failed_requests.csv: the first failed requests of a run, one by one, with the numbers that `sim explain` takes.
 *
 * Owns: those rows, as many as `FAILED_REQUESTS_MAX`: memory does not grow with a run that goes on failing. Refuses to
 * own: counts (failures.ts).
 */
import type { SimTimeNs } from "../../engine/index.ts";
import { NumberColumn } from "../columns.ts";
import type { Directory } from "../directory.ts";
import { columnsOf } from "../metrics.ts";
import { outcomeNames, type OutcomeCode } from "../observations.ts";
import type { Recorder, Row, Table } from "../recorder.ts";

const file = "failed_requests.csv";

export const FAILED_REQUESTS_MAX = 10_000;

export class FailedRequests implements Recorder {
  readonly #directory: Directory;
  private readonly rows = {
    request: new NumberColumn(),
    client: new NumberColumn(),
    service: new NumberColumn(),
    outcome: new NumberColumn(),
    startedAtNs: new NumberColumn(),
    endedAtNs: new NumberColumn(),
    attempts: new NumberColumn(),
    routeNote: new NumberColumn(),
    node: new NumberColumn(),
  };

  constructor(directory: Directory) {
    this.#directory = directory;
  }

  requestFailed(
    request: number,
    client: number,
    service: number,
    outcome: OutcomeCode,
    startedAtNs: SimTimeNs,
    endedAtNs: SimTimeNs,
    attempts: number,
    routeNote: number,
    node: number,
  ): void {
    const { rows } = this;
    if (rows.request.length === FAILED_REQUESTS_MAX) return;
    rows.request.push(request);
    rows.client.push(client);
    rows.service.push(service);
    rows.outcome.push(outcome);
    rows.startedAtNs.push(startedAtNs);
    rows.endedAtNs.push(endedAtNs);
    rows.attempts.push(attempts);
    rows.routeNote.push(routeNote);
    rows.node.push(node);
  }

  tables(): readonly Table[] {
    return [
      { file, columns: columnsOf(file), rows: { [Symbol.iterator]: () => this.#tableRows() } },
    ];
  }

  *#tableRows(): Generator<Row> {
    const { rows } = this;
    for (let i = 0; i < rows.request.length; i++) {
      const note = rows.routeNote.at(i);
      const known = note < 0 ? null : this.#directory.endpoint(note >> 1);
      const node = known === null ? null : this.#directory.nodes[rows.node.at(i)];
      yield [
        rows.request.at(i),
        this.#directory.client(rows.client.at(i)),
        this.#directory.service(rows.service.at(i)),
        outcomeNames[rows.outcome.at(i)]!,
        rows.startedAtNs.at(i),
        rows.endedAtNs.at(i),
        rows.attempts.at(i),
        known?.address ?? null,
        known?.pod ?? null,
        node ?? null,
        known === null ? null : note & 1,
      ];
    }
  }
}
