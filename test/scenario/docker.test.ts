/**
 * Docker hosts in the language: defaults, and mistakes with their places.
 *
 * Seen to fail: with ports compared without their host, with a later start counted as a conflict, with the bridge's
 * network left out of the overlaps, and with containers of a list that could not be read reported as missing.
 */
import { expect, test } from "vitest";
import { loadFiles, mistakesIn, webManifest } from "./files.ts";

const WORDS =
  "container, containers, defineScenario, hostPort, localhost, nodePort, onHost, openLoop, closedLoop, outside, pods, resetContainer, sidecar";

function text(fields: string): string {
  return `import { ${WORDS} } from "podstorm";
export default defineScenario({
  duration: "10s",
  ${fields}
} as any);
`;
}

const docker = (containers: string, more = "") =>
  `docker: { hosts: 2, containers: [${containers}]${more} },`;

async function mistakes(fields: string): Promise<string[]> {
  return mistakesIn({ "scenario.ts": text(fields), "web.yaml": webManifest({ replicas: 3 }) });
}

async function dockerOf(fields: string) {
  return (await loadFiles({ "scenario.ts": text(fields) })).docker;
}

test("a container that says little: on docker-1, on the bridge, listening on 80, running already", async () => {
  const { hosts, bridgeCIDR, userlandProxy, containers } = await dockerOf(
    docker('{ name: "web" }, { name: "api", host: "docker-2", publish: ["127.0.0.1:8080:81"] }'),
  );
  expect(hosts).toEqual([
    { name: "docker-1", address: "192.168.0.2", cores: 4 },
    { name: "docker-2", address: "192.168.0.3", cores: 4 },
  ]);
  expect([bridgeCIDR, userlandProxy]).toEqual(["172.17.0.0/16", true]);
  expect(containers).toEqual([
    {
      name: "web",
      host: "docker-1",
      image: "web",
      network: "bridge",
      exposedPorts: [80],
      exposedUdpPorts: [],
      publish: [],
      restart: { name: "no", maximumRetryCount: null },
      startNs: 0,
      server: null,
    },
    expect.objectContaining({
      exposedPorts: [81],
      publish: [{ protocol: "tcp", hostIP: "127.0.0.1", hostPort: 8080, containerPort: 81 }],
    }),
  ]);
});

test("there is no cluster without one, and none is needed", async () => {
  const scenario = await loadFiles({ "scenario.ts": text(docker("")) });
  expect(scenario.cluster).toMatchObject({ nodes: [], services: [], deployments: [] });
  expect(await mistakes("")).toEqual([
    "scenario.ts:2:16 cluster: missing; allowed: an object { ... }",
  ]);
});

test("restart policies as docker run writes them", async () => {
  const { containers } = await dockerOf(
    docker('{ name: "a", restart: "on-failure:5" }, { name: "b", restart: "unless-stopped" }'),
  );
  expect(containers.map(({ restart }) => restart)).toEqual([
    { name: "on-failure", maximumRetryCount: 5 },
    { name: "unless-stopped", maximumRetryCount: null },
  ]);
});

const web = '{ name: "web", publish: ["8080:80"] }';
const held = (port: number, name: string) =>
  `port ${port} of docker-1, which container "${name}" holds from the beginning; allowed: another host port, or a later start`;
const load = "load: openLoop(1)";

