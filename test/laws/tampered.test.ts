/**
 * Each check at the end of a run finds what it is there for: a run that was all right is tampered with
 * before it ends, in one place at a time.
 *
 * Seen to fail when: the check's line is taken out of LawWatch.brokenLaws(), for each of them alone; either of
 * packetConservation's two counts or of StabilityWatch's two checks is left out.
 */
import { expect, test } from "vitest";
import { keepAlive, openLoop, pods, type ScenarioInput } from "../../src/index.ts";
import type { RuleTable } from "../../src/kubernetes/proxy/rules.ts";
import { compile, type Run } from "../../src/scenario/compile.ts";
import { resolved } from "./written.ts";

const labels = { app: "web" };
const objects = [
  {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web" },
    spec: {
      replicas: 3,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: { containers: [{ name: "web", image: "web", ports: [{ containerPort: 80 }] }] },
      },
    },
  },
  {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "web" },
    spec: { type: "NodePort", selector: labels, ports: [{ port: 80, nodePort: 31_000 }] },
  },
];
const input: ScenarioInput = {
  duration: "2s",
  cluster: { nodes: 2 },
  servers: { "deploy/web": { serviceTime: "5ms" } },
  clients: [
    {
      name: "a",
      from: pods(2),
      to: "svc/web:80",
      load: openLoop(50),
      connections: keepAlive(),
      timeout: "1s",
    },
  ],
};

/** @returns what is found broken, as "law entity detail" */
function found(tamper: (run: Run) => void): string[] {
  const scenario = resolved({ input, objects });
  const run = compile(scenario, []);
  run.runUntil(scenario.durationNs);
  tamper(run);
  return run.finish().brokenLaws.map(({ law, entity, detail }) => `${law}: ${entity} ${detail}`);
}

/** The stored Services with another spec, which no other part of the run sees. */
function withService(run: Run, change: object): void {
  const { api } = run.cluster;
  const list = api.list.bind(api);
  const changed = [...list("Service")].map((each) => ({
    ...each,
    spec: { ...each.spec, ...change },
  }));
  api.list = ((kind: "Service") =>
    kind === "Service" ? changed.values() : list(kind)) as typeof api.list;
}

/** The Service's rules on a node, which it no longer holds. */
function takeRules({ table }: { readonly table: RuleTable }, { transport, cluster }: Run) {
  const [service] = cluster.api.list("Service");
  const address = transport.network.addresses.intern(service!.spec.clusterIP);
  const { rules } = table.atAddress(address, 6, 80)!;
  table.remove(rules);
  return rules;
}

test("nothing is broken in a run that nobody tampers with", () => {
  expect(found(() => {})).toEqual([]);
});

test("1 conservation: a packet that is neither delivered, dropped nor on its way", () => {
  expect(found(({ transport }) => void transport.network.packets.sent++)).toEqual([
    expect.stringMatching(/^1 conservation: network\/packets \d+ sent, /),
  ]);
});

test("1 conservation: a drop without a place, and a place that counts one twice", () => {
  expect(found(({ transport }) => void transport.network.packets.droppedSegments++)).toEqual([
    "1 conservation: network/packets 1 dropped, 0 of them at a named place",
  ]);
  const miscounted = found(({ transport: { network } }) =>
    network.countDrop("node-1/netfilter", "no_endpoints", 1),
  );
  expect(miscounted).toEqual([
    "1 conservation: network/packets 0 dropped, 1 of them at a named place",
  ]);
});

test("3 convergence: a node whose rules lack an endpoint, and one that has none", () => {
  const details = found((run) => {
    const [first, second] = run.cluster.proxies.map((proxy) => proxy.of(4));
    const rules = takeRules(first!, run);
    first!.table.put({ ...rules, cluster: rules.cluster!.slice(1) });
    takeRules(second!, run);
  });
  const web =
    /^3 convergence: node\/node-(\d) default\/web:80 has \[(.*)\], .* programmed \[(.*)\]$/;
  const lists = details.map((detail) => {
    const [, node, wanted, held] = web.exec(detail)!;
    return [Number(node), ...[wanted, held].map((text) => text!.split(" ").filter(Boolean).length)];
  });
  expect(lists).toEqual([
    [1, 3, 2],
    [2, 3, 0],
  ]);
});

test("4 stability: a ClusterIP that is another than at the beginning", () => {
  const details = found((run) => withService(run, { clusterIP: "10.96.9.9" }));
  expect(details).toContainEqual(
    expect.stringMatching(
      /^4 stability: service\/default\/web its ClusterIP was 10\.\S+ and is 10\.96\.9\.9$/,
    ),
  );
});

test("4 stability: a connection that ends elsewhere than its node routed it", () => {
  const details = found(({ transport }) => {
    const routed = transport.sockets.all.find(
      ({ routeNote, state, peer }) => routeNote >= 0 && state !== 0 && peer >= 0,
    )!;
    routed.routeNote = (((routed.routeNote >> 1) + 1) % 3) << 1;
  });
  expect(details).toEqual([
    expect.stringMatching(
      /^4 stability: socket\/\S+ its connection was routed to \S+ and ends at /,
    ),
  ]);
});

test("5 uniqueness: two namespaces with one address, and one from no pod's range", () => {
  const details = found(({ transport: { network } }) => {
    const [one, two] = network.namespaces.filter(({ kind, alive }) => kind === "guest" && alive);
    two!.addresses.add([...one!.addresses][0]!);
    one!.addresses.add(network.addresses.intern("192.0.2.9"));
  });
  expect(details).toEqual([
    expect.stringMatching(/^5 uniqueness: \S+ holds address 192\.0\.2\.9, which lies outside /),
    expect.stringMatching(
      /^5 uniqueness: \S+ holds address 10\.244\.\S+, which namespace\/\S+ holds/,
    ),
  ]);
});

test("5 uniqueness: a ClusterIP and a node port out of their ranges", () => {
  const details = found((run) => {
    const [service] = run.cluster.api.list("Service");
    const ports = service!.spec.ports.map((port) => ({ ...port, nodePort: 80 }));
    withService(run, { clusterIP: "192.0.2.9", ports });
  }).filter((detail) => detail.startsWith("5 uniqueness"));
  expect(details).toEqual([
    `5 uniqueness: service/default/web holds address 192.0.2.9, which lies outside its range`,
    `5 uniqueness: service/default/web holds node port 80/TCP, which lies outside its range`,
  ]);
});

test("9 tracking: an open connection whose entry is gone", () => {
  const details = found(({ transport: { network } }) => {
    const { conntracks } = network;
    for (let id = 0; id < conntracks.size; id++) if (conntracks.isAlive(id)) conntracks.remove(id);
  });
  expect(details).toContainEqual(
    expect.stringMatching(/^9 tracking: \S+ has no entry for the open/),
  );
});
