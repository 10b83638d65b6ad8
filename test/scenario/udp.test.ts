/** Clients of a Service's UDP port, from the manifest to the answers, and what may not be written. */
import { expect, test } from "vitest";
import { outcomeNames } from "../../src/observe/observations.ts";
import { compile } from "../../src/scenario/compile.ts";
import { defaultProfile } from "../../src/scenario/profile.ts";
import { loadFiles, mistakesIn } from "./files.ts";

const dns = `apiVersion: apps/v1
kind: Deployment
metadata: { name: dns }
spec:
  replicas: 3
  selector: { matchLabels: { app: dns } }
  template:
    metadata: { labels: { app: dns } }
    spec:
      containers:
        - name: dns
          image: dns
          ports: [{ containerPort: 53, protocol: UDP }, { containerPort: 53, protocol: TCP }]
---
apiVersion: v1
kind: Service
metadata: { name: dns }
spec:
  type: NodePort
  selector: { app: dns }
  ports:
    - { name: dns, port: 53, protocol: UDP, nodePort: 30053 }
    - { name: dns-tcp, port: 53, protocol: TCP, nodePort: 30053 }
`;

const scenario = (
  clients: string,
): string => `import { defineScenario, nodePort, openLoop, outside } from "podstorm";
export default defineScenario({
  duration: "10s",
  cluster: { nodes: 2, manifests: ["dns.yaml"] },
  servers: { "deploy/dns": { serviceTime: "1ms", responseSize: 120 } },
  clients: [${clients}],
} as any);
`;

const files = (clients: string) => ({ "scenario.ts": scenario(clients), "dns.yaml": dns });

async function run(clients: string, change: (text: string) => string = (text) => text) {
  const written = Object.entries(files(clients)).map(([name, text]) => [name, change(text)]);
  const loaded = await loadFiles(Object.fromEntries(written), { profile: defaultProfile });
  const outcomes = new Map<string, number>();
  const endpoints = new Set<number>();
  const made = compile(loaded, [
    {
      requestEnded: (_client, _service, outcome) => {
        const name = outcomeNames[outcome]!;
        outcomes.set(name, (outcomes.get(name) ?? 0) + 1);
      },
      endpointRequestStarted: (endpoint) => void endpoints.add(endpoint),
    },
  ]);
  made.runUntil(loaded.durationNs);
  return { made, end: made.finish(), outcomes: Object.fromEntries(outcomes), endpoints };
}

test("a client of the UDP port gets every answer, by datagrams, from every endpoint", async () => {
  const load = 'load: openLoop(50, { arrivals: "deterministic" })';
  const { end, made, outcomes, endpoints } = await run(`{ name: "c", to: "svc/dns:dns", ${load} }`);
  expect(outcomes).toEqual({ served: 499 });
  expect(endpoints.size).toBe(3);
  expect(end.brokenLaws).toEqual([]);
  // A question and an answer each; the one on its way at the end has had none. Nothing else was sent.
  expect(made.transport.network.packets.sent).toBeLessThanOrEqual(2 * 500);
});

test("from outside, by a UDP node port, it is masqueraded and answered", async () => {
  const client = '{ name: "c", from: outside(2), to: nodePort("svc/dns:dns"), load: openLoop(20) }';
  const { outcomes, made } = await run(client);
  expect(Object.keys(outcomes)).toEqual(["served"]);
  const { hosts } = made.transport.network;
  const udp = hosts.flatMap(({ conntrack }) => [...(conntrack?.entries(17) ?? [])]);
  expect(udp.length).toBeGreaterThan(100);
  expect(udp.some((entry) => entry.replyDestination !== entry.originalSource)).toBe(true);
});

/** Seen to fail with a datagram sent on a socket whose connect() was refused: it reached the node's rules. */
test("connect() is refused in eBPF mode where nobody serves, and nothing is sent", async () => {
  const client = '{ name: "c", to: "svc/dns:dns", load: openLoop(20) }';
  const { made, outcomes } = await run(client, (text) =>
    text
      .replace("replicas: 3", "replicas: 0")
      .replace("duration", 'profile: { kubernetes: { kubeProxy: { mode: "ebpf" } } }, duration'),
  );
  expect(Object.keys(outcomes)).toEqual(["unreachable"]);
  expect(made.transport.network.packets.sent).toBe(0);
});

test("the port's name says which protocol is meant when two have one number", async () => {
  const mistakes = await mistakesIn(files('{ name: "c", to: "svc/dns:53", load: openLoop(1) }'));
  expect(mistakes.join()).toContain(
    "port 53 of dns is of UDP and TCP; allowed: the name of one of the ports 53 (dns), 53 (dns-tcp)",
  );
  const { outcomes, made } = await run('{ name: "c", to: "svc/dns:dns-tcp", load: openLoop(20) }');
  expect(Object.keys(outcomes)).toEqual(["served"]);
  const { conntracks } = made.transport.network;
  expect(conntracks.size).toBeGreaterThan(0);
  for (const { conntrack } of made.transport.network.hosts) {
    expect([...(conntrack?.entries(17) ?? [])]).toEqual([]);
  }
});

test("a request that no datagram can carry is refused where it is written", async () => {
  const client = (size: number): string =>
    `{ name: "c", to: "svc/dns:dns", load: openLoop(1), requestSize: ${size} }`;
  const mistakes = await mistakesIn(files(client(65_508)));
  expect(mistakes.join()).toContain("65508 bytes to a UDP port; allowed: at most 65507");
  expect(await mistakesIn(files(client(65_507)))).toEqual([]);
});
