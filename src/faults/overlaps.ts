/**
 * Faults of one kind on one target that overlap: it is over when the last of them is.
 *
 * Owns: counting those that hold something, and the product of those that scale something.
 */
export class Overlaps {
  readonly #held = new Map<string, number>();
  readonly #factors = new Map<string, number[]>();

  /**
   * @param begin called when nobody else holds it
   * @returns what lets go; `end` is called when nobody else holds it any more
   */
  hold(what: string, begin: () => void, end: () => void): () => void {
    const count = this.#held.get(what) ?? 0;
    this.#held.set(what, count + 1);
    if (count === 0) begin();
    return () => {
      const left = this.#held.get(what)! - 1;
      this.#held.set(what, left);
      if (left === 0) end();
    };
  }

  /** @param apply called with the product of all that scale it now */
  scale(what: string, factor: number, apply: (product: number) => void): () => void {
    const factors = this.#factors.get(what) ?? [];
    this.#factors.set(what, factors);
    const tell = (): void => apply(factors.reduce((product, each) => product * each, 1));
    factors.push(factor);
    tell();
    return () => {
      factors.splice(factors.indexOf(factor), 1);
      tell();
    };
  }
}
