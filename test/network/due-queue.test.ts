/** The ring of what becomes due in order, against an array. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DueQueue } from "../../src/network/dueQueue.ts";

describe("DueQueue", () => {
  it("is due never when empty", () => {
    const queue = new DueQueue();
    expect(queue.isEmpty).toBe(true);
    expect(queue.nextDueNs).toBe(Infinity);
    queue.push(1, 2, 3);
    queue.take();
    expect(queue.isEmpty).toBe(true);
    expect(queue.nextDueNs).toBe(Infinity);
  });

  /**
   * `bursts`: how many are pushed, then how many taken. The ring starts with 64 places, so it wraps and
   * grows in the middle. Seen to fail with #unrolled copying the second half to 0.
   */
  it("is an array from which the oldest is taken", () => {
    const bursts = fc.array(fc.tuple(fc.nat(150), fc.nat(120)), { maxLength: 12 });
    fc.assert(
      fc.property(bursts, (sizes) => {
        const queue = new DueQueue();
        const reference: (readonly [number, number, number])[] = [];
        let pushed = 0;
        for (const [pushes, takes] of sizes) {
          for (let i = 0; i < pushes; i++) {
            pushed++;
            queue.push(pushed, 3 * pushed, 5 * pushed);
            reference.push([pushed, 3 * pushed, 5 * pushed]);
          }
          for (let i = 0; i < takes && reference.length > 0; i++) {
            const [value, tag, dueNs] = reference.shift()!;
            expect([queue.nextValue, queue.nextTag, queue.nextDueNs]).toEqual([value, tag, dueNs]);
            expect(queue.take()).toBe(value);
          }
          expect(queue.isEmpty).toBe(reference.length === 0);
          expect(queue.nextDueNs).toBe(reference[0]?.[2] ?? Infinity);
        }
      }),
      { numRuns: 50 },
    );
  });
});