test.each<[what: string, fields: string, expected: string[]]>([
  [
    "a host port that is held from the beginning",
    docker(`${web}, { name: "two", publish: ["81:80", "8080:80"] }`),
    [`scenario.ts:4:109 docker.containers[1].publish[1]: ${held(8080, "web")}`],
  ],
  [
    "the same on another host",
    docker(`${web}, { name: "two", host: "docker-2", publish: ["8080:80"] }`),
    [],
  ],
  [
    "the same later: the daemon will say so",
    docker(`${web}, { name: "two", start: "5s", publish: ["8080:80"] }`),
    [],
  ],
  [
    "the same, with the one that starts later written first",
    docker(`{ name: "two", start: "5s", publish: ["8080:80"] }, ${web}`),
    [],
  ],
  [
    "a port that a process of the host holds",
    docker('{ name: "nginx", network: "host" }, { name: "two", publish: ["127.0.0.1:80:80"] }'),
    [`scenario.ts:4:97 docker.containers[1].publish[0]: ${held(80, "nginx")}`],
  ],
  [
    "one port at two addresses: no conflict",
    docker(
      '{ name: "a", publish: ["127.0.0.1:80:80"] }, { name: "b", publish: ["192.168.0.2:80:80"] }',
    ),
    [],
  ],
  [
    "an address that the host does not have",
    docker('{ name: "a", publish: ["10.0.0.1:80:80"] }'),
    [
      "scenario.ts:4:59 docker.containers[0].publish[0]: 10.0.0.1 is no address of docker-1; allowed: 0.0.0.0, 127.0.0.1, 192.168.0.2",
    ],
  ],
  [
    "ports that are none",
    docker('{ name: "a", publish: ["80", "0:80", "53:53/sctp"] }'),
    [
      'scenario.ts:4:59 docker.containers[0].publish[0]: "80"; allowed: a published port: "[ADDRESS:]HOSTPORT:CONTAINERPORT[/udp]", such as "8080:80"',
      'scenario.ts:4:65 docker.containers[0].publish[1]: "0:80" (ports go from 1 to 65535); allowed: a published port: "[ADDRESS:]HOSTPORT:CONTAINERPORT[/udp]", such as "8080:80"',
      'scenario.ts:4:73 docker.containers[0].publish[2]: "53:53/sctp" (sctp is not modelled for published ports); allowed: a published port: "[ADDRESS:]HOSTPORT:CONTAINERPORT[/udp]", such as "8080:80"',
    ],
  ],
  [
    "ports of a container in the host's network",
    docker('{ name: "a", network: "host", publish: ["80:80"] }'),
    [
      'scenario.ts:4:66 docker.containers[0].publish: ports of a container in the host\'s network; allowed: network: "bridge", or none',
    ],
  ],
  [
    "names: of a host, twice the same, of a container in a fault",
    docker('{ name: "a", host: "docker-3" }, { name: "a" }') +
      ' faults: [resetContainer({ container: "b", at: "1s" })],',
    [
      "scenario.ts:4:49 docker.containers[0].host: no Docker host docker-3; allowed: one of docker-1, docker-2 (did you mean docker-1?)",
      'scenario.ts:4:71 docker.containers[1].name: a second container "a"; allowed: unique names',
      "scenario.ts:4:113 faults[0].container: no container b; allowed: one of a, a (did you mean a?)",
    ],
  ],
  [
    "what a client names",
    docker(web) +
      ` clients: [
    { name: "a", from: onHost("docker-9"), to: container("wep:80"), ${load} },
    { name: "b", from: outside(1), to: container("web:81"), ${load} },
    { name: "c", from: outside(1), to: hostPort("docker-1:80"), ${load} },
    { name: "d", from: onHost("docker-1"), to: localhost(81), ${load} },
    { name: "e", from: outside(1), to: localhost(8080), ${load} },
    { name: "f", from: outside(1), to: hostPort("8080"), ${load} },
  ],`,
    [
      "scenario.ts:5:31 clients[0].from.host: no Docker host docker-9; allowed: one of docker-1, docker-2 (did you mean docker-1?)",
      "scenario.ts:5:58 clients[0].to.container: no container wep; allowed: one of web (did you mean web?)",
      "scenario.ts:6:50 clients[1].to.container: container web does not listen on 81; allowed: one of its ports 80",
      "scenario.ts:7:49 clients[2].to.hostPort: no container of docker-1 publishes port 80; allowed: published ports: 8080",
      "scenario.ts:8:58 clients[3].to.port: no container of docker-1 publishes port 81; allowed: published ports: 8080",
      "scenario.ts:9:36 clients[4].to: localhost, where nobody else runs beside this client; allowed: from: onHost(...) or sidecar(...)",
      'scenario.ts:10:49 clients[5].to.hostPort: "8080"; allowed: "HOST:PORT", such as "web:80"',
    ],
  ],
  [
    "a container that could not be read is not missed",
    docker('{ name: "web", publish: "8080:80" }') +
      ` clients: [{ name: "a", from: outside(1), to: container("web:80"), ${load} }],`,
    ['scenario.ts:4:51 docker.containers[0].publish: "8080:80"; allowed: a list [ ... ]'],
  ],
  [
    "networks that overlap, with each other and with the cluster's",
    'docker: { hostCIDR: "172.17.1.0/24", bridgeCIDR: "172.17.0.0/16" }, cluster: { nodes: 1, podCIDR: "172.17.0.0/16" },',
    [
      "scenario.ts:4:13 docker.hostCIDR: 172.17.1.0/24 overlaps cluster.podCIDR 172.17.0.0/16; allowed: networks that do not overlap",
      "scenario.ts:4:40 docker.bridgeCIDR: 172.17.0.0/16 overlaps cluster.podCIDR 172.17.0.0/16; allowed: networks that do not overlap",
      "scenario.ts:4:40 docker.bridgeCIDR: 172.17.0.0/16 overlaps hostCIDR 172.17.1.0/24; allowed: networks that do not overlap",
    ],
  ],
  [
    "clients in and around pods",
    `cluster: { manifests: ["web.yaml"] }, ${docker(web)}
  clients: [
    { name: "a", from: sidecar("deploy/wed"), to: localhost(80), ${load} },
    { name: "b", from: sidecar("deploy/web"), to: localhost(80), load: closedLoop({ users: 4 }) },
    { name: "c", from: pods(1, { node: "node-9" }), to: "svc/web", ${load} },
    { name: "d", from: pods(1), to: hostPort("docker-1:8080"), ${load} },
    { name: "e", from: containers(1, { host: "docker-1" }), to: "svc/web", ${load} },
  ],`,
    [
      'scenario.ts:6:32 clients[0].from.workload: no workload "deploy/wed"; allowed: one of deploy/web (did you mean deploy/web?)',
      "scenario.ts:7:85 clients[1].load.users: 4, which do not divide evenly over 3 pods; allowed: a multiple of 3",
      "scenario.ts:8:34 clients[2].from.node: no node node-9; allowed: one of node-1, node-2, node-3 (did you mean node-1?)",
      "scenario.ts:9:33 clients[3].to: hostPort(...) from a pod: ways from pods to Docker hosts are not modelled; allowed: from: outside(...), onHost(...) or containers(...)",
      "scenario.ts:10:61 clients[4].to: a ClusterIP, which nothing outside the cluster can reach; allowed: nodePort(...), externalIP(...) or loadBalancer(...) of it, or from: pods(...)",
    ],
  ],
])("%s", async (_what, fields, expected) => {
  expect(await mistakes(fields)).toEqual(expected);
});

