/**
 * dns_update_lag.csv: how long after each change of a headless Service's endpoint each DNS server's answers held it.
 *
 * Owns: the rows, and that a change is never answered when a later one of its endpoint has come while the cache kept an
 * older answer. Refuses to own: the first stages (../changes.ts).
 */
import type { SimTimeNs } from "../../engine/index.ts";
import type { Changes } from "../changes.ts";
import { columnsOf } from "../metrics.ts";
import type { Recorder, RecordingContext, Row, Table } from "../recorder.ts";

const file = "dns_update_lag.csv";

interface Answered {
  readonly id: number;
  readonly server: string;
  readonly knownAtNs: SimTimeNs;
  /** Infinity: never. */
  answeredAtNs: SimTimeNs;
}

export class DnsUpdateLag implements Recorder {
  readonly #changes: Changes;
  /** In the order in which servers learnt of them. */
  readonly #answered: Answered[] = [];
  /** The last of each server, Service and endpoint. */
  readonly #last = new Map<string, Answered>();

  constructor(changes: Changes) {
    this.#changes = changes;
  }

  endpointAnswered(
    id: number,
    server: string,
    knownAtNs: SimTimeNs,
    answeredAtNs: SimTimeNs,
  ): void {
    const { service, endpoint } = this.#changes.records[id]!;
    const key = `${server} ${service} ${endpoint}`;
    const last = this.#last.get(key);
    // A pod that moves from one slice to another is told of twice.
    if (last?.id === id) return;
    if (last !== undefined && last.answeredAtNs > knownAtNs) last.answeredAtNs = Infinity;
    const answered = { id, server, knownAtNs, answeredAtNs };
    this.#last.set(key, answered);
    this.#answered.push(answered);
  }

  tables({ endNs }: RecordingContext): readonly Table[] {
    if (this.#answered.length === 0) return [];
    const rows = { [Symbol.iterator]: () => this.#rows(endNs) };
    return [{ file, columns: columnsOf(file), rows }];
  }

  *#rows(endNs: SimTimeNs): Generator<Row> {
    for (const { id, server, knownAtNs, answeredAtNs } of this.#answered) {
      const { service, endpoint, change, changedAtNs } = this.#changes.records[id]!;
      const stages = this.#changes.podStagesNs(id);
      const untilKnownNs = stages.reduce<number>((sum, tookNs) => sum + (tookNs ?? 0), changedAtNs);
      const isAnswered = answeredAtNs <= endNs;
      yield [
        service,
        endpoint,
        change,
        server,
        changedAtNs,
        knownAtNs,
        isAnswered ? answeredAtNs : null,
        isAnswered ? answeredAtNs - changedAtNs : null,
        ...stages,
        knownAtNs - untilKnownNs,
        isAnswered ? answeredAtNs - knownAtNs : null,
      ];
    }
  }
}
