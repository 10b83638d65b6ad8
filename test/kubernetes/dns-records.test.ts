/**
 * Plugin kubernetes: which records a cluster comes to, and how large a message with them is. Sources:
 * CoreDNS, plugin/kubernetes (parse.go, kubernetes.go, reverse.go), plugin/backend_lookup.go; RFC 1035, 2782,
 * 3596, 6891.
 */
import { describe, expect, test } from "vitest";
import { Simulation } from "../../src/engine/index.ts";
import { SimulatedApiServer } from "../../src/kubernetes/api/server.ts";
import type { EndpointSlice, Service } from "../../src/kubernetes/api/types.ts";
import {
  DnsMessages,
  Rcode,
  RecordType,
  reverseName,
  type DnsAnswer,
} from "../../src/kubernetes/dns/messages.ts";
import { ClusterRecords } from "../../src/kubernetes/dns/records.ts";
import { AddressTable } from "../../src/network/address.ts";
import { endpoint, exactApi, service, slice } from "../helpers/kube-objects.ts";

const ports: Service["spec"]["ports"] = [
  { name: "http", protocol: "TCP", port: 80, targetPort: 8080, nodePort: null },
  { name: "dns", protocol: "UDP", port: 53, targetPort: 5353, nodePort: null },
];
const web = service({ ports, clusterIPs: ["10.96.0.10", "fd00:96::10"] });
const db = service({ clusterIP: "None", ports }, "db");
const ext = service({ type: "ExternalName", externalName: "db.example.com.", ports }, "ext");
const inSlice = (of: Service, endpoints: EndpointSlice["endpoints"]): EndpointSlice => ({
  ...slice(`${of.metadata.name}-1`, endpoints, of),
  ports: [
    { name: "http", protocol: "TCP", port: 8080 },
    { name: "dns", protocol: "UDP", port: 5353 },
  ],
});
const pods = [
  endpoint("10.0.0.1", { hostname: "db-0" }),
  endpoint("10.0.0.2"),
  endpoint("10.0.0.3", { conditions: { ready: false } }),
];

/** What is answered, in words: "NXDOMAIN", "NODATA", or the records. */
function asked(name: string, type: keyof typeof RecordType): string | readonly string[] {
  const api = new SimulatedApiServer(new Simulation({ seed: "dns" }), exactApi);
  for (const each of [web, db, ext]) api.preload("Service", each);
  for (const each of [inSlice(db, pods), inSlice(web, pods)]) api.preload("EndpointSlice", each);
  const addresses = new AddressTable();
  const records = new ClusterRecords(api, addresses, "coredns", "cluster.local");
  const found = records.lookup(name, RecordType[type]);
  if (found === null) return "falls through";
  if (found.rcode === Rcode.NXDOMAIN) return "NXDOMAIN";
  if (found.alias !== null) return [`CNAME ${found.alias}`];
  const all = [
    ...found.addresses.map((id) => addresses.text(id)),
    ...(found.services ?? []).map(({ port, target }) => `${port} ${target}`),
    ...(found.names ?? []),
  ];
  return all.length === 0 ? "NODATA" : all;
}

describe("a name of the cluster", () => {
  // Broken on purpose: an SRV record of the Service's port for a headless one (80); partOf() without "endpoint".
  test.each([
    ["web.default.svc", "A", ["10.96.0.10"]],
    ["web.default.svc", "AAAA", ["fd00:96::10"]],
    ["_http._tcp.web.default.svc", "SRV", ["80 web.default.svc.cluster.local"]],
    ["_http._udp.web.default.svc", "SRV", "NXDOMAIN"],
    ["_ftp._tcp.web.default.svc", "SRV", "NXDOMAIN"],
    ["_http._tcp.web.default.svc", "A", ["10.96.0.10"]],
    // Without a port, a record of each.
    [
      "web.default.svc",
      "SRV",
      ["80 web.default.svc.cluster.local", "53 web.default.svc.cluster.local"],
    ],
    // A pod's port, and a name for each: its host name, else its address. Ready ones only.
    [
      "_http._tcp.db.default.svc",
      "SRV",
      ["8080 db-0.db.default.svc.cluster.local", "8080 10-0-0-2.db.default.svc.cluster.local"],
    ],
    ["db.default.svc", "A", ["10.0.0.1", "10.0.0.2"]],
    ["db.default.svc", "AAAA", "NODATA"],
    ["db-0.db.default.svc", "A", ["10.0.0.1"]],
    ["10-0-0-1.db.default.svc", "A", "NXDOMAIN"],
    ["10-0-0-2.db.default.svc", "A", ["10.0.0.2"]],
    ["10-0-0-3.db.default.svc", "A", "NXDOMAIN"],
    // Endpoints of a Service with an address have names as well.
    ["10-0-0-2.web.default.svc", "A", ["10.0.0.2"]],
    ["ext.default.svc", "A", ["CNAME db.example.com"]],
    ["ext.default.svc", "SRV", "NODATA"],
    ["x.ext.default.svc", "A", "NXDOMAIN"],
    // `pods insecure`: what the name says, whether or not it is there.
    ["10-9-8-7.default.pod", "A", ["10.9.8.7"]],
    ["10-9-8-7.default.pod", "AAAA", "NODATA"],
    ["fd00--5.default.pod", "AAAA", ["fd00::5"]],
    ["10-9-8-7.nowhere.pod", "A", "NXDOMAIN"],
    ["web.default.pod", "A", "NXDOMAIN"],
    ["default.svc", "A", "NODATA"],
    ["nowhere.svc", "A", "NXDOMAIN"],
    ["svc", "A", "NODATA"],
    ["a.b.c.web.default.svc", "A", "NXDOMAIN"],
    ["web.default.wrong", "A", "NXDOMAIN"],
  ] as const)("%s %s", (name, type, expected) => {
    expect(asked(`${name}.cluster.local`, type)).toEqual(expected);
  });

  test("the domain itself has no record", () => {
    expect(asked("cluster.local", "A")).toBe("NODATA");
  });
});

