/**
 * Names by number, in the order in which they are first met.
 *
 * Owns: the list and the way back.
 */
export class Names {
  readonly list: string[] = [];
  readonly #places = new Map<string, number>();

  /** The name's number; a new one where it is new. */
  at(name: string): number {
    let place = this.#places.get(name);
    if (place === undefined) {
      place = this.list.push(name) - 1;
      this.#places.set(name, place);
    }
    return place;
  }

  /** -1: it was never met. */
  find(name: string): number {
    return this.#places.get(name) ?? -1;
  }
}
