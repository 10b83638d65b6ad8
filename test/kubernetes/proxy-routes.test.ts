/**
 * Services in a running cluster, dialled by hand: what test/conformance says of first packets, seen by the
 * sockets at both ends. Facts: rules of kube-proxy §4, §5 and §7.
 *
 * Seen to fail, together with five flows of test/conformance: without the pod rule of
 * externalTrafficPolicy Local (KUBE-EXT's first rule).
 */
import { describe, expect, test } from "vitest";
import type { ProxyModeName } from "../../src/kubernetes/proxy/modes/index.ts";
import { dialledCluster, type DialledCluster } from "../helpers/dial.ts";

const modes: ProxyModeName[] = ["iptables", "nftables", "ipvs", "ebpf"];
const addressOf = ({ run }: DialledCluster, name: string): string => {
  const { namespaces, addresses } = run.transport.network;
  const [address] = namespaces.find((each) => each.name === name)!.addresses;
  return addresses.text(address!);
};
const nodePort = ({ service }: DialledCluster): number => service.spec.ports[0]!.nodePort!;

describe.each(modes)("%s", (mode) => {
  const kubeProxy = { mode };

  test("a pod reaches the ClusterIP under its own address, and all pods serve", async () => {
    const cluster = await dialledCluster({ kubeProxy });
    const from = cluster.pod(0);
    const calls = Array.from({ length: 60 }, () => cluster.dial(from, cluster.clusterIP));
    expect(new Set(calls.map(({ outcome }) => outcome))).toEqual(new Set(["connected"]));
    expect(new Set(calls.map(({ server }) => server)).size).toBe(4);
    const own = addressOf(cluster, from.name);
    const others = calls.filter(({ server }) => server !== from.name);
    expect(new Set(others.map(({ seenAs }) => seenAs))).toEqual(new Set([own]));
  });

  test("from outside a node port of any node answers, a ClusterIP does not", async () => {
    const cluster = await dialledCluster({ kubeProxy });
    const { outside } = cluster;
    for (const node of [0, 1]) {
      expect(cluster.dial(outside, cluster.nodeIP(node), nodePort(cluster)).outcome).toBe(
        "connected",
      );
    }
    expect(cluster.dial(outside, cluster.clusterIP).outcome).not.toBe("connected");
  });

  test("nobody behind it: refused at once", async () => {
    const cluster = await dialledCluster({ kubeProxy, spec: { selector: { app: "none" } } });
    // A REJECT is an ICMP error, that ends connect() as refused; eBPF fails connect() itself.
    const error = mode === "ebpf" ? "EHOSTUNREACH" : "ECONNREFUSED";
    expect(cluster.dial(cluster.pod(0), cluster.clusterIP).outcome).toBe(error);
    expect(cluster.dial(cluster.outside, cluster.nodeIP(0), nodePort(cluster)).outcome).toBe(
      "ECONNREFUSED",
    );
  });
});

describe("policy Cluster, from outside", () => {
  test.each(["iptables", "nftables", "ipvs"] as const)(
    "%s hides the client behind the node",
    async (mode) => {
      const cluster = await dialledCluster({ kubeProxy: { mode } });
      const { outside } = cluster;
      const calls = Array.from({ length: 20 }, () =>
        cluster.dial(outside, cluster.nodeIP(0), nodePort(cluster)),
      );
      expect(calls.some(({ seenAs }) => seenAs === "203.0.113.9")).toBe(false);
    },
  );

  test("eBPF hides it from the other node's pods only", async () => {
    // Broken on purpose: masqueraded whatever is chosen.
    const cluster = await dialledCluster({ kubeProxy: { mode: "ebpf" } });
    const own = new Set(cluster.podsOn(0).map(({ name }) => name));
    const calls = Array.from({ length: 20 }, () =>
      cluster.dial(cluster.outside, cluster.nodeIP(0), nodePort(cluster)),
    );
    expect(new Set(calls.map(({ server, seenAs }) => [own.has(server), seenAs].join()))).toEqual(
      new Set(["true,203.0.113.9", `false,${cluster.nodeIP(0)}`]),
    );
  });
});

describe("externalTrafficPolicy Local", () => {
  const spec = { externalTrafficPolicy: "Local" as const };

  test.each(["iptables", "nftables", "ebpf"] as const)(
    "%s: outside gets the node's own pods and keeps its address; the node's pods get all",
    async (mode) => {
      const cluster = await dialledCluster({ kubeProxy: { mode }, spec });
      const own = new Set(cluster.podsOn(0).map(({ name }) => name));
      const port = nodePort(cluster);
      const calls = (from: typeof cluster.outside) =>
        Array.from({ length: 30 }, () => cluster.dial(from, cluster.nodeIP(0), port));
      const outside = calls(cluster.outside);
      expect(outside.every(({ server }) => own.has(server))).toBe(true);
      expect(new Set(outside.map(({ seenAs }) => seenAs))).toEqual(new Set(["203.0.113.9"]));
      const inside = calls(cluster.podsOn(0)[0]!);
      expect(inside.some(({ server }) => !own.has(server))).toBe(true);
    },
  );

  test("no pod here: iptables is silent, eBPF refuses, IPVS sends the packet where no answer comes back", async () => {
    const outcomes: string[] = [];
    for (const mode of modes) {
      const cluster = await dialledCluster({ kubeProxy: { mode }, spec, replicas: 1 });
      const empty = cluster.podsOn(0).length === 0 ? 0 : 1;
      const call = cluster.dial(cluster.outside, cluster.nodeIP(empty), nodePort(cluster));
      outcomes.push(`${mode} ${call.outcome}`);
    }
    expect(outcomes).toEqual([
      "iptables nothing",
      "nftables nothing",
      "ipvs nothing",
      "ebpf ECONNREFUSED",
    ]);
  });
});