describe("an address", () => {
  // Broken on purpose: endpoints looked at before Services; only the first Service of an endpoint.
  test.each([
    ["10.96.0.10", ["web.default.svc.cluster.local"]],
    ["fd00:96::10", ["web.default.svc.cluster.local"]],
    // Of an endpoint, one name for each Service.
    ["10.0.0.1", ["db-0.db.default.svc.cluster.local", "db-0.web.default.svc.cluster.local"]],
    ["10.0.0.3", "falls through"],
    ["8.8.8.8", "falls through"],
  ])("%s", (address, expected) => expect(asked(reverseName(address), "PTR")).toEqual(expected));

  test("has a name in reverse", () => {
    expect(reverseName("10.96.0.1")).toBe("1.0.96.10.in-addr.arpa");
    // The example of RFC 3596, 2.5.
    expect(reverseName("4321:0:1:2:3:4:567:89ab")).toBe(
      "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.0.0.0.0.1.2.3.4.ip6.arpa",
    );
    expect(reverseName("fd00::5")).toMatch(/^5(\.0){27}\.0\.0\.d\.f\.ip6\.arpa$/);
  });

  test("has no address in the reverse zone: another server is asked", () => {
    expect(asked(reverseName("10.96.0.10"), "A")).toBe("falls through");
  });
});

describe("what fits a datagram", () => {
  const addresses = new AddressTable();
  const messages = new DnsMessages(addresses);
  const question = messages.question("web.default.svc.cluster.local", RecordType.A);
  const of = (count: number): DnsAnswer => ({
    rcode: Rcode.NOERROR,
    addresses: Array.from({ length: count }, (_, i) => addresses.intern(`10.0.0.${i + 1}`)),
    aliases: 0,
    ttlSeconds: 30,
  });

  // Header 12, question 31 + 4, and 16 for each address: 29 of them are 511 bytes, 30 are 527.
  // Broken on purpose: cut at a byte less; the OPT record (11 bytes) not counted.
  test("29 addresses without EDNS, and a 30th is left out", () => {
    expect(messages.fitted(question, of(29), 512, false)).toEqual(of(29));
    const cut = messages.fitted(question, of(30), 512, false);
    expect([cut.addresses.length, cut.truncated]).toEqual([29, true]);
    expect(messages.answerBytes(question, cut)).toBe(511);
    expect(messages.fitted(question, of(29), 511, false).truncated).toBeUndefined();
    expect(messages.fitted(question, of(29), 521, true).addresses).toHaveLength(28);
    expect(messages.fitted(question, of(29), 522, true).truncated).toBeUndefined();
  });

  test("of SRV records, all before an address of one of their targets", () => {
    const target = "db-0.db.default.svc.cluster.local";
    const answer: DnsAnswer = {
      ...of(0),
      services: Array.from({ length: 4 }, (_, i) => ({ port: 80 + i, target })),
      additional: of(4).addresses,
    };
    // 47 before them; 12 + 6 + 35 for each record, and 16 for each address.
    expect(messages.answerBytes(question, answer)).toBe(47 + 4 * 53 + 4 * 16);
    const counts = (bytes: number): (number | undefined)[] => {
      const { services, additional, truncated } = messages.fitted(question, answer, bytes, false);
      return [services?.length, additional?.length, Number(truncated ?? false)];
    };
    expect(counts(323)).toEqual([4, 4, 0]);
    expect(counts(322)).toEqual([4, 3, 1]);
    expect(counts(258)).toEqual([3, 0, 1]);
  });
});
