/**
 * The endpoint changes of a run, and how each came to be in force on each node.
 *
 * Owns: one record per change, with four numbers per node that are allocated when the first node
 * programs it. Refuses to own: quantiles and file layout (recorders/).
 */
import type { DurationNs, SimTimeNs } from "../engine/index.ts";
import { grown } from "./columns.ts";
import type { Directory } from "./directory.ts";
import type { Observer } from "./observations.ts";
import type { ChangeKind } from "./totals.ts";

export interface ChangeRecord {
  readonly service: string;
  readonly endpoint: string;
  readonly change: ChangeKind;
  readonly changedAtNs: SimTimeNs;
  /** Whether the endpoint may get new connections after the change. */
  readonly usable: boolean;
  /** Of a headless Service: no node's rules will hold it. */
  readonly viaDns: boolean;
}

/** What has not happened; no time is negative. */
const never = -1;

/** How a change came to be in force on a node, in this order. The first three are the same for every node. */
export const lagStages = ["kubelet", "status", "slice", "watch", "track", "wait", "sync"] as const;

/** When a change's pod-side steps were done; `never` for those it did not take. */
interface Written {
  readonly seenAtNs: SimTimeNs;
  readonly statusAtNs: SimTimeNs;
  readonly sliceAtNs: SimTimeNs;
}

/** By node: when a change came to it, was noted, was taken by a sync, and was in force. */
type NodeTimes = Record<
  "delivered" | "tracked" | "started" | "programmed",
  Float64Array<ArrayBuffer>
>;

export class Changes implements Observer {
  /** In order of their numbers. */
  readonly records: ChangeRecord[] = [];
  readonly #written: (Written | undefined)[] = [];
  readonly #times: (NodeTimes | undefined)[] = [];
  readonly #directory: Directory;

  constructor(directory: Directory) {
    this.#directory = directory;
  }

  endpointChanged(
    id: number,
    service: string,
    endpoint: string,
    change: ChangeKind,
    changedAtNs: SimTimeNs,
    usable: 0 | 1,
    _index: number,
    viaDns: 0 | 1,
  ): void {
    const record = { service, endpoint, change, changedAtNs };
    this.records[id] = { ...record, usable: usable === 1, viaDns: viaDns === 1 };
  }

  endpointWritten(
    id: number,
    seenAtNs: SimTimeNs,
    statusAtNs: SimTimeNs,
    sliceAtNs: SimTimeNs,
  ): void {
    this.#written[id] = { seenAtNs, statusAtNs, sliceAtNs };
  }

  /** The first report of a node counts: later syncs hold the change as well. */
  endpointProgrammed(
    id: number,
    node: string,
    atNs: SimTimeNs,
    deliveredAtNs: SimTimeNs,
    trackedAtNs: SimTimeNs,
    syncStartedAtNs: SimTimeNs,
  ): void {
    const index = this.#directory.nodeIndex(node);
    let times = this.#times[id] ?? newTimes(this.#directory.nodes.length);
    if (index >= times.programmed.length) times = grownTimes(times, index + 1);
    this.#times[id] = times;
    if (times.programmed[index] !== never) return;
    times.delivered[index] = deliveredAtNs;
    times.tracked[index] = trackedAtNs;
    times.started[index] = syncStartedAtNs;
    times.programmed[index] = atNs;
  }

  /** When `node` (an index) programmed change `id`; null: never. */
  programmedAtNs(id: number, node: number): SimTimeNs | null {
    const atNs = this.#times[id]?.programmed[node];
    return atNs === undefined || atNs === never ? null : atNs;
  }

  /** When the pod's kubelet had seen it; null where it needed none. */
  seenAtNs(id: number): SimTimeNs | null {
    const seenAtNs = this.#written[id]?.seenAtNs ?? never;
    return seenAtNs === never ? null : seenAtNs;
  }

  /** When the change was first in an EndpointSlice; null: never. */
  writtenAtNs(id: number): SimTimeNs | null {
    return this.#written[id]?.sliceAtNs ?? null;
  }

  /** What the first three of `lagStages` took; null: the change did not take that stage, or has not yet. */
  podStagesNs(id: number): readonly (DurationNs | null)[] {
    const { seenAtNs = never, statusAtNs = never, sliceAtNs = never } = this.#written[id] ?? {};
    return tookNs(this.records[id]!.changedAtNs, [seenAtNs, statusAtNs, sliceAtNs]);
  }

  /**
   * What each of `lagStages` took until `node` had programmed change `id`: together the whole lag. null: the change
   * did not take that stage.
   * @returns all null for a node that never programmed it
   */
  stagesNs(id: number, node: number): readonly (DurationNs | null)[] {
    const programmedAtNs = this.programmedAtNs(id, node);
    if (programmedAtNs === null) return lagStages.map(() => null);
    const written = this.#written[id];
    const times = this.#times[id]!;
    const doneAtNs = [
      written?.seenAtNs ?? never,
      written?.statusAtNs ?? never,
      written?.sliceAtNs ?? never,
      times.delivered[node]!,
      times.tracked[node]!,
      times.started[node]!,
      programmedAtNs,
    ];
    return tookNs(this.records[id]!.changedAtNs, doneAtNs);
  }
}

function tookNs(sinceNs: SimTimeNs, doneAtNs: readonly number[]): (DurationNs | null)[] {
  return doneAtNs.map((atNs) => {
    if (atNs === never) return null;
    const took = atNs - sinceNs;
    sinceNs = atNs;
    return took;
  });
}

function newTimes(nodes: number): NodeTimes {
  const column = (): Float64Array<ArrayBuffer> => new Float64Array(nodes).fill(never);
  return { delivered: column(), tracked: column(), started: column(), programmed: column() };
}

function grownTimes(times: NodeTimes, nodes: number): NodeTimes {
  const larger = (column: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> =>
    grown(column, nodes, never);
  return {
    delivered: larger(times.delivered),
    tracked: larger(times.tracked),
    started: larger(times.started),
    programmed: larger(times.programmed),
  };
}
