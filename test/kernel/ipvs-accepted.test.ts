/**
 * The machine's own ipset and iptables take what `sim rules` prints in IPVS mode, and print it again as it is.
 *
 * Owns: Services that bring an element into every set, and every rule with it. Refuses to own: the virtual servers:
 * `ipvsadm -R` asks the kernel first, and those of containers and CI machines rarely have IP_VS. Without it there
 * is no `ipvs` match either: its rules are parsed (--test), and left out of what is loaded.
 *
 * Seen to fail: a source range of length 0, which no set of networks takes; quotes of a comment that are not escaped; a
 * name of 32 characters; sets of IPv6 made as those of IPv4.
 */
import { afterEach, describe, expect, it } from "vitest";
import { ruleRenderers } from "../../src/inspect/rules/index.ts";
import type { EndpointSlice, Service } from "../../src/kubernetes/api/types.ts";
import { endpoint, service, slice } from "../helpers/kube-objects.ts";
import { programmedNode, type NodeOptions } from "../helpers/programmed-node.ts";
import { Namespaces, whyNoSets, whyNot } from "./namespaces.ts";
import { asKubeProxyWrote, textOf } from "./saved.ts";

const reason = whyNot() ?? whyNoSets();
if (reason !== null) console.warn(`IPVS mode's rules are not loaded: ${reason}`);

const namespaces = new Namespaces();
afterEach(() => namespaces.delete());

const TEXTS = {
  4: {
    cluster: "10.96.0.1",
    outside: "192.0.2.1",
    pod: "10.0.1.9",
    node: "192.168.0.0/16",
    other: "198.51.100.0/24",
  },
  6: {
    cluster: "fd00:96::1",
    outside: "2001:db8::1",
    pod: "fd00:10::9",
    node: "fd00:192::/64",
    other: "2001:db8:9::/48",
  },
} as const;
const PROTOCOLS = ["TCP", "UDP", "SCTP"] as const;

/** Both policies, with source ranges that hold the node, that do not, that hold everybody, and without. */
function everything(family: 4 | 6): { services: Service[]; slices: EndpointSlice[] } {
  const { cluster, outside, node, other } = TEXTS[family];
  const all = family === 4 ? "0.0.0.0/0" : "::/0";
  const services = (["Cluster", "Local"] as const).flatMap((policy, i) =>
    [[], [node], [other], [all, other]].map((ranges, k): Service => {
      const n = 4 * i + k;
      const given = service(
        {
          type: "LoadBalancer",
          clusterIP: `${cluster}${n}`,
          ipFamilies: [family === 4 ? "IPv4" : "IPv6"],
          externalIPs: [`${outside}${n}`],
          externalTrafficPolicy: policy,
          healthCheckNodePort: policy === "Local" ? 32_000 + n : null,
          loadBalancerSourceRanges: ranges,
          ports: PROTOCOLS.map((protocol, p) => ({
            name: protocol.toLowerCase(),
            protocol,
            port: 80,
            targetPort: 80,
            nodePort: 30_000 + 3 * n + p,
          })),
        },
        `s${n}`,
      );
      return { ...given, status: { ingress: [{ ip: `${outside}0${n}`, ipMode: "VIP" }] } };
    }),
  );
  const slices = services.map((each) => ({
    ...slice(each.metadata.name, [endpoint(TEXTS[family].pod)], each),
    addressType: family === 4 ? ("IPv4" as const) : ("IPv6" as const),
  }));
  return { services, slices };
}

/** What `sim rules` prints, in its three parts. */
function printed(family: 4 | 6, options: NodeOptions): string[][] {
  const { services, slices } = everything(family);
  const here = [TEXTS[family].pod];
  const node = programmedNode("ipvs", services, slices, { ...options, family, here });
  const { table, view, profile, plane } = node;
  const size = { services: services.length, endpoints: slices.length };
  const ownAddresses = view.primaryAddresses;
  const programmed = { table, view, profile, size, ownAddresses, kernel: plane, family };
  const { lines } = ruleRenderers.ipvs.render(programmed);
  const heads = lines.flatMap((line, i) => (line.startsWith("# ") ? [i] : []));
  return [
    lines.slice(0, heads[0]),
    lines.slice(heads[0]! + 1, heads[1]),
    lines.slice(heads[1]! + 1),
  ];
}

const SETTINGS = [
  ["pods are recognised", {}],
  ["no pod is", { podCIDR: null }],
  ["--masquerade-all is set", { masqueradeAll: true }],
] as const;

describe.skipIf(reason !== null)("a fresh namespace takes the sets and rules of IPVS mode", () => {
  const cases = ([4, 6] as const).flatMap((family) =>
    SETTINGS.map(([name, options]) => ({ family, name, options })),
  );
  it.each(cases)("on IPv$family where $name", ({ family, options }) => {
    const [, sets, rules] = printed(family, options);
    const added = new Set(sets!.flatMap((line) => /^add (\S+)/.exec(line)?.[1] ?? []));
    expect(added.size, "every set has an element").toBe(17);
    const node = namespaces.add("node");
    namespaces.run(node, ["ipset", "restore"], textOf(sets!));
    expect(withoutSeeds(namespaces.run(node, ["ipset", "save"]))).toEqual(sets!.toSorted());
    const tool = family === 4 ? "iptables" : "ip6tables";
    namespaces.run(node, [`${tool}-restore`, "--test"], textOf(rules!));
    const probe = [tool, "-A", "OUTPUT", "-m", "ipvs", "--ipvs", "-j", "DROP"];
    const hasMatch = namespaces.accepts(namespaces.add("match"), probe);
    const loaded = rules!.filter((line) => hasMatch || !line.includes(" -m ipvs "));
    namespaces.run(node, [`${tool}-restore`], textOf(loaded));
    expect(asKubeProxyWrote(namespaces.run(node, [`${tool}-save`]))).toEqual([...loaded, ""]);
  });
});

/** In the order of their text, without what the kernel has chosen for itself. */
function withoutSeeds(saved: string): string[] {
  const lines = saved.trimEnd().split("\n");
  return lines.map((line) => line.replace(/ bucketsize \d+ initval \w+$/, "")).sort();
}
