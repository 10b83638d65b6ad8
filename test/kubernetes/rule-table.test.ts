/** A node's table of rules: what takes the place of what. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { ChangeLedger } from "../../src/kubernetes/ledger.ts";
import { kubeProxyProfile } from "../../src/kubernetes/proxy/profile.ts";
import { RuleBuilder, RuleTable, tableBase } from "../../src/kubernetes/proxy/rules.ts";
import { AddressTable } from "../../src/network/address.ts";
import { createObservations } from "../../src/observe/observations.ts";
import type { Service } from "../../src/kubernetes/api/types.ts";
import { service } from "../helpers/kube-objects.ts";

test("rules that go take nothing along that has taken their address over meanwhile", () => {
  const builder = new RuleBuilder(
    new AddressTable(),
    new ChangeLedger(createObservations([])),
    kubeProxyProfile,
  );
  const node = { name: "node-0", zone: null };
  const [old] = builder.build(service({}, "old"), [], node, 4);
  const [heir] = builder.build(service({}, "heir"), [], node, 4);
  const table = new RuleTable(tableBase([]));
  const at = () => table.atAddress(old!.clusterIP, old!.protocol, old!.port)?.rules;
  table.put(old!);
  // Two Services of one address in one sync, and the old one's removal comes second.
  table.put(heir!);
  table.remove(old!);
  expect(at()).toBe(heir);
  table.remove(heir!);
  expect(at()).toBeUndefined();
});

// Broken on purpose: versions taken for alike by their ClusterIP and port alone.
test("versions that take the place of others leave the table as if those had gone before these came", () => {
  const port = fc.record({
    name: fc.constantFrom("a", "b"),
    protocol: fc.constantFrom("TCP" as const, "UDP" as const),
    port: fc.constantFrom(80, 81),
    targetPort: fc.constant(80),
    nodePort: fc.constantFrom(null, 30080, 30081),
  });
  const spec = fc.record({
    ports: fc.uniqueArray(port, { maxLength: 2, selector: ({ name }) => name }),
    externalIPs: fc.subarray(["1.2.3.4", "1.2.3.5"]),
  });
  fc.assert(
    fc.property(spec, spec, (one, two) => {
      const addresses = new AddressTable();
      const builder = new RuleBuilder(
        addresses,
        new ChangeLedger(createObservations([])),
        kubeProxyProfile,
      );
      const rulesOf = (change: Partial<Service["spec"]>, resourceVersion: number) => {
        const { metadata, ...rest } = service(change);
        const stored = { ...rest, metadata: { ...metadata, resourceVersion } };
        return builder.build(stored, [], { name: "node-0", zone: null }, 4);
      };
      const [before, after] = [rulesOf(one, 1), rulesOf(two, 2)];
      const tables = [0, 1].map(() => new RuleTable(tableBase(before)));
      tables[0]!.replace(before, after);
      for (const rules of before) tables[1]!.remove(rules);
      for (const rules of after) tables[1]!.put(rules);
      const [seen, wanted] = tables.map((table) => ({
        listed: table.listed,
        nodePorts: table.nodePorts,
        servicePorts: table.servicePorts,
        destinations: new Set(table.destinations()),
        udp: new Set(table.udp()),
        isClusterIP: table.isClusterIP(addresses.intern("10.96.0.10")),
      }));
      expect(seen).toEqual(wanted);
      expect(seen!.destinations).toEqual(new Set(tables[1]!.destinations()));
    }),
    { numRuns: 40, seed: 1 },
  );
});
