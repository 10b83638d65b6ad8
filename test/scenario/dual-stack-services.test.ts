/**
 * Dual-stack Services from the manifest to the packets: two ClusterIPs, slices of each family, clients of
 * each family by every way in, DNS, and what `sim rules` and `sim trace` show of it.
 *
 * Seen to fail: with the rules of one family made of the other's slices too, with only the primary
 * ClusterIP programmed, with both record types asked whatever the client speaks, with affinity forgotten, and
 * with a trace that takes the Service's primary address whatever the sender has. Of the lags: with slices of both
 * families handed to the proxier of one.
 */
import { describe, expect, test } from "vitest";
import { seconds } from "../../src/engine/index.ts";
import { nodeRules, traceFirstPacket } from "../../src/inspect/index.ts";
import { familyOf, type IpFamily } from "../../src/kubernetes/api/types.ts";
import { Recording } from "../../src/observe/index.ts";
import { outcomeNames } from "../../src/observe/observations.ts";
import { compile, type Run } from "../../src/scenario/compile.ts";
import { defaultProfile } from "../../src/scenario/profile.ts";
import type { ResolvedScenario } from "../../src/scenario/resolved.ts";
import { DNS_PORT } from "../../src/workload/dns/server.ts";
import { tallied } from "../mechanism/tally.ts";
import { loadFiles, mistakesIn } from "./files.ts";

type Row = Readonly<Record<string, unknown>>;

const CLUSTER = `nodes: 2, manifests: ["web.yaml"],
    podCIDR: "10.244.0.0/16,fd00:10:244::/56", nodeCIDR: "172.18.0.0/16,fc00:f853:ccd:e793::/64",
    serviceCIDR: "10.96.0.0/16,fd00:10:96::/112"`;

const service = (name: string, spec: string): string => `---
apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { selector: { app: web }, ports: [{ port: 8080, targetPort: 80 }], ${spec} }
`;

const manifest = `apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: 4
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      containers: [{ name: web, image: web, ports: [{ containerPort: 80 }] }]
${service("web", "type: LoadBalancer, ipFamilyPolicy: RequireDualStack, externalIPs: [192.0.2.80, '2001:db8:e::80']")}
${service("prefer", "ipFamilyPolicy: PreferDualStack, ipFamilies: [IPv6]")}
${service("single", "ipFamilyPolicy: SingleStack")}
${service("sticky", "ipFamilyPolicy: RequireDualStack, sessionAffinity: ClientIP")}
${service("direct", "clusterIP: None, ipFamilyPolicy: PreferDualStack")}`;

const WAYS = {
  clusterIP: 'to: "svc/web:8080"',
  nodePort: 'from: outside(1), to: nodePort("svc/web:8080")',
  externalIP: 'from: outside(1), to: externalIP("svc/web:8080")',
  loadBalancer: 'from: outside(1), to: loadBalancer("svc/web:8080")',
  dns: 'to: "dns://web:8080"',
  headless: 'to: "dns://direct:80"',
};
const FAMILIES = { v4: "IPv4", v6: "IPv6" } as const;

interface Client {
  readonly name: string;
  readonly fields: string;
}

const files = (clients: readonly Client[], more = "") => ({
  "scenario.ts": `import { defineScenario, externalIP, loadBalancer, nodePort, openLoop, outside } from "podstorm";
export default defineScenario({
  duration: "4s",
  cluster: { ${CLUSTER}, dns: {} },
  clients: [${clients.map(({ name, fields }) => `{ name: "${name}", ${fields}, load: openLoop(40) }`).join()}],
  ${more}
} as any);
`,
  "web.yaml": manifest,
});

const all: readonly Client[] = Object.entries(WAYS).flatMap(([way, fields]) =>
  Object.entries(FAMILIES).map(([short, family]) => ({
    name: `${way.toLowerCase()}-${short}`,
    fields: `${fields}, ipFamily: "${family}"`,
  })),
);

async function load(clients: readonly Client[], mode = "iptables"): Promise<ResolvedScenario> {
  const profile = `profile: { kubernetes: { kubeProxy: { mode: "${mode}" } } },`;
  return loadFiles(files(clients, profile), { profile: defaultProfile });
}

function connectedFamilies(run: Run, asked: Map<string, Set<IpFamily>>): void {
  const { transport } = run;
  const { addresses } = transport.network;
  const connect = transport.connect.bind(transport);
  transport.connect = (namespace, address, port, ...rest) => {
    // Not what a resolver asks its name server by.
    if (port !== DNS_PORT) {
      const known = asked.get(namespace.name) ?? new Set();
      asked.set(namespace.name, known.add(familyOf(addresses.text(address))));
    }
    return connect(namespace, address, port, ...rest);
  };
}

