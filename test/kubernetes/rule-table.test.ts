/** A node's table of rules: what takes the place of what. */
import { expect, test } from "vitest";
import { ChangeLedger } from "../../src/kubernetes/ledger.ts";
import { kubeProxyProfile } from "../../src/kubernetes/proxy/profile.ts";
import { RuleBuilder, RuleTable, tableBase } from "../../src/kubernetes/proxy/rules.ts";
import { AddressTable } from "../../src/network/address.ts";
import { createObservations } from "../../src/observe/observations.ts";
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
