/** What a host counts of its connection tracking. */

/** Counters of /proc/net/stat/nf_conntrack. */
export class ConntrackCounters {
  inserted = 0;
  /** First packets dropped at the end of their way, because the entry of another had taken their tuple. */
  insertFailed = 0;
  /** Packets dropped because no entry could be made or inserted. */
  dropped = 0;
  /** Entries taken to make room for others. */
  earlyDropped = 0;
  invalid = 0;
  /** First packets that lost the race for their tuple and passed nevertheless. */
  clashResolved = 0;
  /** Entries deleted by whoever programs the host (conntrack -D). */
  deleted = 0;
  /** Times that the whole table was emptied. */
  flushes = 0;
}
