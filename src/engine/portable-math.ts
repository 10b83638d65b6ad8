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

/**
 * Natural logarithm; error below 1 unit in the last place. ln(0) is -Infinity, ln(x < 0) is NaN.
 *
 * With x = 2^k f and f between sqrt(1/2) and sqrt(2), and c the middle of f's table cell (1 in the two cells
 * around 1): ln x = k ln 2 + ln c + ln(1 + r), r = (f - c) / c. |r| is at most 2^-7, so that nine terms of the
 * series leave less than 2^-66 of r. No division, and no double put together from its halves in memory: both
 * would take longer than all the rest.
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
  const cell = (high >>> (20 - CELL_BITS)) & (CELLS - 1);
  // Cells above sqrt(2) belong to the f below 1.
  const exponent = (high >>> 20) + (cell >= FIRST_HALVED_CELL ? 1 : 0);
  const f = scaled * inversePowers[exponent]!;
  const r = (f - centres[cell]!) * inverseCentres[cell]!;
  const r2 = r * r;
  // Pairs are independent of each other, so the processor works on them side by side.
  const low = 1 / 3 - r * (1 / 4);
  const middle = 1 / 5 - r * (1 / 6);
  const high3 = 1 / 7 - r * (1 / 8) + r2 * (1 / 9);
  const tail = r2 * (r * (low + r2 * (middle + r2 * high3)) - 0.5);
  k += exponent - 1023;
  // The large parts have enough trailing zero bits for their sum to be exact; the small ones go first.
  return k * LN2_HIGH + logarithmsHigh[cell]! + (r + (tail + (k * LN2_LOW + logarithmsLow[cell]!)));
}

/** Cells of one octave in ln's table. */
const CELL_BITS = 7;
const CELLS = 2 ** CELL_BITS;
/** sqrt(2) lies in cell 53: from the next one on f is halved. */
const FIRST_HALVED_CELL = 54;
/** By cell: its middle, 1 over it, and its logarithm in two parts, the first a multiple of 2^-42. */
const centres = new Float64Array(CELLS);
const inverseCentres = new Float64Array(CELLS);
const logarithmsHigh = new Float64Array(CELLS);
const logarithmsLow = new Float64Array(CELLS);
/** 2^(1023 - e) by biased exponent e: multiplying by it is exact. */
const inversePowers = new Float64Array(2048);

function fillTables(): void {
  for (let cell = 0; cell < CELLS; cell++) {
    const isNextToOne = cell === 0 || cell === CELLS - 1;
    const halving = cell < FIRST_HALVED_CELL ? 1 : 2;
    const centre = isNextToOne ? 1 : (1 + (cell + 0.5) / CELLS) / halving;
    centres[cell] = centre;
    inverseCentres[cell] = 1 / centre;
    const scaledLogarithm = lnScaled(BigInt(centre * 4 * CELLS), BigInt(4 * CELLS));
    const high = (scaledLogarithm >> (LN_BITS - 42n)) << (LN_BITS - 42n);
    logarithmsHigh[cell] = Number(high) / 2 ** Number(LN_BITS);
    logarithmsLow[cell] = Number(scaledLogarithm - high) / 2 ** Number(LN_BITS);
  }
  for (let e = 1023, power = 1; e < 2048; e++, power /= 2) inversePowers[e] = power;
  for (let e = 1023, power = 1; e > 0; e--, power *= 2) inversePowers[e] = power;
}

const LN_BITS = 100n;

/** 2^100 ln(p / q) for p / q around 1, by 2 atanh(s), s = (p - q) / (p + q): integers, so exact to the end. */
function lnScaled(p: bigint, q: bigint): bigint {
  const s = ((p - q) << LN_BITS) / (p + q);
  const z = (s * s) >> LN_BITS;
  let sum = 0n;
  for (let power = s, term = 1n; power !== 0n && power !== -1n; term += 2n) {
    sum += power / term;
    power = (power * z) >> LN_BITS;
  }
  return 2n * sum;
}

fillTables();

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