test("a UDP port is published, exposed and dialled by its protocol", async () => {
  const containers =
    'containers: [{ name: "dns", publish: ["53:5353/udp"], expose: [80, "5353/udp"] }]';
  const clients = (to: string) =>
    `docker: { ${containers} }, clients: [{ name: "c", from: onHost("docker-1"), to: ${to}, load: openLoop(1) }],`;
  const scenario = await loadFiles({ "scenario.ts": text(clients('hostPort("docker-1:53/udp")')) });
  expect(scenario.docker.containers[0]).toMatchObject({
    exposedPorts: [80],
    exposedUdpPorts: [5353],
    publish: [{ protocol: "udp", hostIP: "0.0.0.0", hostPort: 53, containerPort: 5353 }],
  });
  expect(scenario.clients[0]!.to).toEqual({
    via: "hostPort",
    host: "docker-1",
    port: 53,
    protocol: "UDP",
  });
  expect(await mistakes(clients('hostPort("docker-1:53")'))).toEqual([
    expect.stringContaining(
      "no container of docker-1 publishes port 53; allowed: published ports: 53/udp",
    ),
  ]);
  expect(await mistakes(clients('container("dns:5353")'))).toEqual([
    expect.stringContaining("does not listen on 5353; allowed: one of its ports 80, 5353/udp"),
  ]);
  expect(await mistakes(clients('localhost("53/udp")'))).toEqual([]);
});
