/**
 * The endpoint changes of a run and when each node programmed them.
 *
 * Owns: one record per change, with one number per node that is allocated when the first node
 * programs it. Refuses to own: quantiles and file layout (recorders/).
 */
import type { SimTimeNs } from "../engine/index.ts";
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
}

/** Marks a node that has not programmed a change; no time is negative. */
const never = -1;

export class Changes implements Observer {
  /** In order of their numbers. */
  readonly records: ChangeRecord[] = [];
  readonly #programmed: (Float64Array<ArrayBuffer> | undefined)[] = [];
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
  ): void {
    this.records[id] = { service, endpoint, change, changedAtNs, usable: usable === 1 };
  }

  /** The first report of a node counts: later syncs hold the change as well. */
  endpointProgrammed(id: number, node: string, atNs: SimTimeNs): void {
    const index = this.#directory.nodeIndex(node);
    let times = this.#programmed[id] ?? new Float64Array(this.#directory.nodes.length).fill(never);
    if (index >= times.length) times = grown(times, index + 1, never);
    this.#programmed[id] = times;
    if (times[index] === never) times[index] = atNs;
  }

  /** When `node` (an index) programmed change `id`; null: never. */
  programmedAtNs(id: number, node: number): SimTimeNs | null {
    const atNs = this.#programmed[id]?.[node];
    return atNs === undefined || atNs === never ? null : atNs;
  }
}
