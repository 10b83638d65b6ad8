/**
 * A kube-proxy's two proxiers: each IP family has its own changes, syncs, table and threshold, and only the
 * watches and the process are shared. Facts: timings §7.1 (each family syncs separately).
 *
 * Broken on purpose: both told of every slice (five tests failed); both told of every Service; the slices of both in
 * the base and in a new process' lists; positions of both families in one list; a health that asks the first proxier
 * only; one change for both addresses of an endpoint.
 */
import { describe, expect, test } from "vitest";
import { ms, Phase, seconds } from "../../src/engine/index.ts";
import type { EndpointSlice, IpFamily, Service } from "../../src/kubernetes/api/types.ts";
import { ChangeLedger } from "../../src/kubernetes/ledger.ts";
import { createObservations } from "../../src/observe/observations.ts";
import { endpoint, pod, service, slice, WATCH_NS, WRITE_NS } from "../helpers/kube-objects.ts";
import { runningProxies, SYNC_NS } from "../helpers/running-proxies.ts";

const HEARD_NS = WRITE_NS + WATCH_NS;
const IPV6 = "fd00:96::a";
const dual = service({ clusterIPs: ["10.96.0.10", IPV6], ipFamilies: ["IPv4", "IPv6"] });
const single = service({ clusterIP: "10.96.0.11", ipFamilies: ["IPv4"] }, "single");

function sliceOf(
  family: IpFamily,
  addresses: readonly string[],
  of: Service = dual,
): EndpointSlice {
  const name = `${of.metadata.name}-${family.toLowerCase()}`;
  return {
    ...slice(
      name,
      addresses.map((address) => endpoint(address)),
      of,
    ),
    addressType: family,
  };
}

const without =
  (gone: string) =>
  (stored: EndpointSlice): EndpointSlice => ({
    ...stored,
    endpoints: stored.endpoints.filter(({ address }) => address !== gone),
  });

function rig(slices: readonly EndpointSlice[], more: Parameters<typeof runningProxies>[0] = {}) {
  const running = runningProxies({
    services: [dual, single],
    families: [4, 6],
    slices,
    ...more,
  });
  const [proxy] = running.proxies;
  const [four, six] = [proxy!.of(4)!, proxy!.of(6)!];
  return { ...running, proxy: proxy!, four, six, syncs: () => [four.syncs, six.syncs] };
}

const small = [
  sliceOf("IPv4", ["10.0.0.1", "10.0.0.2"]),
  sliceOf("IPv6", ["fd00::1", "fd00::2"]),
  sliceOf("IPv4", ["10.0.0.3"], single),
];

