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
const LN2_HIGH = 0.693147180369123816490172;
const LN2_LOW = 1.90821492927058770002e-10;
const INVERSE_LN2 = 1.442695040888963407359925;
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
  const k = Math.floor(x * INVERSE_LN2 + 0.5);
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
    return exponent < 0 ? 1 / magnitude : magnitude;
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
 * ln of the gamma function for x > 0; relative error about 1e-14.
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
  const halfLnTwoPi = 0.918938533204672741780329736406;
  return (shifted - 0.5) * ln(shifted) - shifted + halfLnTwoPi + series - ln(product);
}

/**
 * The z with P(Z <= z) = p for a standard normal Z, 0 < p < 1; relative error about 1e-16. -Infinity and
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
  3.387132872796366608, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
  4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4,
  2.5090809287301226727e3,
];
const CENTRE_DENOMINATOR = [
  1, 4.2313330701600911252e1, 6.871870074920579083e2, 5.3941960214247511077e3,
  2.1213794301586595867e4, 3.930789580009271061e4, 2.8729085735721942674e4, 5.226495278852854561e3,
];
const MIDDLE_NUMERATOR = [
  1.42343711074968357734, 4.6303378461565452959, 5.7694972214606914055, 3.64784832476320460504,
  1.27045825245236838258, 2.4178072517745061177e-1, 2.27238449892691845833e-2,
  7.7454501427834140764e-4,
];
const MIDDLE_DENOMINATOR = [
  1, 2.05319162663775882187, 1.6763848301838038494, 6.8976733498510000455e-1,
  1.4810397642748007459e-1, 1.51986665636164571966e-2, 5.475938084995344946e-4,
  1.05075007164441684324e-9,
];
const FAR_NUMERATOR = [
  6.6579046435011037772, 5.4637849111641143699, 1.7848265399172913358, 2.9656057182850489123e-1,
  2.6532189526576123093e-2, 1.2426609473880784386e-3, 2.71155556874348757815e-5,
  2.01033439929228813265e-7,
];
const FAR_DENOMINATOR = [
  1, 5.9983220655588793769e-1, 1.3692988092273580531e-1, 1.48753612908506148525e-2,
  7.868691311456132591e-4, 1.8463183175100546818e-5, 1.4215117583164458887e-7,
  2.04426310338993978564e-15,
];
