/**
 * How much load a cluster can be assumed to bear, where nobody says what requests take.
 *
 * Owns: the CPU time of a request, and the rate that no workload on the way is more than half busy with. Refuses to
 * own: where requests come in (entry.ts).
 */
import { isRecord } from "../schema/reading.ts";
import type { GuessedCall, PodIndex } from "./calls.ts";
import { listAt, recordAt } from "./json.ts";
import { cpuOf, podsOf } from "./room.ts";
import type { Subject } from "./subject.ts";

/** Of the profile's server: what a request takes where nobody says anything. */
export const USUAL_SERVICE_NS = 4e6;
export const CONCURRENCY = 8;
const RATE = 100;
/** Part of a workload's capacity that the assumed rate takes at most. */
const BUSY = 0.5;
/**
 * A container with this much CPU or more takes the usual time. Whoever gives one less means it to do less: it is assumed
 * to serve as many requests as one with this limit.
 */
const USUAL_CPU_MILLIS = 200;

export interface Load {
  /** Requests per second. */
  readonly rate: number;
  /** Workloads on the way whose requests take less than the usual time. */
  readonly small: ReadonlySet<Subject>;
}

/** CPU time of one request in a container of it. */
export function serviceNsOf(workload: Subject): number {
  const limit = limitOf(workload);
  return limit === null || limit <= 0 || limit >= USUAL_CPU_MILLIS
    ? USUAL_SERVICE_NS
    : Math.max(1000, Math.round((USUAL_SERVICE_NS * limit) / USUAL_CPU_MILLIS));
}

/** A rate that no workload on the way is more than half busy with. @param first where requests come in */
export function loadOf(
  first: readonly Subject[],
  graph: ReadonlyMap<Subject, readonly GuessedCall[]>,
  index: PodIndex,
): Load {
  const share = new Map<Subject, number>();
  const visit = (subject: Subject, part: number, depth: number): void => {
    share.set(subject, (share.get(subject) ?? 0) + part);
    if (depth > 32 || share.size > 10_000) return;
    for (const { to } of graph.get(subject) ?? []) spread(index.behind(to), part, depth);
  };
  const spread = (behind: readonly Subject[], part: number, depth: number): void => {
    const pods = behind.reduce((sum, each) => sum + podsOf(each), 0);
    if (pods === 0) return;
    for (const each of behind) visit(each, (part * podsOf(each)) / pods, depth + 1);
  };
  spread(first, 1, 0);
  let rate = RATE;
  for (const [subject, part] of share) {
    if (part > 0) rate = Math.min(rate, (BUSY * capacityOf(subject)) / part);
  }
  const reached = [...share.keys()];
  return {
    rate: Math.max(1, Math.floor(rate)),
    small: new Set(reached.filter((each) => serviceNsOf(each) < USUAL_SERVICE_NS)),
  };
}

/** Requests per second of all its pods. */
function capacityOf(workload: Subject): number {
  const perSecond = 1e9 / serviceNsOf(workload);
  const limit = limitOf(workload);
  const cpus = limit === null ? CONCURRENCY : Math.min(CONCURRENCY, limit / 1000);
  return cpus * perSecond * podsOf(workload);
}

function limitOf(workload: Subject): number | null {
  const container = listAt(workload.podSpec(), "containers").find(isRecord);
  return cpuOf(recordAt(container, "resources", "limits")?.["cpu"]);
}
