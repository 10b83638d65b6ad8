/**
 * Elementary functions to some 80 decimal digits, in big integers: what the portable functions are measured by.
 *
 * Every series here is a textbook one and is carried on until its terms vanish at 2^-BITS, so that its error
 * is some hundreds of units of 2^-BITS: nothing beside a double's 2^-53.
 */

/** value * 2^exponent, to about BITS bits. */
export interface Exact {
  readonly value: bigint;
  readonly exponent: number;
}

const BITS = 280;
const ONE = 1n << BigInt(BITS);

/** A double without any rounding: an integer of at most 53 bits times a power of two. */
export function parts(x: number): { readonly mantissa: bigint; readonly exponent: number } {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, Math.abs(x));
  const bits = view.getBigUint64(0);
  const biased = Number(bits >> 52n);
  const fraction = bits & ((1n << 52n) - 1n);
  const mantissa = biased === 0 ? fraction : fraction | (1n << 52n);
  return { mantissa: x < 0 ? -mantissa : mantissa, exponent: Math.max(biased, 1) - 1075 };
}

/** How far `actual` lies from `exact`, in units in the last place of `actual`; to a thousandth. */
export function errorInUlps(actual: number, exact: Exact): number {
  const { mantissa, exponent } = parts(actual);
  // Both as multiples of 2^-20 ulp.
  const difference = (mantissa << 20n) - shifted(exact.value, exact.exponent - exponent + 20);
  return Math.abs(Number(difference)) / 2 ** 20;
}

export function exactLn(x: number): Exact {
  const { mantissa, exponent } = parts(x);
  return exactLnOfInteger(mantissa, exponent);
}

/** ln(n * 2^exponent) for an integer n above 0: with n = 2^k f, 1 <= f < 2, k ln 2 + 2 atanh((f-1)/(f+1)). */
export function exactLnOfInteger(n: bigint, exponent = 0): Exact {
  const k = n.toString(2).length - 1;
  const f = shifted(n, BITS - k);
  const series = 2n * atanh(((f - ONE) << BigInt(BITS)) / (f + ONE));
  return { value: BigInt(k + exponent) * LN2 + series, exponent: -BITS };
}

/** e^x = 2^k e^r with k = floor(x / ln 2), by Taylor's series for e^r. */
export function exactExp(x: number): Exact {
  const fixed = fixedOf(x);
  const k = floorDivide(fixed, LN2);
  const r = fixed - k * LN2;
  let sum = 0n;
  let term = ONE;
  for (let n = 1n; term !== 0n; n++) {
    sum += term;
    term = times(term, r) / n;
  }
  return { value: sum, exponent: Number(k) - BITS };
}

/**
 * P(Z <= z) - p for a standard normal Z, in double precision though the difference is tiny:
 * P(Z <= z) = 1/2 + (sum over n of (-1)^n z^(2n+1) / (2^n n! (2n+1))) / sqrt(2 pi).
 */
export function normalCdfMinus(z: number, p: number): number {
  const x = fixedOf(z);
  const square = times(x, x);
  let sum = 0n;
  let power = x;
  for (let n = 0n; power !== 0n; n++) {
    sum += power / (2n * n + 1n);
    power = -times(power, square) / (2n * (n + 1n));
    if (power === -1n) break;
  }
  const cdf = ONE / 2n + (sum << BigInt(BITS)) / SQRT_TWO_PI;
  return ratio(cdf - fixedOf(p));
}

const LN2 = 2n * atanh(ONE / 3n);
/** Machin: pi = 16 atan(1/5) - 4 atan(1/239). */
const SQRT_TWO_PI = squareRoot(2n * (16n * atanOfInverse(5n) - 4n * atanOfInverse(239n)) * ONE);

function fixedOf(x: number): bigint {
  const { mantissa, exponent } = parts(x);
  return shifted(mantissa, exponent + BITS);
}

function ratio(fixed: bigint): number {
  return Number(fixed) / 2 ** BITS;
}

function times(x: bigint, y: bigint): bigint {
  return (x * y) >> BigInt(BITS);
}

function shifted(x: bigint, by: number): bigint {
  return by >= 0 ? x << BigInt(by) : x >> BigInt(-by);
}

function floorDivide(x: bigint, y: bigint): bigint {
  const quotient = x / y;
  return x % y < 0n ? quotient - 1n : quotient;
}

/** s + s^3/3 + s^5/5 + ... for s >= 0. */
function atanh(s: bigint): bigint {
  const square = times(s, s);
  let sum = 0n;
  let power = s;
  for (let n = 1n; power !== 0n; n += 2n) {
    sum += power / n;
    power = times(power, square);
  }
  return sum;
}

/** 1/n - 1/(3n^3) + 1/(5n^5) - ... */
function atanOfInverse(n: bigint): bigint {
  let sum = 0n;
  let power = ONE / n;
  for (let k = 1n; power !== 0n; k += 2n) {
    sum += (k % 4n === 1n ? power : -power) / k;
    power /= n * n;
  }
  return sum;
}

/** Newton's method from above. */
function squareRoot(n: bigint): bigint {
  let root = 1n << BigInt((n.toString(2).length + 2) >> 1);
  for (;;) {
    const next = (root + n / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}
