/**
 * Simulated time: integer nanoseconds in a plain number.
 *
 * Owns: the two time types and the constructors that turn human units into nanoseconds. Refuses to
 * own: parsing of duration strings (scenario/) and the clock itself (simulation.ts).
 */

/** A point in simulated time: whole nanoseconds since the start of the run, at most 2^53 - 1 (104 days). */
export type SimTimeNs = number;

/** A length of simulated time: whole nanoseconds, non-negative. */
export type DurationNs = number;

/** One rounding of a decimal such as 0.3 may be off by half a unit in the last place, its product by another. */
const DECIMAL_TOLERANCE = 2 ** -51;

function toNanoseconds(amount: number, nanosecondsPerUnit: number, unit: string): DurationNs {
  const product = amount * nanosecondsPerUnit;
  const whole = Math.round(product);
  const isWhole = Math.abs(product - whole) <= product * DECIMAL_TOLERANCE;
  if (!(product >= 0) || !isWhole || !Number.isSafeInteger(whole)) {
    throw new RangeError(
      `${unit}(${amount}) is ${product} ns; a duration is a whole number of nanoseconds from 0 to 2^53 - 1`,
    );
  }
  return whole;
}

/** Microseconds. @throws RangeError unless the result is a non-negative safe integer of nanoseconds */
export function us(amount: number): DurationNs {
  return toNanoseconds(amount, 1e3, "us");
}

/** Milliseconds. @throws RangeError unless the result is a non-negative safe integer of nanoseconds */
export function ms(amount: number): DurationNs {
  return toNanoseconds(amount, 1e6, "ms");
}

/** Seconds. @throws RangeError unless the result is a non-negative safe integer of nanoseconds */
export function seconds(amount: number): DurationNs {
  return toNanoseconds(amount, 1e9, "seconds");
}

/** Minutes. @throws RangeError unless the result is a non-negative safe integer of nanoseconds */
export function minutes(amount: number): DurationNs {
  return toNanoseconds(amount, 60e9, "minutes");
}

/** Hours. @throws RangeError unless the result is a non-negative safe integer of nanoseconds */
export function hours(amount: number): DurationNs {
  return toNanoseconds(amount, 3600e9, "hours");
}
