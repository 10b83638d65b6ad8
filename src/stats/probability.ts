/**
 * Quantiles that intervals and tests need: Student t, chi-square, normal.
 *
 * Owns: the distribution functions and their inversion by bisection, with portable arithmetic. Refuses to own:
 * speed; nothing here is on a hot path. Formulas by number from the NIST Digital Library of Mathematical
 * Functions (DLMF).
 */
import { exp, ln, lnGamma, normalQuantile } from "../engine/index.ts";

export { normalQuantile };

const EPSILON = 1e-16;
/** Stands for 0 in the continued fractions' denominators (modified Lentz's method). */
const TINY = 1e-300;
const TERMS_MAX = 10_000;

/**
 * P(T <= t) for Student's t with `degrees` degrees of freedom (DLMF 8.17: through the incomplete beta).
 * @throws RangeError unless degrees > 0
 */
export function studentTCdf(t: number, degrees: number): number {
  checkDegrees("studentT", degrees);
  const square = t * t;
  if (square < 1) {
    // From the middle: the tail's argument is so near 1 that what sets it apart would be rounded away.
    const part = incompleteBeta(0.5, degrees / 2, square / (degrees + square)) / 2;
    return t < 0 ? 0.5 - part : 0.5 + part;
  }
  const tail = incompleteBeta(degrees / 2, 0.5, degrees / (degrees + square)) / 2;
  return t < 0 ? tail : 1 - tail;
}

/** The t with P(T <= t) = p. @throws RangeError unless 0 < p < 1 and degrees > 0 */
export function studentTQuantile(p: number, degrees: number): number {
  checkDegrees("studentT", degrees);
  checkProbability("studentTQuantile", p);
  if (p === 0.5) return 0;
  // Symmetric, and the tail is solved for, so that a far quantile keeps its digits.
  const tail = Math.min(p, 1 - p);
  const size = solveIncreasing((t) => tail - studentTCdf(-t, degrees));
  return p < 0.5 ? -size : size;
}

/** P(X <= x) for chi-square with `degrees` degrees of freedom. @throws RangeError unless degrees > 0 */
export function chiSquareCdf(x: number, degrees: number): number {
  checkDegrees("chiSquare", degrees);
  return x <= 0 ? 0 : incompleteGamma(degrees / 2, x / 2);
}

/** The x with P(X <= x) = p. @throws RangeError unless 0 < p < 1 and degrees > 0 */
export function chiSquareQuantile(p: number, degrees: number): number {
  checkDegrees("chiSquare", degrees);
  checkProbability("chiSquareQuantile", p);
  return solveIncreasing((x) => chiSquareCdf(x, degrees) - p);
}

/** The positive root of an increasing function that is negative at 0, to the last bit or so. */
function solveIncreasing(f: (x: number) => number): number {
  let high = 1;
  while (f(high) < 0 && high < 1e300) high *= 2;
  let low = high === 1 ? 0 : high / 2;
  for (;;) {
    const middle = low + (high - low) / 2;
    if (middle <= low || middle >= high || high - low < 1e-15 * high) return middle;
    if (f(middle) < 0) low = middle;
    else high = middle;
  }
}

/** Regularised incomplete beta I_x(a, b), by the continued fraction DLMF 8.17.22. */
export function incompleteBeta(a: number, b: number, x: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  // The fraction converges fast below the mean; above it use the symmetry I_x(a, b) = 1 - I_(1-x)(b, a).
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(b, a, 1 - x);
  const front = exp(lnGamma(a + b) - lnGamma(a) - lnGamma(b) + a * ln(x) + b * ln(1 - x)) / a;
  const coefficient = (index: number): number => {
    const m = Math.floor(index / 2);
    return index % 2 === 0
      ? (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m))
      : (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
  };
  return (
    front /
    continuedFraction(
      1,
      (i) => coefficient(i),
      () => 1,
    )
  );
}

/** Regularised lower incomplete gamma P(a, x): series DLMF 8.11.4 below a + 1, fraction 8.9.2 above. */
export function incompleteGamma(a: number, x: number): number {
  const front = exp(a * ln(x) - x - lnGamma(a));
  if (x > a + 1) {
    const fraction = continuedFraction(
      x + 1 - a,
      (i) => -i * (i - a),
      (i) => x + 2 * i + 1 - a,
    );
    return 1 - front / fraction;
  }
  let term = 1 / a;
  let sum = term;
  for (let n = 1; n < TERMS_MAX && term > sum * EPSILON; n++) {
    term *= x / (a + n);
    sum += term;
  }
  return front * sum;
}

/** first + n(1) / (d(1) + n(2) / (d(2) + ...)), by modified Lentz's method (DLMF 3.10(iii)). */
function continuedFraction(
  first: number,
  numerator: (index: number) => number,
  denominator: (index: number) => number,
): number {
  let value = first === 0 ? TINY : first;
  let c = value;
  let d = 0;
  for (let i = 1; i < TERMS_MAX; i++) {
    d = denominator(i) + numerator(i) * d;
    c = denominator(i) + numerator(i) / c;
    if (d === 0) d = TINY;
    if (c === 0) c = TINY;
    d = 1 / d;
    value *= c * d;
    if (Math.abs(c * d - 1) < EPSILON) break;
  }
  return value;
}

function checkDegrees(name: string, degrees: number): void {
  if (!(degrees > 0 && degrees < Infinity)) {
    throw new RangeError(`${name}: degrees of freedom is ${degrees}; allowed: a number above 0`);
  }
}

function checkProbability(name: string, p: number): void {
  if (!(p > 0 && p < 1)) throw new RangeError(`${name}: p is ${p}; allowed: between 0 and 1`);
}
