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
  #size: number;

  constructor(base: ReadonlyMap<K, V>) {
    this.#base = base;
    this.#size = base.size;
  }

  get size(): number {
    return this.#size;
  }

  get(key: K): V | undefined {
    return this.#overlay.has(key) ? this.#overlay.get(key) : this.#base.get(key);
  }

  set(key: K, value: V): void {
    if (this.get(key) === undefined) this.#size++;
    this.#overlay.set(key, value);
  }

  delete(key: K): boolean {
    if (this.get(key) === undefined) return false;
    this.#size--;
    if (this.#base.has(key)) this.#overlay.set(key, undefined);
    else this.#overlay.delete(key);
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
      const now = this.#overlay.has(key) ? this.#overlay.get(key) : value;
      if (now !== undefined) yield now;
    }
    for (const [key, value] of this.#overlay) {
      if (value !== undefined && !this.#base.has(key)) yield value;
    }
  }
}
