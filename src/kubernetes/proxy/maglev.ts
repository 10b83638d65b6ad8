/**
 * Maglev's lookup table: which backend has each slot, so that few slots change when one backend does.
 *
 * Owns: filling the table from each backend's permutation. Refuses to own: the hash functions, which are
 * their users' (ipvs/, modes/ebpf.ts). Source: Eisenbud et al., "Maglev: A Fast and Reliable Software Network
 * Load Balancer", NSDI 2016, section 3.4; published measurements, `consistent_hashing.csv` (docs/sources.md).
 */

/** A backend's permutation of the slots: offset, offset + skip, offset + 2 skip ... */
export interface Permutation {
  /** From 0 to size - 1. */
  readonly offset: number;
  /** From 1 to size - 1: a prime size makes every one of them reach each slot. */
  readonly skip: number;
  /** Slots taken in each round: the weight. */
  readonly turns: number;
}

/** @returns for each of `size` slots the index of the backend that has it; -1 without backends */
export function maglevTable(size: number, backends: readonly Permutation[]): Int32Array {
  const table = new Int32Array(size).fill(-1);
  const next = backends.map(({ offset }) => offset);
  let filled = backends.some(({ turns }) => turns > 0) ? 0 : size;
  while (filled < size) {
    for (const [index, { skip, turns }] of backends.entries()) {
      for (let turn = 0; turn < turns && filled < size; turn++) {
        let slot = next[index]!;
        while (table[slot] !== -1) slot = (slot + skip) % size;
        table[slot] = index;
        next[index] = slot;
        filled++;
      }
    }
  }
  return table;
}
