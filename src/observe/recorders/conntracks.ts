/**
 * conntrack.csv: the connection table of every node.
 *
 * Owns: laying the nodes' own counters out as rows. Refuses to own: counting; it observes nothing.
 */
import { columnsOf } from "../metrics.ts";
import type { Recorder, RecordingContext, Row, Table } from "../recorder.ts";
import type { ConntrackReport } from "../report.ts";

const file = "conntrack.csv";

export class Conntracks implements Recorder {
  tables({ conntracks }: RecordingContext): readonly Table[] {
    return [{ file, columns: columnsOf(file), rows: conntracks.map(rowOf) }];
  }
}

function rowOf(report: ConntrackReport): Row {
  const { node, entries, limit, inserted, insertFailed, drops, earlyDrops } = report;
  const { invalid, clashResolved, deleted } = report;
  const counted = [inserted, insertFailed, drops, earlyDrops, invalid, clashResolved, deleted];
  return [node, entries, limit, ...counted];
}
