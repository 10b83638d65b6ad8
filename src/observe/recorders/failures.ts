/**
 * failures.csv: failed requests by client, Service and cause over the whole run.
 *
 * Owns: those counts. Refuses to own: windows and latencies (requests.ts).
 */
import type { SimTimeNs } from "../../engine/index.ts";
import type { Directory } from "../directory.ts";
import { columnsOf } from "../metrics.ts";
import { Outcome, outcomeNames, type OutcomeCode } from "../observations.ts";
import type { Recorder, Row, Table } from "../recorder.ts";

const file = "failures.csv";

interface Counts {
  readonly failed: number[];
  readonly staleRouted: number[];
}

export class Failures implements Recorder {
  readonly #directory: Directory;
  /** By client, then by Service. */
  private readonly byClient: (Counts | undefined)[][] = [];

  constructor(directory: Directory) {
    this.#directory = directory;
  }

  requestEnded(
    client: number,
    service: number,
    outcome: OutcomeCode,
    _startedAtNs: SimTimeNs,
    _endedAtNs: SimTimeNs,
    _attempts: number,
    staleRouted: number,
  ): void {
    if (outcome === Outcome.served) return;
    const services = this.byClient[client] ?? (this.byClient[client] = []);
    const counts = services[service] ?? (services[service] = newCounts());
    counts.failed[outcome]! += 1;
    counts.staleRouted[outcome]! += staleRouted;
  }

  tables(): readonly Table[] {
    return [{ file, columns: columnsOf(file), rows: { [Symbol.iterator]: () => this.#rows() } }];
  }

  *#rows(): Generator<Row> {
    for (let client = 0; client < this.byClient.length; client++) {
      for (const [service, counts] of (this.byClient[client] ?? []).entries()) {
        for (const [code, cause] of outcomeNames.entries()) {
          const failed = counts?.failed[code] ?? 0;
          if (failed === 0) continue;
          const names = [this.#directory.client(client), this.#directory.service(service)];
          yield [...names, cause, failed, counts!.staleRouted[code]!];
        }
      }
    }
  }
}

function newCounts(): Counts {
  return { failed: outcomeNames.map(() => 0), staleRouted: outcomeNames.map(() => 0) };
}