interface Seen {
  readonly run: Run;
  readonly scenario: ResolvedScenario;
  /** By client. */
  readonly outcomes: Readonly<Record<string, readonly string[]>>;
  readonly queries: readonly number[];
  /** The endpoint of each connection that a node routed. */
  readonly routed: readonly number[];
  /** Families that each client has dialled. */
  readonly dialled: Readonly<Record<string, readonly IpFamily[]>>;
}

async function play(clients: readonly Client[], mode?: string): Promise<Seen> {
  const scenario = await load(clients, mode);
  const outcomes = new Map<string, Set<string>>();
  const queries = clients.map(() => 0);
  const routed: number[] = [];
  const run = compile(scenario, [
    {
      requestEnded: (client, _service, outcome) => {
        const { name } = scenario.clients[client]!;
        outcomes.set(name, (outcomes.get(name) ?? new Set()).add(outcomeNames[outcome]!));
      },
      connectionRouted: (_node, endpoint) => void routed.push(endpoint),
      dnsQuerySent: (client) => void queries[client]!++,
    },
  ]);
  const asked = new Map<string, Set<IpFamily>>();
  connectedFamilies(run, asked);
  run.runUntil(scenario.durationNs);
  const dialled = scenario.clients.map(({ name, from }) => {
    const namespace = from.kind === "pod" ? `client-${name}-0` : `${name}-0`;
    return [name, [...(asked.get(namespace) ?? [])].toSorted()] as const;
  });
  return {
    run,
    scenario,
    outcomes: Object.fromEntries([...outcomes].map(([name, each]) => [name, [...each]])),
    queries,
    routed,
    dialled: Object.fromEntries(dialled),
  };
}

describe.each(["iptables", "nftables", "ipvs", "ebpf"])("in %s mode", (mode) => {
  test("clients of each family are served by every way in, in their family alone", async () => {
    const { run, outcomes, dialled, scenario } = await play(all, mode);
    expect(outcomes).toEqual(Object.fromEntries(all.map(({ name }) => [name, ["served"]])));
    for (const { name, ipFamily } of scenario.clients) expect(dialled[name]).toEqual([ipFamily]);
    expect(run.finish().brokenLaws).toEqual([]);
  });

  test.each(["IPv4", "IPv6"])("affinity holds for %s", async (family) => {
    const client = (name: string) => ({
      name,
      fields: `to: "svc/${name}:8080", ipFamily: "${family}"`,
    });
    const sticky = await play([client("sticky")], mode);
    expect(sticky.routed.length).toBeGreaterThan(100);
    expect(new Set(sticky.routed).size).toBe(1);
    const free = await play([client("web")], mode);
    expect(new Set(free.routed).size).toBe(4);
  });
});

test("policies give Services one address or two, and slices have one family each", async () => {
  const { run, scenario } = await play([]);
  const { api } = run.cluster;
  const ipsOf = (name: string): readonly string[] =>
    scenario.cluster.services.find(({ metadata }) => metadata.name === name)!.spec.clusterIPs!;
  expect(ipsOf("web").map(familyOf)).toEqual(["IPv4", "IPv6"]);
  expect(ipsOf("prefer").map(familyOf)).toEqual(["IPv6", "IPv4"]);
  expect(ipsOf("single").map(familyOf)).toEqual(["IPv4"]);
  expect(ipsOf("direct")).toEqual(["None"]);
  const pods = [...api.list("Pod")].filter(({ metadata }) => metadata.labels["app"] === "web");
  const podIPs = (family: IpFamily): string[] =>
    pods.flatMap(({ status }) => status.podIPs).filter((ip) => familyOf(ip) === family);
  expect(podIPs("IPv6")).toHaveLength(4);
  for (const name of ["web", "prefer", "direct"]) {
    const slices = [...api.list("EndpointSlice")].filter((s) => s.service === `default/${name}`);
    expect(slices.map(({ addressType }) => addressType).toSorted()).toEqual(["IPv4", "IPv6"]);
    for (const { addressType, endpoints } of slices) {
      const found = endpoints.map(({ address }) => address);
      expect(found.toSorted()).toEqual(podIPs(addressType).toSorted());
    }
  }
});

test("DNS answers A and AAAA; who speaks one family asks for that one only", async () => {
  const clients = [
    { name: "both", fields: WAYS.dns },
    { name: "v6", fields: `${WAYS.dns}, ipFamily: "IPv6"` },
    { name: "none", fields: 'to: "dns://single:8080", ipFamily: "IPv4"' },
  ];
  const { outcomes, dialled, queries } = await play(clients);
  expect(outcomes).toEqual({ both: ["served"], v6: ["served"], none: ["served"] });
  // RFC 6724: IPv6 first, for a pod that has such an address.
  expect(dialled).toEqual({ both: ["IPv6"], v6: ["IPv6"], none: ["IPv4"] });
  const [both, v6] = queries as [number, number];
  expect(both / v6).toBeGreaterThan(1.5);
});

