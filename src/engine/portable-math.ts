/**
 * Elementary functions that give the same bits on every JavaScript engine.
 *
 * Owns: ln, exp, pow, the gamma function and the normal quantile, written with + - * / sqrt and the bits of
 * a double, which IEEE 754 defines exactly. Refuses to own: the last half unit in the last place; errors are
 * stated per function. Why not Math.log: ECMAScript leaves its result to the implementation.
 */

const doubles = new Float64Array(1);
const words = new Uint32Array(doubles.buffer);
doubles[0] = 1;
/** Where the sign and exponent are: word 1 on little-endian machines. */
const HIGH = words[1] === 0x3ff00000 ? 1 : 0;

/** ln 2 in two parts; the first has 21 trailing zero bits, so that k * LN2_HIGH is exact for |k| < 2^11. */
const LN2_HIGH = 0.6931471803691238;
const LN2_LOW = 1.9082149292705877e-10;
const TWO_POW_54 = 2 ** 54;
/** High word of sqrt(2). */
const SQRT2_HIGH_WORD = 0x3ff6a09e;

/**
 * Natural logarithm; error below 1 unit in the last place. ln(0) is -Infinity, ln(x < 0) is NaN.
 *
 * With x = 2^k f and f between sqrt(1/2) and sqrt(2): ln x = k ln 2 + 2 atanh(s), s = (f - 1) / (f + 1),
 * and 2 atanh(s) = 2s + 2s^3/3 + 2s^5/5 + ..., where s^2 < 0.0295, so that 11 terms leave less than 2^-55.
 */
export function ln(x: number): number {
  if (!(x > 0)) return x === 0 ? -Infinity : NaN;
  if (x === Infinity) return Infinity;
  let k = 0;
  let scaled = x;
  if (x < 2.2250738585072014e-308) {
    scaled = x * TWO_POW_54;
    k = -54;
  }
  doubles[0] = scaled;
  const high = words[HIGH]!;
  const mantissaHigh = high & 0xfffff;
  k += (high >>> 20) - 1023;
  // Above sqrt(2) halve f, so that it lies around 1.
  if ((mantissaHigh | 0x3ff00000) > SQRT2_HIGH_WORD) {
    k++;
    words[HIGH] = mantissaHigh | 0x3fe00000;
  } else {
    words[HIGH] = mantissaHigh | 0x3ff00000;
  }
  const f = doubles[0]! - 1;
  const s = f / (2 + f);
  const z = s * s;
  const z2 = z * z;
  const z4 = z2 * z2;
  // Pairs are independent of each other, so the processor works on them side by side.
  const low = 2 / 3 + z * (2 / 5) + z2 * (2 / 7 + z * (2 / 9));
  const middle = 2 / 11 + z * (2 / 13) + z2 * (2 / 15 + z * (2 / 17));
  const tail = 2 / 19 + z * (2 / 21);
  const series = z * (low + z4 * (middle + z4 * tail));
  // 2s = f - s f exactly, and the small parts are summed before the large ones.
  return k * LN2_HIGH + (f - (s * (f - series) - k * LN2_LOW));
}

/**
 * e^x; error below 1 unit in the last place for normal results. Overflows to Infinity, underflows to 0.
 *
 * With k = round(x / ln 2) and r = x - k ln 2, |r| < 0.347: e^x = 2^k e^r, by 14 terms of the Taylor series.
 */
export function exp(x: number): number {
  if (x > 709.782712893384) return Infinity;
  if (x < -745.1332191019412) return 0;
  if (Number.isNaN(x)) return NaN;
  const k = Math.floor(x * Math.LOG2E + 0.5);
  const high = x - k * LN2_HIGH;
  const low = k * LN2_LOW;
  const r = high - low;
  let series = 1 / 6227020800;
  series = series * r + 1 / 479001600;
  series = series * r + 1 / 39916800;
  series = series * r + 1 / 3628800;
  series = series * r + 1 / 362880;
  series = series * r + 1 / 40320;
  series = series * r + 1 / 5040;
  series = series * r + 1 / 720;
  series = series * r + 1 / 120;
  series = series * r + 1 / 24;
  series = series * r + 1 / 6;
  series = series * r + 0.5;
  return timesPowerOfTwo(1 + (high + (r * r * series - low)), k);
}

/** value * 2^k, in two exact steps where 2^k itself is not a normal number. */
function timesPowerOfTwo(value: number, k: number): number {
  if (k > 1000) return timesPowerOfTwo(value * powerOfTwo(1000), k - 1000);
  if (k < -1000) return timesPowerOfTwo(value * powerOfTwo(-1000), k + 1000);
  return value * powerOfTwo(k);
}

/** 2^k for -1022 <= k <= 1023. */
function powerOfTwo(k: number): number {
  doubles[0] = 0;
  words[HIGH] = (k + 1023) << 20;
  return doubles[0]!;
}

