/**
 * Addresses of guests as CNI's host-local gives them. Source of each rule: containernetworking/plugins,
 * plugins/ipam/host-local/backend/allocator/allocator.go (GetIter, RangeIter.Next) and range.go.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HostLocalAllocator } from "../../src/network/ipam/hostLocal.ts";
import { AddressTable } from "../../src/network/address.ts";

function texts(allocator: HostLocalAllocator, count: number): (string | null)[] {
  const table = new AddressTable();
  return Array.from({ length: count }, () => {
    const value = allocator.allocate();
    return value === null ? null : table.text(table.internValue(4, value));
  });
}

describe("host-local", () => {
  it("begins behind the gateway, which has the first address", () => {
    expect(texts(new HostLocalAllocator("10.244.1.0/24"), 3)).toEqual([
      "10.244.1.2",
      "10.244.1.3",
      "10.244.1.4",
    ]);
  });

  it("gives neither network, gateway nor broadcast address: 253 of a /24, then none", () => {
    const allocator = new HostLocalAllocator("10.244.1.0/24");
    const given = texts(allocator, 253);
    expect(allocator.capacity).toBe(253);
    expect(new Set(given).size).toBe(253);
    expect(given.at(-1)).toBe("10.244.1.254");
    expect(allocator.allocate()).toBeNull();
    expect(allocator.inUse).toBe(253);
  });

  it("gives an address that is asked for once, and goes on behind it", () => {
    // Seen to fail: with take() leaving #next where it was.
    const allocator = new HostLocalAllocator("10.244.1.0/24");
    const table = new AddressTable();
    const valueOf = (index: number): bigint => allocatorFirst + BigInt(index - 2);
    const allocatorFirst = 0x0af4_0102n;
    expect(allocator.take(valueOf(7))).toBe(true);
    expect(allocator.take(valueOf(7))).toBe(false);
    expect(allocator.take(valueOf(1))).toBe(false);
    expect(allocator.take(valueOf(255))).toBe(false);
    expect(table.text(table.internValue(4, allocator.allocate()!))).toBe("10.244.1.8");
    const rest = texts(allocator, 251);
    expect(rest).not.toContain("10.244.1.7");
    expect(allocator.allocate()).toBeNull();
  });

  it("gives a freed address only after all others of the range: 252 more of a /24", () => {
    // Timings §8: a search starts behind the last address given, whatever was freed meanwhile.
    const allocator = new HostLocalAllocator("10.244.1.0/24");
    const first = allocator.allocate()!;
    allocator.release(first);
    const later = Array.from({ length: 252 }, () => {
      const address = allocator.allocate()!;
      allocator.release(address);
      return address;
    });
    expect(later).not.toContain(first);
    expect(allocator.allocate()).toBe(first);
  });

  it("wraps to a hole when the rest is in use", () => {
    const allocator = new HostLocalAllocator("10.0.0.0/29");
    // .2 to .6
    const given = Array.from({ length: 5 }, () => allocator.allocate()!);
    allocator.release(given[3]!);
    allocator.release(given[1]!);
    // The last one given was .6, so the search wraps: .3 comes before .5.
    expect([allocator.allocate(), allocator.allocate(), allocator.allocate()]).toEqual([
      given[1],
      given[3],
      null,
    ]);
  });

  it.each(["10.0.0.0/31", "10.0.0.0/32"])("has no address in %s", (cidr) => {
    const allocator = new HostLocalAllocator(cidr);
    expect(allocator.capacity).toBe(0);
    expect(allocator.allocate()).toBeNull();
  });

  it("has no broadcast address in IPv6: 14 of a /124", () => {
    const allocator = new HostLocalAllocator("fd00::/124");
    expect(allocator.capacity).toBe(14);
    for (let i = 0; i < 14; i++) expect(allocator.allocate()).not.toBeNull();
    expect(allocator.allocate()).toBeNull();
  });

  /** Seen to fail with #advance() left out of allocate(), and with release() doing nothing. */
  it("never gives an address that is in use, and always the free one that is nearest ahead", () => {
    const steps = fc.array(fc.option(fc.nat(15)), { maxLength: 80 });
    fc.assert(
      fc.property(steps, (actions) => {
        const allocator = new HostLocalAllocator("10.0.0.0/28");
        // The reference: 13 slots, .2 to .14, and the last one given.
        const used = new Set<number>();
        let last = -1;
        for (const action of actions) {
          if (action !== null) {
            allocator.release(BigInt(0x0a000002 + action));
            used.delete(action);
            continue;
          }
          const ahead = Array.from({ length: 13 }, (_, i) => (last + 1 + i) % 13);
          const expected = ahead.find((slot) => !used.has(slot));
          const got = allocator.allocate();
          expect(got).toBe(expected === undefined ? null : BigInt(0x0a000002 + expected));
          if (expected !== undefined) used.add((last = expected));
        }
        expect(allocator.inUse).toBe(used.size);
      }),
    );
  });
});
