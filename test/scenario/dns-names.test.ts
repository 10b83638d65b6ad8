/**
 * Names that lead to ports, pods and addresses, and answers that no datagram holds: from the scenario to the
 * connections. Records and sizes: test/kubernetes/dns-records.test.ts.
 */
import { describe, expect, test } from "vitest";
import { ms, us } from "../../src/engine/index.ts";
import { TransportProtocol } from "../../src/network/nat.ts";
import { defaultProfile } from "../../src/scenario/profile.ts";
import { results, runDns, type DnsRun } from "../helpers/dns-run.ts";
import { mistakesIn } from "./files.ts";

const workload = (kind: string, replicas: number): string => `apiVersion: apps/v1
kind: ${kind}
metadata: { name: db }
spec:
  replicas: ${replicas}
  ${kind === "StatefulSet" ? "serviceName: db" : ""}
  selector: { matchLabels: { app: db } }
  template:
    metadata: { labels: { app: db } }
    spec:
      containers: [{ name: db, image: db, ports: [{ name: pg, containerPort: 5432 }] }]
---
apiVersion: v1
kind: Service
metadata: { name: db }
spec:
  clusterIP: None
  selector: { app: db }
  ports: [{ name: pg, port: 6000, targetPort: pg }]
---
apiVersion: v1
kind: Service
metadata: { name: front }
spec:
  selector: { app: db }
  ports: [{ name: pg, port: 1234, targetPort: pg }]
---
apiVersion: v1
kind: Service
metadata: { name: ext }
spec: { type: ExternalName, externalName: db.example.com }
---
apiVersion: v1
kind: Service
metadata: { name: alias }
spec: { type: ExternalName, externalName: front.default.svc.cluster.local }
`;

/** @param client its fields without name and load */
function run(client: string, { replicas = 2, kind = "StatefulSet", dns = "{}" } = {}) {
  const fields = `cluster: { nodes: 2, nodeShape: { maxPods: 250 }, manifests: ["web.yaml"], dns: ${dns} },
    servers: { "${kind === "StatefulSet" ? "sts" : "deploy"}/db": { serviceTime: "1ms" } },
    clients: [{ name: "c", load: openLoop(10), ${client} }]`;
  return runDns(fields, "4s", workload(kind, replicas));
}

const dialled = ({ run: { transport } }: DnsRun): Set<string> => {
  const { hosts, addresses } = transport.network;
  const entries = hosts.flatMap(({ conntrack }) => [
    ...(conntrack?.entries(TransportProtocol.TCP) ?? []),
  ]);
  const texts = entries.map(
    (each) => `${addresses.text(each.originalDestination)}:${each.originalDestinationPort}`,
  );
  // Not DNS itself and its probes.
  return new Set(texts.filter((each) => /:(5432|1234|80)$/.test(each)));
};

describe("the name of a port", () => {
  /** Seen to fail with the Service's port dialled in place of the record's (6000 is no pod's). */
  test("of a headless Service leads to its pods, at the port that the record says", async () => {
    const done = await run('to: "dns://_pg._tcp.db", resolver: { singleRequest: true }');
    expect(Object.keys(results(done.requests))).toEqual(["served"]);
    expect(done.requests.length).toBeGreaterThan(20);
    // SRV in the first search domain, then A and AAAA of the target, whose name is absolute.
    expect(results(done.queries)).toEqual({ noerror: 3 * done.requests.length });
    // Both pods have been drawn.
    expect(dialled(done).size).toBe(2);
    expect([...dialled(done)].every((each) => each.endsWith(":5432"))).toBe(true);
    expect(done.brokenLaws).toEqual([]);
  });

  test("of a Service with an address leads to that", async () => {
    const done = await run('to: "dns://_pg._tcp.front.default.svc.cluster.local."');
    expect(Object.keys(results(done.requests))).toEqual(["served"]);
    expect([...dialled(done)].some((each) => each.endsWith(":1234"))).toBe(true);
  });

  test("that is only looked up dials nothing", async () => {
    const done = await run('to: lookup("_pg._tcp.db", { type: "SRV" })');
    expect(Object.keys(results(done.lookups))).toEqual(["answered"]);
    expect(results(done.queries)).toEqual({ noerror: done.lookups.length });
    const none = await run('to: lookup("_ftp._tcp.db", { type: "SRV" })');
    expect(Object.keys(results(none.lookups))).toEqual(["not_found"]);
  });

  /** Seen to fail with the target asked for again and again. */
  test("is kept with its port by an application that caches", async () => {
    const done = await run('to: "dns://_pg._tcp.db", resolver: { cache: "forever" }');
    expect(Object.keys(results(done.requests))).toEqual(["served"]);
    expect(done.lookups.length).toBeLessThan(3);
  });
});

describe("a pod's name", () => {
  /** Seen to fail without the host name in the slice: the name does not exist. */
  test("under a StatefulSet's Service leads to that pod and no other", async () => {
    const done = await run('to: "dns://db-1.db:5432"', { replicas: 3 });
    expect(Object.keys(results(done.requests))).toEqual(["served"]);
    expect(dialled(done).size).toBe(1);
  });

  test("that no pod has now is not found", async () => {
    const done = await run('to: "dns://db-7.db:5432"');
    expect(Object.keys(results(done.requests))).toEqual(["unresolved"]);
  });

  test("is what an address is looked up for, and a Service's its ClusterIP's", async () => {
    for (const address of ["10.96.0.10", "10.96.0.1"]) {
      const done = await run(`to: lookup("${address}", { type: "PTR" })`, {
        dns: "{ nodeLocal: true }",
      });
      const isDns = address === "10.96.0.10";
      expect(Object.keys(results(done.lookups))).toEqual([isDns ? "answered" : "not_found"]);
      // No search domains.
      expect(done.queries).toHaveLength(done.lookups.length);
    }
  });
});

