/**
 * Named random streams.
 *
 * Owns: which numbers a name draws. The generator is seedrandom's alea, seeded by (seed, replication, name)
 * and nothing else, so that a new stream moves no draw of another one. Refuses to own: distributions.
 */
import seedrandom from "seedrandom";

/** A source of independent uniform numbers. */
export interface RandomStream {
  /** Uniform in the open interval (0, 1): an odd multiple of 2^-33. One draw. */
  uniform(): number;
  /**
   * Uniform integer in 0..n-1. One draw always, so that streams stay in step; the price is a bias of at most
   * n / 2^32 in a probability's ratio.
   * @throws RangeError unless n is an integer in 1..2^32
   */
  below(n: number): number;
}

/** alea's draws are multiples of 2^-32 from 0; half a step up makes the interval open and symmetric. */
const HALF_STEP = 2 ** -33;

class AleaStream implements RandomStream {
  private readonly draw: () => number;
  /** Drawn one ahead: the generator's own chain of operations then runs beside what uses the draw. */
  private ahead: number;

  constructor(seed: string) {
    this.draw = seedrandom.alea(seed);
    this.ahead = this.draw();
  }

  uniform(): number {
    const drawn = this.ahead + HALF_STEP;
    this.ahead = this.draw();
    return drawn;
  }

  below(n: number): number {
    if (!(n >= 1 && n <= 2 ** 32) || n !== Math.floor(n)) {
      throw new RangeError(`below(${n}): n must be an integer from 1 to 2^32`);
    }
    const drawn = Math.floor(this.ahead * n);
    this.ahead = this.draw();
    return drawn;
  }
}

/** All streams of one run. */
export class RandomStreams {
  readonly #seed: string;
  readonly #replication: number;
  readonly #byName = new Map<string, RandomStream>();

  /** @throws RangeError unless replication is a non-negative safe integer */
  constructor(seed: string, replication = 0) {
    if (!Number.isSafeInteger(replication) || replication < 0) {
      throw new RangeError(`replication ${replication}: must be an integer from 0`);
    }
    this.#seed = seed;
    this.#replication = replication;
  }

  /** The stream of that name; asking again gives the same object, which goes on where it was. */
  get(name: string): RandomStream {
    let stream = this.#byName.get(name);
    if (stream === undefined) {
      stream = new AleaStream(this.#seedOf(name));
      this.#byName.set(name, stream);
    }
    return stream;
  }

  /**
   * The lengths make it unambiguous: no two triples give one text. The constant end is for alea: what it
   * mixes last it mixes least, and names that differ in their last digit only would begin alike.
   */
  #seedOf(name: string): string {
    return `${this.#seed.length}:${this.#seed},${this.#replication},${name.length}:${name},stream`;
  }
}
