/** A table of routes: what it finds is what a search through all of them finds. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { AddressTable, parsePrefix } from "../../src/network/address.ts";
import { RouteTable, type Route } from "../../src/network/routeTable.ts";

/** Few bits that differ, so that prefixes hold one another and share addresses. */
const network = fc.record({ bits: fc.integer({ min: 0, max: 7 }), isSix: fc.boolean() });
const route = fc.record({ network, cut: fc.integer({ min: 0, max: 4 }), to: fc.nat(9) });

function textOf({ bits, isSix }: { bits: number; isSix: boolean }): string {
  return isSix ? `fd00::${bits}` : `192.168.0.${bits}`;
}

/** Seen to fail with the shortest prefixes looked at first, and with the last of two equal routes kept. */
it("finds the longest prefix, and of two routes to one prefix the first", () => {
  fc.assert(
    fc.property(fc.array(route), network, (drawn, destination) => {
      const addresses = new AddressTable();
      const table = new RouteTable(addresses);
      const routes = drawn.map(({ network: to, cut, to: host }): Route => {
        const length = (to.isSix ? 128 : 32) - cut;
        return { prefix: parsePrefix(`${textOf(to)}/${length}`), to: host };
      });
      for (const each of routes) table.add(each);
      const id = addresses.intern(textOf(destination));
      let best: Route | undefined;
      for (const each of routes) {
        if (!addresses.contains(each.prefix, id)) continue;
        if (best === undefined || each.prefix.length > best.prefix.length) best = each;
      }
      expect(table.lookup(id)).toEqual(best);
    }),
  );
});

it("has a default route, and none where there is none", () => {
  const addresses = new AddressTable();
  const table = new RouteTable(addresses);
  const [inside, outside] = [addresses.intern("255.0.0.1"), addresses.intern("8.8.8.8")];
  expect(table.lookup(outside)).toBeUndefined();
  table.add({ prefix: parsePrefix("0.0.0.0/0"), to: 7 });
  table.add({ prefix: parsePrefix("255.0.0.0/8"), to: "bridge" });
  expect([table.lookup(outside)!.to, table.lookup(inside)!.to]).toEqual([7, "bridge"]);
  expect(table.lookup(addresses.intern("::1"))).toBeUndefined();
});
