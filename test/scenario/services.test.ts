/**
 * Services as manifests write them: what the API server refuses has its place, and what it gives is given.
 *
 * Seen to fail: without checkServiceFields (all of "combinations"), with familiesOf returning IPv4 always,
 * with initNodePorts' sharing left out, and with users' slices dropped in keptEndpoints.
 */
import { describe, expect, test } from "vitest";
import { RandomStreams } from "../../src/engine/index.ts";
import type { Service } from "../../src/kubernetes/api/types.ts";
import { allocateServices } from "../../src/scenario/allocate.ts";
import { noObjects, readManifestFile } from "../../src/scenario/manifests/read.ts";
import { FileMistakes, formatMistakes, type Mistake } from "../../src/scenario/mistakes.ts";
import { loadFiles, mistakesIn, scenarioText, webManifest } from "./files.ts";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A Service of `web` whose spec stands on line 22 from column 9, and its status on line 23. */
function withService(spec: string, status = ""): string {
  const text = `---\napiVersion: v1\nkind: Service\nmetadata: { name: two }\nspec: { ${spec} }\n${status}`;
  return webManifest() + text;
}

const SELECTED = "selector: { app: web }, ports: [{ port: 1, targetPort: 80 }]";

async function mistakes(spec: string, status = ""): Promise<string[]> {
  return mistakesIn({ "scenario.ts": scenarioText(), "web.yaml": withService(spec, status) });
}

