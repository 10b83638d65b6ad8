/**
 * Growable columns of numbers, for rows that are kept until the end of a run.
 *
 * Owns: memory that grows by doubling, eight bytes a value, so that a million rows cost megabytes.
 * Refuses to own: what the numbers mean.
 */

/** A list of numbers in a typed array. */
export class NumberColumn {
  private values = new Float64Array(64);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(value: number): void {
    if (this.#length === this.values.length) this.values = grown(this.values, this.#length + 1);
    this.values[this.#length++] = value;
  }

  /** @throws RangeError outside 0..length-1 */
  at(index: number): number {
    const value = index < this.#length ? this.values[index] : undefined;
    if (value === undefined) throw new RangeError(`no value at ${index} of ${this.#length}`);
    return value;
  }
}

/**
 * A copy of `values` with room for at least `length`, at least twice as long, new places filled with
 * `fill`.
 */
export function grown(
  values: Float64Array<ArrayBuffer>,
  length: number,
  fill = 0,
): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(Math.max(length, 2 * values.length)).fill(fill);
  larger.set(values);
  return larger;
}
