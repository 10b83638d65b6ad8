/**
 * A node as its kube-proxy sees it: which pods it recognises, where its node ports answer, and whether its filter
 * drops what belongs to no connection.
 *
 * Broken on purpose: "none" read as a CIDR, and as if nothing were written; the cluster's ranges taken though
 * --cluster-cidr names others; loopback taken for the primary address; "primary" of the first family alone;
 * tcpBeLiberal without effect, and with the opposite one.
 */
import { describe, expect, test } from "vitest";
import { ruleRenderers } from "../../src/inspect/rules/index.ts";
import { iptables, iptablesTraits } from "../../src/kubernetes/proxy/modes/iptables.ts";
import { nftables } from "../../src/kubernetes/proxy/modes/nftables.ts";
import type { ProxyModeName } from "../../src/kubernetes/proxy/modes/index.ts";
import { nodeView } from "../../src/kubernetes/proxy/nodeView.ts";
import { kubeProxyProfile, type KubeProxyProfile } from "../../src/kubernetes/proxy/profile.ts";
import { Router } from "../../src/kubernetes/proxy/route.ts";
import { RuleTable, tableBase } from "../../src/kubernetes/proxy/rules.ts";
import { programmedNode } from "../helpers/programmed-node.ts";
import { wire } from "../helpers/wire.ts";

const RANGES = {
  podCIDRs: ["10.244.0.0/16", "fd00:10:244::/56"],
  serviceCIDRs: ["10.96.0.0/12", "fd00:96::/112"],
};

function viewOf(change: Partial<KubeProxyProfile>, mode = iptables, isDual = true) {
  const { network } = wire(undefined, "view", 2, isDual);
  network.useLoopback();
  const profile = { ...kubeProxyProfile, ...change };
  const view = nodeView(network, network.hosts[0]!, RANGES, profile, mode.settings(profile));
  const router = new Router(new RuleTable(tableBase([])), view, iptablesTraits);
  const id = (text: string) => network.addresses.intern(text);
  return { view, router, id };
}

test("its primary addresses are one of each family that it has, and none of loopback", () => {
  const primaries = (isDual: boolean): string[] => {
    const { view } = viewOf({}, iptables, isDual);
    return view.primaryAddresses.map((address) => view.addresses.text(address));
  };
  expect(primaries(true)).toEqual(["192.168.0.11", "fd00:168::11"]);
  expect(primaries(false)).toEqual(["192.168.0.11"]);
  // A host that comes when loopback is there already holds it as its first address.
  const { network } = wire(undefined, "view", 1);
  network.useLoopback();
  const late = network.addHost({ name: "late", address: "192.168.0.99", cores: 1, tracked: true });
  const settings = iptables.settings(kubeProxyProfile);
  const view = nodeView(network, late, RANGES, kubeProxyProfile, settings);
  expect(view.primaryAddresses.map((id) => network.addresses.text(id))).toEqual(["192.168.0.99"]);
});

describe("pods are known by --cluster-cidr", () => {
  const asked = (change: Partial<KubeProxyProfile>) => {
    const { router, id } = viewOf(change);
    const who = ["10.244.7.7", "10.9.0.1", "203.0.113.5", "fd00:10:244:1::7", "2001:db8::5"].map(
      id,
    );
    return who.map((address) => [router.isPod(address), router.isForeign(address)]);
  };
  const [pod, foreign, unknown] = [
    [true, false],
    [false, true],
    [false, false],
  ];

  test("not written: the cluster's, of each family", () => {
    expect(asked({})).toEqual([pod, foreign, foreign, pod, foreign]);
  });

  test("written: by that, and in a family that it does not name by nothing", () => {
    expect(asked({ clusterCIDR: ["10.9.0.0/16"] })).toEqual([
      foreign,
      pod,
      foreign,
      unknown,
      unknown,
    ]);
  });

  test('"none": nobody is a pod and nobody is foreign', () => {
    expect(asked({ clusterCIDR: ["none"] })).toEqual(Array.from({ length: 5 }, () => unknown));
  });
});

describe("node ports answer", () => {
  const asked = (change: Partial<KubeProxyProfile>, mode = iptables) => {
    const { router, id } = viewOf(change, mode);
    const own = [
      "192.168.0.11",
      "10.244.1.1",
      "127.0.0.1",
      "fd00:168::11",
      "fd00:10:244:1::1",
      "::1",
    ].map(id);
    return own.map((address) => router.isNodePortAddress(address));
  };

  test("on every address of the node in iptables mode, on IPv4's loopback too", () => {
    expect(asked({})).toEqual([true, true, true, true, true, false]);
  });

  test("on the primary address of each family in nftables mode", () => {
    expect(asked({}, nftables)).toEqual([true, false, false, true, false, false]);
  });

  test("where --nodeport-addresses says, in either mode", () => {
    const change = { nodePortAddresses: ["10.244.0.0/16"] };
    expect(asked(change)).toEqual([false, true, false, true, true, false]);
    expect(asked(change, nftables)).toEqual([false, true, false, true, true, false]);
  });
});

test("of its addresses the node knows its own, and those behind its bridge", () => {
  const { view, id } = viewOf({});
  const all = ["192.168.0.11", "10.244.1.1", "10.244.1.9", "10.244.2.9", "192.168.0.12"].map(id);
  expect(all.map((address) => view.isOwn(address))).toEqual([true, true, false, false, false]);
  expect(all.map((address) => view.isHere(address))).toEqual([true, true, true, false, false]);
  const loopbacks = ["127.0.0.1", "::1", "192.168.0.11"].map(id);
  expect(loopbacks.map((address) => view.isLoopback(address))).toEqual([true, true, false]);
});

describe("packets that belong to no connection", () => {
  const drops = (mode: ProxyModeName, conntrackTcpBeLiberal: boolean) =>
    programmedNode(mode, [], [], { profile: { conntrackTcpBeLiberal } }).plane.nat.dropsInvalid;

  test("are dropped by iptables' KUBE-FORWARD, unless --conntrack-tcp-be-liberal; by no other mode", () => {
    const modes = ["iptables", "nftables", "ipvs", "ebpf"] as const;
    expect(modes.map((mode) => drops(mode, false))).toEqual([true, false, false, false]);
    expect(modes.map((mode) => drops(mode, true))).toEqual([false, false, false, false]);
  });

  test("and the rules that are shown say so", () => {
    const rules = (conntrackTcpBeLiberal: boolean) => {
      const { table, view, plane, profile } = programmedNode("iptables", [], [], {
        profile: { conntrackTcpBeLiberal },
      });
      const size = { services: 0, endpoints: 0 };
      const own = { ownAddresses: view.primaryAddresses, family: 4 } as const;
      const shown = ruleRenderers.iptables.render({
        table,
        view,
        size,
        profile,
        kernel: plane,
        ...own,
      });
      return shown.lines.filter((line) => line.includes("INVALID"));
    };
    expect(rules(true)).toEqual([]);
    expect(rules(false)).toHaveLength(1);
  });
});
