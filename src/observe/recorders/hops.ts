/**
 * hops.csv: traffic, drops and queueing of every hop.
 *
 * Owns: laying the network's own counters out as rows. Refuses to own: counting; it observes nothing.
 */
import { columnsOf } from "../metrics.ts";
import type { Recorder, RecordingContext, Row, Table } from "../recorder.ts";
import type { HopReport } from "../report.ts";
import type { DropTotals, RunTotals } from "../totals.ts";

const file = "hops.csv";

export class Hops implements Recorder {
  tables({ hops }: RecordingContext): readonly Table[] {
    return [{ file, columns: columnsOf(file), rows: hops.flatMap(rowsOf) }];
  }

  totals({ hops }: RecordingContext): Partial<RunTotals> {
    const byCause = new Map<string, DropTotals>();
    for (const { hop, drops } of hops) {
      for (const { cause, count } of drops) {
        if (count > 0) byCause.set(cause, added(byCause.get(cause), cause, hop, count));
      }
    }
    const drops = [...byCause.values()].sort(
      (a, b) => b.packets - a.packets || (a.cause < b.cause ? -1 : 1),
    );
    return { drops };
  }
}

function rowsOf(report: HopReport): Row[] {
  const { hop, kind, packets, bytes, utilisation, queueP99Ns } = report;
  const dropped = report.drops.filter(({ count }) => count > 0);
  const drops = dropped.length > 0 ? dropped : [{ cause: null, count: 0 }];
  return drops.map(({ cause, count }) => [
    hop,
    kind,
    packets,
    bytes,
    count,
    cause,
    utilisation,
    queueP99Ns,
  ]);
}

function added(
  totals: DropTotals | undefined,
  cause: string,
  hop: string,
  count: number,
): DropTotals {
  if (totals === undefined) {
    return { cause, packets: count, hops: 1, worstHop: hop, worstHopPackets: count };
  }
  const worse = count > totals.worstHopPackets;
  return {
    cause,
    packets: totals.packets + count,
    hops: totals.hops + 1,
    worstHop: worse ? hop : totals.worstHop,
    worstHopPackets: worse ? count : totals.worstHopPackets,
  };
}
