/** The counters of every node's conntrack, as a run reports them. */
import type { Network } from "../../network/network.ts";
import type { ConntrackReport } from "../../observe/report.ts";

export function conntrackReports({ hosts }: Network): ConntrackReport[] {
  return hosts.flatMap(({ name, conntrack }): ConntrackReport[] => {
    if (conntrack === null) return [];
    const { count, limit, counters } = conntrack;
    return [
      {
        node: name,
        entries: count,
        limit,
        inserted: counters.inserted,
        insertFailed: counters.insertFailed,
        drops: counters.dropped,
        earlyDrops: counters.earlyDropped,
        invalid: counters.invalid,
        clashResolved: counters.clashResolved,
        deleted: counters.deleted,
      },
    ];
  });
}