describe("combinations that the API server refuses", () => {
  test.each<[string, string, string]>([
    [
      "healthCheckNodePort without policy Local",
      `type: LoadBalancer, healthCheckNodePort: 31000, ${SELECTED}`,
      'web.yaml:22:29 spec.healthCheckNodePort: 31000; allowed: type "LoadBalancer" with externalTrafficPolicy "Local"',
    ],
    [
      "healthCheckNodePort out of range",
      `type: LoadBalancer, externalTrafficPolicy: Local, healthCheckNodePort: 80, ${SELECTED}`,
      "web.yaml:22:59 spec.healthCheckNodePort: 80; allowed: a node port from 30000 to 32767",
    ],
    [
      "an external policy that nothing external meets",
      `externalTrafficPolicy: Local, ${SELECTED}`,
      'web.yaml:22:9 spec.externalTrafficPolicy: "Local" on a ClusterIP Service without external IPs; allowed: type "NodePort", "LoadBalancer", or externalIPs',
    ],
    [
      "an external IP that is loopback",
      `externalIPs: [80.1.1.1, 127.0.0.1], ${SELECTED}`,
      "web.yaml:22:33 spec.externalIPs[1]: 127.0.0.1 is a loopback address; allowed: an address that packets can be sent to",
    ],
    [
      "an external IP that is none",
      `externalIPs: [80.1.1], ${SELECTED}`,
      'web.yaml:22:23 spec.externalIPs[0]: "80.1.1"; allowed: an IP address',
    ],
    [
      "an affinity time-out of no time",
      `sessionAffinity: ClientIP, sessionAffinityConfig: { clientIP: { timeoutSeconds: 0 } }, ${SELECTED}`,
      "web.yaml:22:73 spec.sessionAffinityConfig.clientIP.timeoutSeconds: 0; allowed: seconds: a whole number from 1 to 86400",
    ],
    [
      "an affinity time-out of more than a day",
      `sessionAffinity: ClientIP, sessionAffinityConfig: { clientIP: { timeoutSeconds: 86401 } }, ${SELECTED}`,
      "web.yaml:22:73 spec.sessionAffinityConfig.clientIP.timeoutSeconds: 86401; allowed: seconds: a whole number from 1 to 86400",
    ],
    [
      "a configuration of no affinity",
      `sessionAffinityConfig: { clientIP: { timeoutSeconds: 9 } }, ${SELECTED}`,
      'web.yaml:22:9 spec.sessionAffinityConfig: without session affinity; allowed: sessionAffinity "ClientIP"',
    ],
    [
      "an ExternalName without a name",
      "type: ExternalName",
      "web.yaml:22:1 spec.externalName: missing; allowed: a DNS name",
    ],
    [
      "an ExternalName that is no name",
      "type: ExternalName, externalName: a_b",
      'web.yaml:22:29 spec.externalName: "a_b"; allowed: a DNS name',
    ],
    [
      "an ExternalName with a ClusterIP",
      "type: ExternalName, externalName: a.example, clusterIP: 10.96.0.9",
      "web.yaml:22:54 spec.clusterIP: on an ExternalName Service; allowed: no such field",
    ],
    [
      "a headless NodePort",
      `type: NodePort, clusterIP: None, ${SELECTED}`,
      'web.yaml:22:25 spec.clusterIP: "None" on a NodePort Service; allowed: type "ClusterIP"',
    ],
    [
      "source ranges without a load balancer",
      `loadBalancerSourceRanges: [10.0.0.0/8], ${SELECTED}`,
      'web.yaml:22:9 spec.loadBalancerSourceRanges: on a ClusterIP Service; allowed: type "LoadBalancer"',
    ],
    [
      "a source range that is none",
      `type: LoadBalancer, loadBalancerSourceRanges: [10.0.0.0/33], ${SELECTED}`,
      'web.yaml:22:56 spec.loadBalancerSourceRanges[0]: "10.0.0.0/33"; allowed: a CIDR such as "10.240.0.0/24"',
    ],
    [
      "node ports of a load balancer that there is none of",
      `allocateLoadBalancerNodePorts: false, ${SELECTED}`,
      'web.yaml:22:9 spec.allocateLoadBalancerNodePorts: on a ClusterIP Service; allowed: type "LoadBalancer"',
    ],
    [
      "a node port twice in one Service",
      "type: NodePort, selector: { app: web }, ports: [{ name: a, port: 1, targetPort: 80, nodePort: 31000 }, { name: b, port: 2, targetPort: 80, nodePort: 31000 }]",
      "web.yaml:22:148 spec.ports[1].nodePort: a second node port 31000/TCP; allowed: unique node ports",
    ],
    [
      "the kubelet's port",
      "type: LoadBalancer, selector: { app: web }, ports: [{ port: 10250, targetPort: 80 }]",
      "web.yaml:22:63 spec.ports[0].port: 10250 is the kubelet's; allowed: another port",
    ],
    [
      "a traffic distribution that there is not",
      `trafficDistribution: PreferSameRack, ${SELECTED}`,
      'web.yaml:22:9 spec.trafficDistribution: "PreferSameRack"; allowed: "PreferClose", "PreferSameZone", "PreferSameNode"',
    ],
    [
      "clusterIPs that clusterIP does not head",
      `clusterIP: 10.96.0.9, clusterIPs: [10.96.0.10], ${SELECTED}`,
      "web.yaml:22:31 spec.clusterIPs: 10.96.0.10 first, while clusterIP is 10.96.0.9; allowed: the same address first",
    ],
    [
      "dual stack where there is one family",
      `ipFamilyPolicy: RequireDualStack, ${SELECTED}`,
      'web.yaml:22:9 spec.ipFamilyPolicy: "RequireDualStack": this cluster is not configured for dual stack; allowed: Services of IPv4, by cluster.serviceCIDR',
    ],
    [
      "a family that the cluster has not",
      `ipFamilies: [IPv6], ${SELECTED}`,
      'web.yaml:22:22 spec.ipFamilies[0]: "IPv6" is not configured on this cluster; allowed: Services of IPv4, by cluster.serviceCIDR',
    ],
    [
      "a ClusterIP of a family that the cluster has not",
      `clusterIP: "fd00::9", ${SELECTED}`,
      "web.yaml:22:9 spec.clusterIP: fd00::9: IPv6 is not configured; allowed: Services of IPv4, by cluster.serviceCIDR",
    ],
  ])("%s", async (_, spec, expected) => {
    expect((await mistakes(spec))[0]).toBe(expected);
  });

  test("ipMode without ip, and a proxy that has no node port to dial", async () => {
    const status = (entry: string): string =>
      `status: { loadBalancer: { ingress: [{ ${entry} }] } }\n`;
    const spec = `type: LoadBalancer, allocateLoadBalancerNodePorts: false, ${SELECTED}`;
    expect(await mistakes(spec, status("hostname: a.example, ipMode: VIP"))).toEqual([
      "web.yaml:23:37 status.loadBalancer.ingress[0]: a proxy, which dials node ports; allowed: node ports, or ipMode VIP",
      'web.yaml:23:60 status.loadBalancer.ingress[0].ipMode: "VIP" without ip; allowed: ipMode beside ip only',
    ]);
    expect(await mistakes(spec, status("ip: 80.1.1.1, ipMode: VIP"))).toEqual([]);
    const udp = "type: LoadBalancer, selector: { app: web }, ports: [{ port: 1, protocol: UDP }]";
    expect(await mistakes(udp, status("ip: 80.1.1.1, ipMode: Proxy"))).toEqual([
      "web.yaml:23:37 status.loadBalancer.ingress[0]: a proxy, which carries TCP only so far; allowed: TCP ports, or ipMode VIP",
    ]);
  });

  test("the same fields where they belong", async () => {
    const spec = `type: LoadBalancer, externalTrafficPolicy: Local, healthCheckNodePort: 31000, internalTrafficPolicy: Local,
      sessionAffinity: ClientIP, sessionAffinityConfig: { clientIP: { timeoutSeconds: 86400 } }, loadBalancerIP: 80.1.1.2,
      externalIPs: [80.1.1.1], loadBalancerSourceRanges: [" 203.0.113.0/24"], trafficDistribution: PreferSameNode,
      allocateLoadBalancerNodePorts: false, publishNotReadyAddresses: true, ipFamilyPolicy: PreferDualStack, ${SELECTED}`;
    expect(await mistakes(spec)).toEqual([]);
    const { cluster } = await loadFiles({
      "scenario.ts": scenarioText(),
      "web.yaml": withService(spec),
    });
    expect(cluster.services[1]).toMatchObject({
      spec: {
        type: "LoadBalancer",
        externalTrafficPolicy: "Local",
        internalTrafficPolicy: "Local",
        healthCheckNodePort: 31_000,
        sessionAffinity: "ClientIP",
        sessionAffinityTimeoutNs: 86_400e9,
        externalIPs: ["80.1.1.1"],
        loadBalancerSourceRanges: ["203.0.113.0/24"],
        trafficDistribution: "PreferSameNode",
        publishNotReadyAddresses: true,
        ipFamilies: ["IPv4"],
        ports: [{ nodePort: null }],
      },
      status: { ingress: [{ ip: "80.1.1.2", ipMode: "VIP" }] },
    });
  });
});