/**
 * base^exponent for base >= 0 (and for negative bases with integer exponents up to 1024).
 *
 * Integer exponents are repeated squaring, exact wherever every partial product is; others are
 * exp(exponent * ln(base)), whose relative error is about |exponent * ln(base)| * 2^-53.
 */
export function pow(base: number, exponent: number): number {
  if (Number.isInteger(exponent) && Math.abs(exponent) <= 1024) {
    const magnitude = integerPower(base, Math.abs(exponent));
    if (exponent >= 0) return magnitude;
    // Where the power overflows, its reciprocal may still be a subnormal number.
    return Math.abs(magnitude) === Infinity ? integerPower(1 / base, -exponent) : 1 / magnitude;
  }
  if (base === 0) return exponent > 0 ? 0 : exponent < 0 ? Infinity : NaN;
  return exp(exponent * ln(base));
}

function integerPower(base: number, exponent: number): number {
  let result = 1;
  let square = base;
  for (let left = exponent; left > 0; left >>= 1) {
    if ((left & 1) === 1) result *= square;
    if (left > 1) square *= square;
  }
  return result;
}

/**
 * ln of the gamma function for x > 0; error below 1e-14 of the result, and around its zeros at 1 and 2,
 * where the result is less than 1, below 1e-14.
 *
 * Stirling's series (DLMF 5.11.1) for x >= 10, reached by Gamma(x + 1) = x Gamma(x).
 */
export function lnGamma(x: number): number {
  if (!(x > 0)) return NaN;
  let shifted = x;
  let product = 1;
  while (shifted < 10) {
    product *= shifted;
    shifted++;
  }
  const inverse = 1 / shifted;
  const z = inverse * inverse;
  // B_2n / (2n (2n - 1)), the Bernoulli numbers' terms.
  const series =
    inverse *
    (1 / 12 +
      z *
        (-1 / 360 +
          z * (1 / 1260 + z * (-1 / 1680 + z * (1 / 1188 + z * (-691 / 360360 + z / 156))))));
  const halfLnTwoPi = 0.9189385332046728;
  return (shifted - 0.5) * ln(shifted) - shifted + halfLnTwoPi + series - ln(product);
}

/**
 * The z with P(Z <= z) = p for a standard normal Z, 0 < p < 1; relative error below 1e-15. -Infinity and
 * Infinity at 0 and 1, NaN outside.
 *
 * Rational approximations by M. J. Wichura, "Algorithm AS 241: The percentage points of the normal
 * distribution", Applied Statistics 37 (1988) 477-484, routine PPND16.
 */
export function normalQuantile(p: number): number {
  const q = p - 0.5;
  if (Math.abs(q) <= 0.425) {
    const r = 0.180625 - q * q;
    return (q * polynomial(CENTRE_NUMERATOR, r)) / polynomial(CENTRE_DENOMINATOR, r);
  }
  const tail = q < 0 ? p : 1 - p;
  if (!(tail > 0)) return tail === 0 ? (q < 0 ? -Infinity : Infinity) : NaN;
  const r = Math.sqrt(-ln(tail));
  const size =
    r <= 5
      ? polynomial(MIDDLE_NUMERATOR, r - 1.6) / polynomial(MIDDLE_DENOMINATOR, r - 1.6)
      : polynomial(FAR_NUMERATOR, r - 5) / polynomial(FAR_DENOMINATOR, r - 5);
  return q < 0 ? -size : size;
}

/** Horner's rule, lowest coefficient first. */
function polynomial(coefficients: readonly number[], x: number): number {
  let sum = 0;
  for (let i = coefficients.length - 1; i >= 0; i--) sum = sum * x + coefficients[i]!;
  return sum;
}

const CENTRE_NUMERATOR = [
  3.3871328727963665, 133.14166789178438, 1971.5909503065513, 13731.69376550946, 45921.95393154987,
  67265.7709270087, 33430.57558358813, 2509.0809287301227,
];
const CENTRE_DENOMINATOR = [
  1, 42.31333070160091, 687.1870074920579, 5394.196021424751, 21213.794301586597, 39307.89580009271,
  28729.085735721943, 5226.495278852854,
];
const MIDDLE_NUMERATOR = [
  1.4234371107496835, 4.630337846156546, 5.769497221460691, 3.6478483247632045, 1.2704582524523684,
  0.2417807251774506, 0.022723844989269184, 0.0007745450142783414,
];
const MIDDLE_DENOMINATOR = [
  1, 2.053191626637759, 1.6763848301838038, 0.6897673349851, 0.14810397642748008,
  0.015198666563616457, 0.0005475938084995345, 1.0507500716444169e-9,
];
const FAR_NUMERATOR = [
  6.657904643501103, 5.463784911164114, 1.7848265399172913, 0.29656057182850487,
  0.026532189526576124, 0.0012426609473880784, 2.7115555687434876e-5, 2.0103343992922881e-7,
];
const FAR_DENOMINATOR = [
  1, 0.599832206555888, 0.1369298809227358, 0.014875361290850615, 0.0007868691311456133,
  1.8463183175100548e-5, 1.421511758316446e-7, 2.0442631033899397e-15,
];
