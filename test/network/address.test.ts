/** Addresses as ids: one id an address however it is written, and prefix tests on ids. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AddressTable, NO_ADDRESS, parsePrefix } from "../../src/network/address.ts";

describe("interning", () => {
  it("gives each address one id, in order of first sight", () => {
    const table = new AddressTable();
    expect(["10.0.0.1", "10.0.0.2", "10.0.0.1"].map((text) => table.intern(text))).toEqual([
      0, 1, 0,
    ]);
  });

  it("knows an IPv6 address by any of its spellings, and gives back RFC 5952's", () => {
    const table = new AddressTable();
    const id = table.intern("2001:0DB8:0:0:0:0:0:0001");
    expect(table.intern("2001:db8::1")).toBe(id);
    expect(table.text(id)).toBe("2001:db8::1");
    expect(table.family(id)).toBe(6);
  });

  it("reads IPv4 addresses in their plain form as in any other", () => {
    // Broken on purpose: octets up to 999, and leading zeros, taken in the plain form.
    const octet = fc.oneof(fc.nat(255), fc.nat(999)).map(String);
    const odd = fc.constantFrom("", "00", "01", "-1", "1e1", " 1", "1/8", "256");
    const part = fc.oneof({ weight: 9, arbitrary: octet }, { weight: 1, arbitrary: odd });
    const parts = fc.array(part, { minLength: 3, maxLength: 5 });
    const read = (text: string): string | null => {
      const table = new AddressTable();
      try {
        const id = table.intern(text);
        return `${table.text(id)} ${table.prefixBits(id, 32)}`;
      } catch {
        return null;
      }
    };
    fc.assert(
      fc.property(parts, (groups) => {
        const text = groups.join(".");
        expect(read(text)).toBe(read(`::ffff:${text}`));
      }),
      { numRuns: 500, seed: 1 },
    );
  });

  it("reads addresses as kube-proxy does: zeros in front mean nothing, mapped IPv4 is IPv4", () => {
    const table = new AddressTable();
    const id = table.intern("10.180.0.1");
    for (const text of [
      "010.180.000.001",
      "10.180.00.1",
      "::ffff:10.180.0.1",
      "::FFFF:10.180.0.01",
    ])
      expect(table.intern(text), text).toBe(id);
    const range = parsePrefix("203.000.113.000/025");
    expect(
      [table.intern("203.0.113.127"), table.intern("203.0.113.128")].map((each) =>
        table.contains(range, each),
      ),
    ).toEqual([true, false]);
    expect(table.text(table.intern("100.10.0.200"))).toBe("100.10.0.200");
  });

  it("keeps the families apart where the number is the same", () => {
    const table = new AddressTable();
    const four = table.internValue(4, 1n);
    expect(table.internValue(6, 1n)).not.toBe(four);
    expect(table.text(four)).toBe("0.0.0.1");
    expect(table.family(four)).toBe(4);
  });

  it("says that no address has no text", () => {
    expect(new AddressTable().text(NO_ADDRESS)).toBe("(none)");
  });

  it.each(["", "10.0.0", "10.0.0.256", "10.0.0.0/24", "1:2", "node-1"])("refuses %j", (text) => {
    expect(() => new AddressTable().intern(text)).toThrow(RangeError);
  });
});

describe("prefixes", () => {
  it.each(["10.0.0.0", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/8x", "/8", "2001:db8::/129"])(
    "refuse %j",
    (text) => {
      expect(() => parsePrefix(text)).toThrow(RangeError);
    },
  );

  it("ignore host bits", () => {
    expect(parsePrefix("10.1.2.3/16").first).toBe(parsePrefix("10.1.0.0/16").first);
  });

  /** Seen to fail with `value <= prefix.last` made `<`. */
  it("contain an IPv4 address exactly if its leading bits are theirs", () => {
    const table = new AddressTable();
    const octets = fc.tuple(...[0, 1, 2, 3].map(() => fc.integer({ min: 0, max: 255 })));
    // Bit strings are the reference: neither masks nor comparisons.
    const bits = (parts: number[]): string =>
      parts.map((part) => part.toString(2).padStart(8, "0")).join("");
    fc.assert(
      fc.property(octets, octets, fc.nat(32), fc.boolean(), (net, other, length, near) => {
        // Half of the addresses are made to share the network's first bits, or none would match.
        const wanted = bits(net).slice(0, length);
        const address = near ? wanted + bits(other).slice(length) : bits(other);
        const text = [0, 8, 16, 24].map((at) => parseInt(address.slice(at, at + 8), 2)).join(".");
        const prefix = parsePrefix(`${net.join(".")}/${length}`);
        expect(table.contains(prefix, table.intern(text))).toBe(address.startsWith(wanted));
      }),
    );
  });

  it("contain no address of the other family, and not the absent one", () => {
    const table = new AddressTable();
    expect(table.contains(parsePrefix("0.0.0.0/0"), table.intern("::1"))).toBe(false);
    expect(table.contains(parsePrefix("::/0"), table.intern("10.0.0.1"))).toBe(false);
    expect(table.contains(parsePrefix("0.0.0.0/0"), NO_ADDRESS)).toBe(false);
  });
});
