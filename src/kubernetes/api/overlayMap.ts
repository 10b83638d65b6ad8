/**
 * A map made of a base that many share and the changes that one holder has seen since.
 *
 * Owns: lookup and iteration over both. Thousands of nodes start from one state and each learns of the
 * same few changes: they point at the base and keep only the difference.
 */
export class OverlayMap<K, V> {
  readonly #base: ReadonlyMap<K, V>;
  /** undefined: deleted since. */
  readonly #overlay = new Map<K, V | undefined>();
  /** Keys of the base among the overlay's that are deleted. */
  #deleted = 0;
  #size: number;

  constructor(base: ReadonlyMap<K, V>) {
    this.#base = base;
    this.#size = base.size;
  }

  get size(): number {
    return this.#size;
  }

  get(key: K): V | undefined {
    if (this.#overlay.size > 0) {
      const own = this.#overlay.get(key);
      if (own !== undefined || (this.#deleted > 0 && this.#overlay.has(key))) return own;
    }
    return this.#base.get(key);
  }

  /** @returns what was there before */
  set(key: K, value: V): V | undefined {
    const before = this.get(key);
    if (before === undefined) {
      this.#size++;
      if (this.#deleted > 0 && this.#overlay.has(key)) this.#deleted--;
    }
    this.#overlay.set(key, value);
    return before;
  }

  delete(key: K): boolean {
    if (this.get(key) === undefined) return false;
    this.#size--;
    if (this.#base.has(key)) {
      this.#deleted++;
      this.#overlay.set(key, undefined);
    } else this.#overlay.delete(key);
    return true;
  }

  /** In the order of values(). */
  *keys(): IterableIterator<K> {
    for (const key of this.#base.keys()) if (this.get(key) !== undefined) yield key;
    for (const [key, value] of this.#overlay) {
      if (value !== undefined && !this.#base.has(key)) yield key;
    }
  }

  /** The base's keys first, in its order; then those that came since, in order of arrival. */
  *values(): IterableIterator<V> {
    for (const [key, value] of this.#base) {
      const own = this.#overlay.get(key);
      if (own !== undefined) yield own;
      else if (this.#deleted === 0 || !this.#overlay.has(key)) yield value;
    }
    for (const [key, value] of this.#overlay) {
      if (value !== undefined && !this.#base.has(key)) yield value;
    }
  }
}