describe("an answer that is larger than a datagram may be", () => {
  const many = (resolver: string, dns = "{}") =>
    run(`to: "dns://db.default.svc.cluster.local.:5432", resolver: { ${resolver} }`, {
      kind: "Deployment",
      replicas: 40,
      dns,
    });

  /**
   * 40 pods: 47 + 640 bytes. Seen to fail with 1200 bytes for everybody, and with only the truncated question
   * asked over TCP.
   */
  test.each(["{}", "{ nodeLocal: true }"])(
    "is asked for again over TCP, with dns: %s",
    async (dns) => {
      const done = await many("", dns);
      const { length } = done.requests;
      expect(Object.keys(results(done.requests))).toEqual(["served"]);
      // A is truncated; AAAA has been answered, or is left. Then both over TCP.
      const { truncated, noerror, abandoned = 0, ...others } = results(done.queries);
      expect([truncated, noerror! + abandoned, others]).toEqual([length, 3 * length, {}]);
      expect(abandoned).toBeGreaterThan(0);
      expect(done.brokenLaws).toEqual([]);
    },
  );

  test("costs the client a connection's time", async () => {
    const [cut, whole] = [
      await many("singleRequest: true"),
      await many("singleRequest: true, edns0: true"),
    ];
    const meanNs = ({ lookups }: DnsRun): number =>
      lookups.reduce((sum, { startNs, endNs }) => sum + endNs - startNs, 0) / lookups.length;
    expect(results(whole.queries)["truncated"]).toBeUndefined();
    // A handshake to another node and back at the least, which no server's time is in.
    expect(meanNs(cut) - meanNs(whole)).toBeGreaterThan(us(40));
    expect(meanNs(cut)).toBeLessThan(ms(5));
  });

  /** Seen to fail without the end of a lookup whose connection is refused: it never ended. */
  test("fails where TCP does, after one attempt", async () => {
    const fields = `cluster: { nodes: 1, nodeShape: { maxPods: 250 }, manifests: ["web.yaml"], dns: { nodeLocal: true } },
      clients: [{ name: "c", to: lookup("db.default.svc.cluster.local."), load: openLoop(2), timeout: "60s" }]`;
    const done = await runDns(fields, "4s", workload("Deployment", 40), ({ transport }) => {
      const connect = transport.connect.bind(transport);
      const cache = transport.network.addresses.intern("169.254.20.10");
      // Nobody listens on the port beside it; UDP is left alone.
      transport.connect = (namespace, address, port, handler, data, protocol) => {
        const isBeside = address === cache && protocol !== TransportProtocol.UDP;
        return connect(namespace, address, isBeside ? port + 1 : port, handler, data, protocol);
      };
    });
    expect(Object.keys(results(done.lookups))).toEqual(["refused"]);
    expect(done.lookups.length).toBeGreaterThan(3);
    expect(done.queriesSent).toBe(2 * done.lookups.length);
    expect(done.queries).toHaveLength(done.queriesSent);
  });
});

describe("what names may be dialled", () => {
  const mistakes = async (to: string): Promise<string> => {
    const text = `import { lookup, openLoop } from "podstorm";
export default { duration: "5s", cluster: { nodes: 1, manifests: ["web.yaml"], dns: {} },
  clients: [{ name: "c", to: ${to}, load: openLoop(1) }] } as any;`;
    const files = { "scenario.ts": text, "web.yaml": workload("StatefulSet", 2) };
    return (await mistakesIn(files, { profile: defaultProfile })).join("\n");
  };

  // Broken on purpose: advice of "dns://ext.default:PORT" for the ExternalName that leads outside, as it was.
  test.each([
    ['"dns://ext:443"', "default/ext is an ExternalName for db.example.com, outside the cluster"],
    ['"svc/ext:443"', 'lookup("ext.default"), which dials nothing'],
    ['"svc/alias:1234"', '"dns://alias.default:PORT", with cluster.dns: {}'],
    ['"dns://db-x.db:5432"', "no pod has the name db-x in default/db; allowed: db-0,"],
    ['"dns://10-1-2-3.default.pod:80"', "the name of an address, behind which no Service stands"],
    ['"dns://_pq._tcp.db"', "did you mean _pg._tcp?"],
    ['"dns://_pg._tcp.db:5432"', '"dns://_PORT._PROTOCOL.NAME" with the name of one'],
    ['"dns://_pg._tcp.nothing"', "no Service has the name nothing"],
    ['lookup("db", { type: "PTR" })', "an IP address, for type PTR"],
    ['lookup("db", { type: "MX" } as any)', '"SRV" or "PTR"'],
  ])("%s", async (to, expected) => expect(await mistakes(to)).toContain(expected));

  test("an ExternalName for a Service is dialled by its name", async () => {
    const done = await run('to: "dns://alias:1234"');
    expect(Object.keys(results(done.requests))).toEqual(["served"]);
  });
});