describe("what makes which of them sync", () => {
  test("a change of an IPv6 slice the IPv6 one alone; the other's rules are what they were", () => {
    const { sim, hand, syncs, endpoints, rulesAt, costs } = rig(small);
    const before = rulesAt();
    hand.patch("EndpointSlice", "default/web-ipv6", without("fd00::2"));
    sim.run(seconds(5));
    expect(syncs()).toEqual([0, 1]);
    expect(endpoints(undefined, IPV6)).toEqual(["[fd00::1]:80"]);
    expect(rulesAt()).toBe(before);
    // Its own table: one Service port, and the one endpoint that is left.
    expect(costs).toEqual([{ atNs: HEARD_NS, size: { services: 1, endpoints: 1 }, full: false }]);
  });

  test("a change of a Service those of its families", () => {
    const { sim, hand, syncs } = rig(small);
    const patched = (stored: Service): Service => ({
      ...stored,
      spec: { ...stored.spec, sessionAffinity: "ClientIP" },
    });
    hand.patch("Service", "default/single", patched);
    sim.run(seconds(5));
    expect(syncs()).toEqual([1, 0]);
    hand.patch("Service", "default/web", patched);
    sim.run(seconds(10));
    expect(syncs()).toEqual([2, 1]);
  });

  test("a pause after one's sync holds the other up in nothing", () => {
    const { sim, hand, costs } = rig(small);
    hand.patch("EndpointSlice", "default/web-ipv4", without("10.0.0.2"));
    sim.callAt(ms(200), Phase.start, () =>
      hand.patch("EndpointSlice", "default/web-ipv6", without("fd00::2")),
    );
    sim.callAt(ms(200), Phase.start, () =>
      hand.patch("EndpointSlice", "default/single-ipv4", without("10.0.0.3")),
    );
    sim.run(seconds(5));
    expect(costs.map(({ atNs }) => atNs)).toEqual([
      HEARD_NS,
      ms(200) + HEARD_NS,
      // IPv4's second: a second after the end of its first.
      HEARD_NS + SYNC_NS + seconds(1),
    ]);
  });

  test("a cold start: each a first, full one, of what is its own", () => {
    const { sim, costs, endpoints } = rig(small, { cold: true });
    sim.run(seconds(1));
    expect(costs).toEqual([
      { atNs: 0, size: { services: 2, endpoints: 3 }, full: true },
      { atNs: 0, size: { services: 1, endpoints: 2 }, full: true },
    ]);
    expect(endpoints(undefined, IPV6)).toHaveLength(2);
  });

  test("a new process: a full one of each", () => {
    const { sim, proxy, syncs, costs } = rig(small);
    proxy.stop();
    proxy.start();
    sim.run(seconds(1));
    expect(syncs()).toEqual([1, 1]);
    expect(costs.every(({ full }) => full)).toBe(true);
  });
});

describe("tables", () => {
  const many = (family: IpFamily, count: number, of?: Service): EndpointSlice =>
    sliceOf(
      family,
      Array.from({ length: count }, (_, i) =>
        family === "IPv4" ? `10.0.${i >> 8}.${i & 255}` : `fd00::${(i + 1).toString(16)}`,
      ),
      of,
    );

  test("hold a family each: its Services, endpoints and addresses", () => {
    const { four, six, addresses } = rig(small);
    expect([four.size(), six.size()]).toEqual([
      { services: 2, endpoints: 3 },
      { services: 1, endpoints: 2 },
    ]);
    expect([four.table.listed, six.table.listed]).toEqual([2, 1]);
    expect(four.table.isClusterIP(addresses.intern(IPV6))).toBe(false);
  });

  test("list the external addresses of their family, and no others", () => {
    const external = {
      ...dual,
      spec: { ...dual.spec, externalIPs: ["192.0.2.1", "2001:db8::1", "192.0.2.2"] },
    };
    const { four, six } = rig(small, { services: [external] });
    expect([four.table.listed, six.table.listed]).toEqual([3, 2]);
  });

  test("number their ports by themselves: as many rules are before one as its family has", () => {
    const others = ["a", "b", "c"].map((name, i) =>
      service({ clusterIP: `10.96.1.${i}`, ipFamilies: ["IPv4"] }, name),
    );
    const { rulesAt } = rig(small, { services: [...others, dual] });
    expect([rulesAt()!.position, rulesAt(undefined, IPV6)!.position]).toEqual([4, 1]);
  });

  test("700 endpoints in each make no large cluster: stale chains go at once", () => {
    const { sim, hand, stale } = rig([many("IPv4", 700), many("IPv6", 700)]);
    for (const index of [1, 2]) {
      sim.callAt(seconds(10 * index), Phase.start, () =>
        hand.patch("EndpointSlice", "default/web-ipv4", without(`10.0.0.${index}`)),
      );
    }
    sim.run(seconds(25));
    expect(stale).toEqual([1, 1]);
  });

  test("one of 1,100 is large, and the other not", () => {
    const { sim, hand, stale } = rig([many("IPv4", 700), many("IPv6", 1100)]);
    for (const index of [1, 2, 3]) {
      sim.callAt(seconds(10 * index), Phase.start, () => {
        hand.patch("EndpointSlice", "default/web-ipv4", without(`10.0.0.${index}`));
        hand.patch("EndpointSlice", "default/web-ipv6", without(`fd00::${index}`));
      });
    }
    sim.run(seconds(35));
    // IPv4's and IPv6's in turn: what IPv6's second leaves its third still has.
    expect(stale).toEqual([1, 1, 1, 1, 1, 2]);
  });
});

