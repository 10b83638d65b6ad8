/**
 * A rolling 64-bit hash: two runs that did the same things in the same order show the same 16 hex digits.
 *
 * Owns: the mixing. Refuses to own: what is worth hashing. It detects accidents, not adversaries. Only
 * 32-bit integer operations are used, so every JavaScript engine gives the same digits.
 */

/** Odd multipliers: bits of the golden ratio and of square roots of primes; any odd constants would do. */
const K1 = 0x9e3779b1;
const K2 = 0x85ebca77;
const K3 = 0xc2b2ae3d;
const K5 = 0x165667b1;
const TWO_POW_MINUS_32 = 2 ** -32;
/** Said before the bits of a number that is not an integer, so that it is never mistaken for one. */
const FRACTION_MARK = 0x46524143;
const TEXT_MARK = 0x54455854;

const bytes = new DataView(new ArrayBuffer(8));

export class Fingerprint {
  private high = 0x6a09e667 | 0;
  private low = 0xbb67ae85 | 0;

  /** Adds any number; NaN counts as one value, and -0 is another than 0. */
  add(value: number): void {
    if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
      this.mix(value | 0, Math.floor(value * TWO_POW_MINUS_32) | 0);
      return;
    }
    bytes.setFloat64(0, Number.isNaN(value) ? NaN : value);
    this.mix(FRACTION_MARK, bytes.getInt32(0));
    this.mix(bytes.getInt32(0), bytes.getInt32(4));
  }

  /** Adds a text, with its length, so that ("ab", "c") differs from ("a", "bc"). */
  addText(text: string): void {
    this.mix(TEXT_MARK, text.length);
    for (let i = 0; i < text.length; i++) this.mix(text.charCodeAt(i), i);
  }

  /** Adds one event in one go (the hot path): its time, a safe integer, and three 32-bit integers. */
  addEvent(time: number, kind: number, a: number, b: number): void {
    const what = Math.imul((time * TWO_POW_MINUS_32) ^ Math.imul(kind, K3), K2) ^ (time | 0);
    this.mix(what, (Math.imul(a, K5) + Math.imul(b, K2)) | 0);
  }

  /** The digits so far; more may be added afterwards. */
  hex(): string {
    const high = avalanche(this.high ^ Math.imul(this.low, K1));
    const low = avalanche(this.low ^ Math.imul(high, K2));
    return (high >>> 0).toString(16).padStart(8, "0") + (low >>> 0).toString(16).padStart(8, "0");
  }

  private mix(x: number, y: number): void {
    const high = Math.imul(this.high ^ x, K1);
    const low = Math.imul(this.low ^ y, K3);
    this.high = ((high ^ (high >>> 15)) + ((low << 13) | (low >>> 19))) | 0;
    this.low = ((low ^ (low >>> 13)) + ((high << 7) | (high >>> 25))) | 0;
  }
}

/** Lets each bit of a word reach every other (a multiply-xorshift finaliser). */
function avalanche(word: number): number {
  let x = Math.imul(word ^ (word >>> 16), K2);
  x = Math.imul(x ^ (x >>> 13), K3);
  return x ^ (x >>> 16);
}
