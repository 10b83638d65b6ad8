/** Plugin cache: what is kept, for how long, and what makes room. Facts: docs/sources.md, §9. */
import { describe, expect, test } from "vitest";
import { seconds, Simulation } from "../../src/engine/index.ts";
import { DnsCache, type DnsCacheLimits } from "../../src/kubernetes/dns/cache.ts";
import { Rcode, type DnsAnswer } from "../../src/kubernetes/dns/messages.ts";

const LIMITS: DnsCacheLimits = {
  successTtlNs: seconds(30),
  denialTtlNs: seconds(10),
  minTtlNs: seconds(5),
  capacity: 3,
};
const answer = (ttlSeconds: number, addresses: readonly number[] = [7]): DnsAnswer => ({
  rcode: Rcode.NOERROR,
  addresses,
  aliases: 0,
  ttlSeconds,
});
const denial = (ttlSeconds: number): DnsAnswer => ({
  ...answer(ttlSeconds, []),
  rcode: Rcode.NXDOMAIN,
});

function cache(limits: Partial<DnsCacheLimits> = {}): DnsCache {
  const stream = new Simulation({ seed: "cache" }).streams.get("cache");
  return new DnsCache({ ...LIMITS, ...limits }, stream);
}

describe("how long an answer is kept", () => {
  /** The last whole second at which it is still given. */
  const keptFor = (given: DnsAnswer, limits: Partial<DnsCacheLimits> = {}): number => {
    const kept = cache(limits);
    kept.put(1, given, 0);
    let until = 0;
    for (let second = 1; second < 100; second++) {
      if (kept.get(1, seconds(second) - 1) !== null) until = second;
    }
    return until;
  };

  // Broken on purpose: a denial kept by the limit of successes (20 s); minTtlNs ignored (1 s).
  test.each([
    ["an answer, what it says", answer(20), 20],
    ["but no longer than the limit", answer(60), 30],
    ["and the least time in any case", answer(1), 5],
    ["a denial, by its own limit", denial(20), 10],
    ["no data is a denial too", answer(20, []), 10],
    ["a denial the least time as well", denial(0), 5],
  ])("%s", (_what, given, expected) => expect(keptFor(given)).toBe(expected));

  test("a kind whose limit is 0 is not kept, nor is an error", () => {
    expect(keptFor(answer(20), { successTtlNs: 0 })).toBe(0);
    expect(keptFor(denial(20), { denialTtlNs: 0 })).toBe(0);
    expect(keptFor(denial(20), { successTtlNs: 0 })).toBe(10);
    expect(keptFor({ ...denial(20), rcode: Rcode.SERVFAIL })).toBe(0);
  });

  // Broken on purpose: the TTL as it was stored.
  test("it says what is left of its time, in whole seconds", () => {
    const kept = cache();
    kept.put(1, answer(20), 0);
    const left = [0, 1, 999_999_999, seconds(1), seconds(19.5)].map(
      (atNs) => kept.get(1, atNs)?.ttlSeconds,
    );
    expect(left).toEqual([20, 20, 20, 19, 1]);
    expect(kept.get(1, seconds(20))).toBeNull();
  });
});

// Broken on purpose: the other kind not deleted (the old address is given for 20 s more).
test("what is newest holds: a denial takes an answer's place, and an answer a denial's", () => {
  const kept = cache();
  kept.put(1, answer(30), 0);
  kept.put(1, denial(10), seconds(1));
  expect(kept.get(1, seconds(2))?.addresses).toEqual([]);
  // Nor is the answer there again when the denial is over.
  expect(kept.get(1, seconds(12))).toBeNull();
  kept.put(1, denial(10), seconds(20));
  kept.put(1, answer(5), seconds(21));
  expect(kept.get(1, seconds(22))?.addresses).toEqual([7]);
  expect(kept.get(1, seconds(26))).toBeNull();
});

describe("a full cache", () => {
  const held = (kept: DnsCache): number[] =>
    [1, 2, 3, 4, 5, 6].filter((question) => kept.get(question, seconds(1)) !== null);

  // Broken on purpose: nothing given up (four are held); one given up for a question that is there already.
  test("gives one up for a new question, and for no other", () => {
    const kept = cache();
    for (const question of [1, 2, 3]) kept.put(question, answer(30), 0);
    kept.put(2, answer(20), 0);
    expect(held(kept)).toEqual([1, 2, 3]);
    kept.put(4, answer(30), 0);
    expect(held(kept)).toHaveLength(3);
    expect(held(kept)).toContain(4);
  });

  test("has as much room for denials again", () => {
    const kept = cache();
    for (const question of [1, 2, 3]) kept.put(question, answer(30), 0);
    for (const question of [4, 5, 6]) kept.put(question, denial(30), 0);
    expect(held(kept)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test("gives up any of them, drawn", () => {
    const stream = new Simulation({ seed: "cache" }).streams.get("cache");
    const gone = new Set<number>();
    for (let i = 0; i < 40; i++) {
      const kept = new DnsCache(LIMITS, stream);
      for (const question of [1, 2, 3, 4]) kept.put(question, answer(30), 0);
      const now = held(kept);
      for (const question of [1, 2, 3]) if (!now.includes(question)) gone.add(question);
    }
    // One of three is never drawn in 40: 3 (2/3)^40, once in a million.
    expect([...gone].toSorted()).toEqual([1, 2, 3]);
  });
});