test("syncs fail in both, and one that waits too long makes kube-proxy unhealthy", () => {
  const { sim, hand, proxy, four, six } = rig(small);
  proxy.breakSyncsUntil(seconds(70));
  hand.patch("EndpointSlice", "default/web-ipv6", without("fd00::2"));
  sim.run(HEARD_NS + seconds(60));
  expect([four.failures, six.failures]).toEqual([0, 2]);
  expect([four.isHealthy, six.isHealthy, proxy.isHealthy, proxy.isIdle]).toEqual([
    true,
    false,
    false,
    false,
  ]);
});

test("each address of an endpoint is a change of its own, in force with its family's sync", () => {
  const changed: string[] = [];
  const inForce: string[] = [];
  const ledger = new ChangeLedger(
    createObservations([
      {
        endpointChanged: (id, _service, address) => void changed.push(`${id} ${address}`),
        endpointProgrammed: (id, _node, atNs) => void inForce.push(`${id} ${atNs}`),
      },
    ]),
  );
  const both = ["10.0.0.1", "fd00::1"];
  const own = pod("a", { metadata: { uid: "uid-a" }, status: { podIPs: both } });
  const at = (address: string) => endpoint(address, { podUid: "uid-a" });
  const [v4, v6] = [
    { ...sliceOf("IPv4", []), endpoints: [at("10.0.0.1")] },
    { ...sliceOf("IPv6", []), endpoints: [at("fd00::1")] },
  ];
  const { sim, hand, proxy } = rig([v4, v6], { services: [dual], ledger });
  ledger.atRest(own);
  const goes = (atNs: number, name: string): void => {
    sim.callAt(atNs, Phase.start, () =>
      hand.patch("EndpointSlice", `default/${name}`, (stored: EndpointSlice) => ({
        ...stored,
        endpoints: [],
      })),
    );
  };
  ledger.deleted(own, 0);
  goes(0, "web-ipv4");
  goes(ms(300), "web-ipv6");
  sim.run(seconds(2));
  expect(changed).toEqual(["0 10.0.0.1:80", "1 [fd00::1]:80"]);
  expect(inForce).toEqual([`0 ${HEARD_NS + SYNC_NS}`, `1 ${ms(300) + HEARD_NS + SYNC_NS}`]);
  // A new process lists both slices: neither takes the other's for its own.
  proxy.stop();
  ledger.readiness(
    pod("b", { metadata: { uid: "uid-b" }, status: { podIPs: ["10.0.0.2", "fd00::2"] } }),
    true,
    1,
  );
  hand.patch("EndpointSlice", "default/web-ipv4", (stored: EndpointSlice) => ({
    ...stored,
    endpoints: [endpoint("10.0.0.2", { podUid: "uid-b", observedCauseNs: 1 })],
  }));
  sim.run(seconds(3));
  proxy.start();
  sim.run(seconds(4));
  expect(changed.slice(2)).toEqual(["2 10.0.0.2:80", "3 [fd00::2]:80"]);
  expect(inForce.slice(2)).toEqual([`2 ${seconds(3) + SYNC_NS}`]);
  // Two endpoints in the observations: each node that routes to one says by which address.
  const indices = (["IPv4", "IPv6"] as const).map((family) =>
    ledger.endpointIndex("default/web", "uid-a", family),
  );
  expect(new Set(indices).size).toBe(2);
  expect(indices.map((index) => ledger.isGone(index))).toEqual([true, true]);
});
