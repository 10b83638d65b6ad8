/**
 * Human units become whole nanoseconds, exactly or not at all.
 *
 * Seen to fail: with Math.floor for Math.round in toNanoseconds, 0.3 ms lost a nanosecond; without the
 * check for whole nanoseconds, us(0.0005) gave 1 (half a nanosecond rounded up).
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hours, minutes, ms, seconds, us } from "../../src/engine/index.ts";

const units = [
  { make: us, nanoseconds: 1_000, decimals: 3 },
  { make: ms, nanoseconds: 1_000_000, decimals: 6 },
  { make: seconds, nanoseconds: 1_000_000_000, decimals: 9 },
  { make: minutes, nanoseconds: 60_000_000_000, decimals: 9 },
  { make: hours, nanoseconds: 3_600_000_000_000, decimals: 9 },
];

describe.each(units)("$make.name", ({ make, nanoseconds, decimals }) => {
  it("multiplies whole amounts up to 2^53 - 1 ns", () => {
    const largest = Math.floor(Number.MAX_SAFE_INTEGER / nanoseconds);
    expect(make(0)).toBe(0);
    expect(make(7)).toBe(7 * nanoseconds);
    expect(make(largest)).toBe(largest * nanoseconds);
    expect(() => make(largest + 1)).toThrow(RangeError);
  });

  /** Up to 2^51 ns, 26 days: beyond, a double cannot tell neighbouring decimals of nanoseconds apart. */
  it("takes decimals as they are written, though binary has no such number", () => {
    const largest = Math.min(9_999, Math.floor(2 ** 51 / nanoseconds) - 1);
    fc.assert(
      fc.property(fc.nat(largest), fc.nat(10 ** decimals - 1), (whole, fraction) => {
        const written = `${whole}.${String(fraction).padStart(decimals, "0")}`;
        const expected = BigInt(whole) * BigInt(nanoseconds);
        const rest = (BigInt(fraction) * BigInt(nanoseconds)) / 10n ** BigInt(decimals);
        expect(make(Number(written))).toBe(Number(expected + rest));
      }),
      { numRuns: 500 },
    );
  });

  it.each([-1, NaN, Infinity, -Infinity, 0.5 / nanoseconds, 1.5 / nanoseconds])(
    "refuses %d",
    (amount) => {
      expect(() => make(amount)).toThrow(
        `${make.name}(${amount}) is ${amount * nanoseconds} ns; a duration is a whole number`,
      );
    },
  );
});