test("rules and traces are of the family that was asked for, in every mode that is rendered", async () => {
  for (const mode of ["iptables", "nftables", "ipvs"]) {
    const scenario = await load([{ name: "c", fields: WAYS.clusterIP }], mode);
    const run = compile(scenario, []);
    run.runUntil(seconds(1));
    const text = (family: 4 | 6): string => nodeRules(run, scenario, "node-1", family).join("\n");
    const [ip4, ip6] = scenario.cluster.services.find(({ metadata }) => metadata.name === "web")!
      .spec.clusterIPs!;
    expect(text(4)).toContain(ip4);
    expect(text(4)).not.toContain("fd00:");
    expect(text(6)).toContain(ip6);
    expect(text(6)).not.toMatch(/\b10\.\d+\.\d+\.\d+/);
    for (const [family, address] of [
      [4, `${ip4}:8080`],
      [6, `[${ip6}]:8080`],
    ] as const) {
      const traced = traceFirstPacket(run, scenario, {
        from: "pod/client-c-0",
        to: "svc/web:8080",
        family,
      });
      expect(traced.aimedAt).toBe(address);
      expect(traced.verdict.kind).toBe("delivered");
      const translated = traced.steps.find((step) => step.kind === "netfilter")!;
      const pod = family === 4 ? /^10\.244\..*:80$/ : /^\[fd00:10:244:.*\]:80$/;
      expect(translated.after.destination).toMatch(pod);
      expect(translated.rules.length).toBeGreaterThan(0);
    }
  }
});

test("a change is in force in each family by its own sync, and the results tell them apart", async () => {
  const fields = 'to: "svc/web:8080", ipFamily: "IPv6"';
  const fault = 'faults: [p.resetPods({ selector: "app=web", fraction: 0.25, at: "1s" })],';
  const text = files([{ name: "six", fields }], fault);
  const scenario = await loadFiles(
    {
      ...text,
      "scenario.ts": `import * as p from "podstorm";\n${text["scenario.ts"]}`.replace(
        '"4s"',
        '"8s"',
      ),
    },
    { profile: defaultProfile },
  );
  const recording = new Recording();
  const { run, end } = tallied(scenario, recording.observers);
  const rows = (file: string): Row[] => {
    const table = recording
      .tables({ ...end, endNs: run.nowNs })
      .find((each) => each.file === file)!;
    return [...table.rows].map((row) =>
      Object.fromEntries(table.columns.map((column, i) => [column, row[i]])),
    );
  };
  const proxiers = rows("kube_proxy.csv");
  expect(proxiers.map((row) => [row["node"], row["ip_family"]])).toEqual(
    ["node-1", "node-2"].flatMap((node) => [
      [node, "IPv4"],
      [node, "IPv6"],
    ]),
  );
  for (const row of proxiers) expect(row["syncs"], String(row["ip_family"])).toBeGreaterThan(0);
  // The client stands on one node and speaks IPv6.
  const walked = proxiers.filter((row) => row["ip_family"] === "IPv6");
  expect(walked.map((row) => (row["first_packets"] as number) > 0)).toContain(true);
  // Of a dual-stack Service, each address of the pod that goes has a row for each node.
  const removed = rows("endpoint_update_lag.csv").filter(
    (row) => row["service"] === "default/web" && row["change"] === "removed",
  );
  const families = removed.map((row) => familyOf(String(row["endpoint"]).replace(/:80$/, "")));
  expect(families.toSorted()).toEqual(["IPv4", "IPv4", "IPv6", "IPv6"]);
  expect(removed.every((row) => (row["lag_ns"] as number) > 0)).toBe(true);
  // The slices are written one after the other, and each family's proxier is told of its own.
  expect(new Set(removed.map((row) => row["lag_ns"])).size).toBe(4);
  const skew = rows("load_skew.csv").find((row) => row["service"] === "default/web")!;
  expect(skew["endpoints"]).toBe(4);
});

test.each([
  ['to: "svc/single:8080", ipFamily: "IPv6"', "IPv6, in which default/single has no such address"],
  ['to: "dns://single:8080", ipFamily: "IPv6"', "in which default/single has no such address"],
  ['to: "svc/web:8080", ipFamily: "ipv6"', 'allowed: "IPv4", "IPv6"'],
])("%s is refused", async (fields, told) => {
  const found = await mistakesIn(files([{ name: "c", fields }]), { profile: defaultProfile });
  expect(found.join("\n")).toContain(told);
});

test("a connection to a Service of IPv6 that is open at the end breaks no law", async () => {
  const fields = 'to: "svc/prefer:8080", ipFamily: "IPv6"';
  const scenario = await load([
    { name: "kept", fields: `${fields}, connections: { kind: "keepAlive" }` },
  ]);
  const run = compile(scenario, []);
  run.runUntil(seconds(4));
  expect(run.transport.sockets.inUse).toBeGreaterThan(0);
  // Seen to fail while the law took a pod's first address for its only one.
  expect(run.finish().brokenLaws).toEqual([]);
});
