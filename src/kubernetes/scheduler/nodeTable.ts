/**
 * What the nodes of a picture are asked most often, in rows: sums of requests, and how many pods of an owner run where.
 *
 * Owns: their layout. A scheduler looks at hundreds of nodes for each pod, which costs as much as the memory that is
 * touched: a row is one cache line, and only the few nodes that hold an owner's pods are listed with it.
 */

/** Columns of a node's row. */
export const Column = {
  cpuMillis: 0,
  memoryBytes: 1,
  /** The same with upstream's assumption for containers that request nothing. */
  scoredCpuMillis: 2,
  scoredMemoryBytes: 3,
  pods: 4,
  allocatableCpuMillis: 5,
  allocatableMemoryBytes: 6,
  maxPods: 7,
} as const;

const COLUMNS = 8;
const NOWHERE: ReadonlyMap<number, number> = new Map();

export class NodeTable {
  /** Row by row. */
  cells: Float64Array;
  readonly #siblings = new Map<string, Map<number, number>>();
  #rows = 0;

  constructor(rows: number) {
    this.cells = new Float64Array(rows * COLUMNS);
  }

  /** @returns where the new row begins */
  addRow(): number {
    const row = COLUMNS * this.#rows++;
    if (row === this.cells.length) {
      const grown = new Float64Array(2 * row);
      grown.set(this.cells);
      this.cells = grown;
    }
    return row;
  }

  /** Pods that an owner has, by row. */
  siblings(ownerUid: string): ReadonlyMap<number, number> {
    return this.#siblings.get(ownerUid) ?? NOWHERE;
  }

  countSibling(ownerUid: string, row: number, by: 1 | -1): void {
    let counts = this.#siblings.get(ownerUid);
    if (counts === undefined) this.#siblings.set(ownerUid, (counts = new Map()));
    const count = (counts.get(row) ?? 0) + by;
    if (count !== 0) counts.set(row, count);
    else if (counts.delete(row) && counts.size === 0) this.#siblings.delete(ownerUid);
  }
}