/** Services of a manifest, allocated from these ranges, and the mistakes. */
function allocated(
  manifest: string,
  cidrs: readonly string[],
): { services: Service[]; found: string[] } {
  const folder = mkdtempSync(join(tmpdir(), "podstorm-test-"));
  try {
    const file = join(folder, "services.yaml");
    writeFileSync(file, manifest);
    const sink: Mistake[] = [];
    const objects = noObjects();
    readManifestFile(file, "services.yaml", objects, sink, () => {});
    const own = new FileMistakes("scenario.ts", () => null, sink);
    const services = allocateServices(objects.services, cidrs, new RandomStreams("1"), own);
    return { services, found: sink.map((mistake) => formatMistakes([mistake])) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function bare(name: string, spec: string): string {
  return `---\napiVersion: v1\nkind: Service\nmetadata: { name: ${name} }\nspec: { ${spec} }\n`;
}

describe("what the API server gives", () => {
  const DUAL = ["10.96.0.0/16", "fd00:10:96::/112"];
  const PORT = "ports: [{ port: 1 }]";

  test.each<[string, string, readonly string[]]>([
    ["no policy: the primary family alone", "selector: { a: b }", ["IPv4"]],
    ["PreferDualStack", "selector: { a: b }, ipFamilyPolicy: PreferDualStack", ["IPv4", "IPv6"]],
    [
      "RequireDualStack, IPv6 first",
      "selector: { a: b }, ipFamilyPolicy: RequireDualStack, ipFamilies: [IPv6]",
      ["IPv6", "IPv4"],
    ],
    ["a family by itself", "selector: { a: b }, ipFamilies: [IPv6]", ["IPv6"]],
    [
      "the family of the address asked for",
      'selector: { a: b }, clusterIP: "fd00:10:96::9"',
      ["IPv6"],
    ],
    ["headless without selector: both", "clusterIP: None", ["IPv4", "IPv6"]],
  ])("families of a Service: %s", (_, spec, families) => {
    const { services, found } = allocated(bare("a", `${spec}, ${PORT}`), DUAL);
    expect(found).toEqual([]);
    expect(services[0]!.spec.ipFamilies).toEqual(families);
    const { clusterIPs } = services[0]!.spec;
    if (spec.includes("None")) expect(clusterIPs).toEqual(["None"]);
    else {
      expect(clusterIPs!.map((each) => (each.includes(":") ? "IPv6" : "IPv4"))).toEqual(families);
      expect(services[0]!.spec.clusterIP).toBe(clusterIPs![0]);
    }
  });

  test("on one family PreferDualStack is content, and a headless Service without selector names both", () => {
    const one = ["10.96.0.0/16"];
    const prefer = allocated(bare("a", `ipFamilyPolicy: PreferDualStack, ${PORT}`), one);
    expect([prefer.found, prefer.services[0]!.spec.ipFamilies]).toEqual([[], ["IPv4"]]);
    const headless = allocated(bare("a", "clusterIP: None"), one);
    expect([headless.found, headless.services[0]!.spec.ipFamilies]).toEqual([[], ["IPv4", "IPv6"]]);
  });

  test("SingleStack with two of anything is refused where the policy stands", () => {
    const { found } = allocated(
      bare("a", `ipFamilyPolicy: SingleStack, ipFamilies: [IPv4, IPv6], ${PORT}`),
      DUAL,
    );
    expect(found[0]).toBe(
      'services.yaml:5:9 spec.ipFamilyPolicy: SingleStack with two IP families; allowed: "PreferDualStack", "RequireDualStack"',
    );
  });

  test("TCP and UDP of one number share a node port; two numbers do not", () => {
    const ports =
      "[{ name: a, port: 53, protocol: UDP }, { name: b, port: 53 }, { name: c, port: 80 }]";
    const { services } = allocated(bare("dns", `type: NodePort, ports: ${ports}`), DUAL);
    const [udp, tcp, other] = services[0]!.spec.ports.map(({ nodePort }) => nodePort);
    expect(udp).toBe(tcp);
    expect(other).not.toBe(tcp);
  });

  test("policy Local gets a health-check node port from the same range, and no two things share one", () => {
    const local = "type: LoadBalancer, externalTrafficPolicy: Local";
    const { services, found } = allocated(
      bare("a", `${local}, ${PORT}`) + bare("b", `${local}, healthCheckNodePort: 31000, ${PORT}`),
      DUAL,
    );
    expect(found).toEqual([]);
    const given = services.flatMap(({ spec }) => [
      spec.healthCheckNodePort!,
      spec.ports[0]!.nodePort!,
    ]);
    expect(new Set(given).size).toBe(4);
    // Dynamic ports lie above the static band of 86.
    expect(
      given.filter((port) => port !== 31_000).every((port) => port >= 30_086 && port <= 32_767),
    ).toBe(true);
    expect(services[1]!.spec.healthCheckNodePort).toBe(31_000);
  });

  test("a health-check node port that another Service has is refused", () => {
    const { found } = allocated(
      bare("a", "type: NodePort, ports: [{ port: 1, nodePort: 31000 }]") +
        bare(
          "b",
          `type: LoadBalancer, externalTrafficPolicy: Local, healthCheckNodePort: 31000, ${PORT}`,
        ),
      DUAL,
    );
    expect(found).toEqual([
      "services.yaml:10:59 spec.healthCheckNodePort: 31000 is taken by Service default/a; allowed: a node port from 30000 to 32767 that no other Service has",
    ]);
  });

  test("a used-up range of ClusterIPs is one mistake, of node ports one for each port", () => {
    // A /28 has 14 addresses, of which default/kubernetes has one.
    const many = Array.from({ length: 15 }, (_, i) => bare(`s${i}`, PORT)).join("");
    expect(allocated(many, ["10.96.0.0/28"]).found).toEqual([
      "scenario.ts cluster.serviceCIDR: 10.96.0.0/28 is used up; allowed: a wider range: every Service needs an address",
    ]);
    // 2768 node ports in all.
    const ports = Array.from({ length: 2769 }, (_, i) => `{ name: p${i}, port: ${i + 1} }`);
    const { found } = allocated(bare("wide", `type: NodePort, ports: [${ports.join(", ")}]`), DUAL);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(
      /^services.yaml:5:\d+ spec.ports\[2768\]: no node port from 30000 to 32767 is left/,
    );
  });

  test("load balancers get addresses for documentation, none twice, and not those that manifests name", () => {
    const balancer = (name: string, more: string): string =>
      bare(name, `type: LoadBalancer, ${more}${PORT}`);
    const { services, found } = allocated(
      balancer("a", "") +
        balancer("b", "ipFamilyPolicy: PreferDualStack, ") +
        balancer("c", "loadBalancerIP: 192.0.2.2, "),
      DUAL,
    );
    expect(found).toEqual([]);
    const ips = services.map(({ status }) => status!.ingress.map(({ ip }) => ip));
    expect(ips).toEqual([["192.0.2.1"], ["192.0.2.3", "2001:db8:0:2::1"], ["192.0.2.2"]]);
  });

  test("two Services on one address and port are refused, on two ports they are not", () => {
    const at = (name: string, port: number): string =>
      bare(name, `type: LoadBalancer, loadBalancerIP: 80.1.1.1, ports: [{ port: ${port} }]`);
    expect(allocated(at("a", 1) + at("b", 2), DUAL).found).toEqual([]);
    expect(allocated(at("a", 1) + at("b", 1), DUAL).found).toEqual([
      "services.yaml:10:29 spec.loadBalancerIP: 80.1.1.1:1/TCP is taken by Service default/a; allowed: an address of its own",
    ]);
  });
});

describe("EndpointSlices and Endpoints in manifests", () => {
  const own = `---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: mine, labels: { kubernetes.io/service-name: two } }
addressType: IPv4
ports: [{ name: "", port: 80 }]
endpoints:
  - { addresses: [10.244.0.9], conditions: { ready: false, terminating: true }, nodeName: node-1, zone: z, hints: { forZones: [{ name: z }] } }
  - { addresses: [10.244.0.10] }
`;

  async function load(manifest: string) {
    return loadFiles({ "scenario.ts": scenarioText(), "web.yaml": manifest });
  }

  test("a user's slice is kept as it is, absent conditions as Kubernetes reads them", async () => {
    const { cluster } = await load(withService("ports: [{ port: 1 }]") + own);
    expect(cluster.endpointSlices).toMatchObject([
      {
        service: "default/two",
        addressType: "IPv4",
        ports: [{ name: null, protocol: "TCP", port: 80 }],
        endpoints: [
          {
            address: "10.244.0.9",
            nodeName: "node-1",
            zone: "z",
            zoneHints: ["z"],
            conditions: { ready: false, serving: true, terminating: true },
          },
          {
            address: "10.244.0.10",
            conditions: { ready: true, serving: true, terminating: false },
          },
        ],
      },
    ]);
  });

  test("Endpoints are mirrored for a Service without a selector, and only for one", async () => {
    const endpoints = (name: string, labels = ""): string => `---
apiVersion: v1
kind: Endpoints
metadata: { name: ${name}${labels} }
subsets: [{ addresses: [{ ip: 10.244.0.9 }], ports: [{ port: 80 }] }]
`;
    const { cluster, ignored } = await load(
      withService("ports: [{ port: 1 }]") + endpoints("two") + endpoints("web") + endpoints("gone"),
    );
    expect(cluster.endpoints.map(({ metadata }) => metadata.name)).toEqual(["two"]);
    expect(ignored.map(({ object, reason }) => `${object}: ${reason}`)).toEqual([
      "Endpoints web: the EndpointSlice controller makes slices of the Service's selector",
      "Endpoints gone: no Service of that name",
    ]);
    const skip = ', labels: { endpointslice.kubernetes.io/skip-mirror: "true" }';
    const skipped = await load(withService("ports: [{ port: 1 }]") + endpoints("two", skip));
    expect(skipped.cluster.endpoints).toEqual([]);
  });

  test("what a controller made, what is of no Service, and a Service with nothing behind it are listed", async () => {
    const managed = own.replace(
      "labels: {",
      "labels: { endpointslice.kubernetes.io/managed-by: endpointslice-controller.k8s.io,",
    );
    const { cluster, ignored } = await load(
      withService("ports: [{ port: 1 }]") +
        managed +
        own.replace("service-name: two", "service-name: other").replace("mine", "stray") +
        own
          .replace("labels: { kubernetes.io/service-name: two }", "labels: {}")
          .replace("mine", "lost"),
    );
    expect(cluster.endpointSlices).toEqual([]);
    expect(ignored.map(({ object, reason }) => `${object}: ${reason}`)).toEqual([
      "EndpointSlice mine: the simulated controller makes its own",
      "EndpointSlice lost: belongs to no Service: no label kubernetes.io/service-name",
      "EndpointSlice stray: no Service default/other",
      "Service two: no selector, and no EndpointSlice either: connections are refused",
    ]);
  });

  // Broken on purpose: nothing said of it; said of headless Services too, whose DNS has no use for the names.
  test("a slice's port that no Service port has by name is listed: kube-proxy makes no rule of it", async () => {
    const named = own.replace('{ name: "", port: 80 }', "{ name: web, port: 80 }");
    const reasons = async (spec: string, slice: string): Promise<string[]> => {
      const { cluster, ignored } = await load(withService(spec) + slice);
      expect(cluster.endpointSlices).toHaveLength(1);
      const own = ignored.filter(({ object }) => object === "EndpointSlice mine");
      return own.map(({ reason }) => reason);
    };
    expect(await reasons("ports: [{ port: 1 }]", named)).toEqual([
      'no port of Service two has the name "web" (it has ""): kube-proxy makes no rule of it',
    ]);
    expect(await reasons("ports: [{ port: 1, name: web }]", named)).toEqual([]);
    expect(await reasons("clusterIP: None, ports: [{ port: 1 }]", named)).toEqual([]);
  });

  test("a slice's mistakes have their place", async () => {
    const wrong = own
      .replace("10.244.0.10", '"fd00::1"')
      .replace("addressType: IPv4", "addressType: ipv4");
    const lines = (manifest: string) =>
      mistakesIn({
        "scenario.ts": scenarioText(),
        "web.yaml": withService("ports: [{ port: 1 }]") + manifest,
      });
    expect(await lines(wrong)).toEqual([
      'web.yaml:27:1 addressType: "ipv4"; allowed: "IPv4", "IPv6", "FQDN" (did you mean "IPv4"?)',
    ]);
    expect(await lines(own.replace("10.244.0.10", '"fd00::1"'))).toEqual([
      'web.yaml:31:19 endpoints[1].addresses[0]: "fd00::1"; allowed: an IPv4 address',
    ]);
    expect(await lines(own.replace("10.244.0.10", "127.0.0.1"))).toEqual([
      "web.yaml:31:19 endpoints[1].addresses[0]: 127.0.0.1 is a loopback address; allowed: an address that packets can be sent to",
    ]);
  });
});

describe("what a client may aim at", () => {
  const aim = async (to: string, service: string): Promise<string[]> => {
    const client = `clients: [{ name: "c", from: outside(1), to: ${to}, load: openLoop(1) }]`;
    const text = scenarioText(client).replace("pods }", "pods, externalIP, loadBalancer }");
    return mistakesIn({
      "scenario.ts": text,
      "web.yaml": webManifest({ service: `\n  ${service}` }),
    });
  };

  test.each<[string, string, string, readonly string[]]>([
    ["an external IP", 'externalIP("svc/web")', "externalIPs: [80.1.1.1]", []],
    ["a load balancer", 'loadBalancer("svc/web")', "type: LoadBalancer", []],
    [
      "an external IP that is not there",
      'externalIP("svc/web")',
      "type: NodePort",
      [
        "scenario.ts:5:59 clients[0].to.service: Service default/web is of type NodePort and has no external IP; allowed: a Service with externalIPs",
      ],
    ],
    [
      "a load balancer that is not there",
      'loadBalancer("svc/web:8080")',
      "type: NodePort",
      [
        'scenario.ts:5:61 clients[0].to.service: Service default/web is of type NodePort and has no load balancer; allowed: a Service of type "LoadBalancer"',
      ],
    ],
    [
      "a headless Service",
      '"svc/web:8080"',
      "clusterIP: None",
      [
        'scenario.ts:5:44 clients[0].to: default/web is a headless Service, which only DNS leads to; allowed: "dns://web.default:PORT", with cluster.dns: {}',
      ],
    ],
    [
      "an ExternalName",
      '"svc/web:8080"',
      "type: ExternalName\n  externalName: db.example.com",
      [
        'scenario.ts:5:44 clients[0].to: default/web is an ExternalName, which only DNS leads to; allowed: "dns://web.default:PORT", with cluster.dns: {}',
      ],
    ],
  ])("%s", async (_, to, service, expected) => {
    const found = await aim(to, service);
    if (service.startsWith("cluster") || service.includes("ExternalName"))
      expect(found[0]).toBe(expected[0]);
    else expect(found).toEqual(expected);
  });
});

test("zones label the generated nodes in turn", async () => {
  const text = scenarioText('cluster: { nodes: 5, zones: 3, manifests: ["web.yaml"] },');
  const { cluster } = await loadFiles({ "scenario.ts": text, "web.yaml": webManifest() });
  const zones = cluster.nodes.map(({ metadata }) => metadata.labels["topology.kubernetes.io/zone"]);
  expect(zones).toEqual(["zone-1", "zone-2", "zone-3", "zone-1", "zone-2"]);
});
