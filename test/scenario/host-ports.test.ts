/**
 * Host ports of pods, as CNI's plugin portmap makes them: a packet to a node's port reaches the pod, whoever sends it, and
 * nobody when the pod has gone.
 */
import { expect, test } from "vitest";
import { outcomeNames } from "../../src/observe/observations.ts";
import { compile } from "../../src/scenario/compile.ts";
import { defaultProfile } from "../../src/scenario/profile.ts";
import { loadFiles, mistakesIn } from "./files.ts";

const manifest = (port: string): string => `apiVersion: apps/v1
kind: DaemonSet
metadata: { name: agent }
spec:
  selector: { matchLabels: { app: agent } }
  template:
    metadata: { labels: { app: agent } }
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{ name: agent, image: agent, ports: [{ containerPort: 80, ${port} }] }]
`;

/** Clients by name: [from, to]; each asks ten times a second. */
async function run(
  clients: Readonly<Record<string, readonly [string, string]>>,
  { port = "hostPort: 8080", faults = "", duration = "10s" } = {},
) {
  const text = `import { hostPort, openLoop, outside, pods, resetPods } from "podstorm";
export default { duration: "${duration}", cluster: { nodes: 2, manifests: ["agent.yaml"] },
  servers: { "ds/agent": { serviceTime: "1ms", startupTime: "1s", onSigterm: "exit" } },
  clients: [${Object.entries(clients)
    .map(
      ([name, [from, to]]) =>
        `{ name: "${name}", from: ${from}, to: hostPort("${to}"), timeout: "400ms", load: openLoop(10, { arrivals: "deterministic" }) }`,
    )
    .join(", ")}],
  faults: [${faults}] } as any;`;
  const files = { "scenario.ts": text, "agent.yaml": manifest(port) };
  const scenario = await loadFiles(files, { profile: defaultProfile });
  expect(scenario.ignored).toEqual([]);
  const ended: { client: string; outcome: string; startS: number }[] = [];
  const nameOf = (client: number): string => scenario.clients[client]!.name;
  const compiled = compile(scenario, [
    {
      requestEnded: (client, _service, outcome, startNs) =>
        ended.push({
          client: nameOf(client),
          outcome: outcomeNames[outcome]!,
          startS: startNs / 1e9,
        }),
    },
  ]);
  compiled.runUntil(scenario.durationNs);
  expect(compiled.finish().brokenLaws).toEqual([]);
  const outcomes = (client: string, fromS = 0, toS = Infinity): string[] => [
    ...new Set(
      ended
        .filter((e) => e.client === client && e.startS >= fromS && e.startS < toS)
        .map(({ outcome }) => outcome),
    ),
  ];
  /** By the source's address: whether its connections to port 8080 of node-1 are masqueraded there. */
  const masqueraded = (source: RegExp): boolean[] => {
    const { hosts, addresses } = compiled.transport.network;
    const own = [...hosts[0]!.conntrack!.entries(6)].filter(
      (entry) =>
        entry.originalDestinationPort === 8080 && source.test(addresses.text(entry.originalSource)),
    );
    return [...new Set(own.map((entry) => entry.originalSource !== entry.replyDestination))];
  };
  return { outcomes, masqueraded };
}

/**
 * Broken on purpose: rules that kube-proxy's own programming throws away (all were refused), and none masqueraded.
 */
test("from outside, from another node's pod and from the node's own, masqueraded where the answer would not come back", async () => {
  const { outcomes, masqueraded } = await run({
    out: ["outside(1)", "node-1:8080"],
    same: ['pods(1, { node: "node-1" })', "node-1:8080"],
    other: ['pods(1, { node: "node-2" })', "node-1:8080"],
    closed: ["outside(1)", "node-2:8080"],
  });
  for (const client of ["out", "same", "other", "closed"]) {
    expect(outcomes(client), client).toEqual(["served"]);
  }
  expect(masqueraded(/^10\.244\.0\./)).toEqual([true]);
  expect(masqueraded(/^10\.244\.1\./)).toEqual([false]);
  expect(masqueraded(/^(?!10\.244)/)).toEqual([false]);
});

/** The rules go with the sandbox; then the node's own kernel answers for the port. Broken on purpose: they stay (time-outs). */
test("when the pod has gone nobody listens there, and its successor has the port", async () => {
  const faults = 'resetPods({ selector: "app=agent", count: 2, how: "delete", at: "3s" })';
  const { outcomes } = await run(
    { out: ["outside(1)", "node-1:8080"] },
    { faults, duration: "30s" },
  );
  expect(outcomes("out", 0, 2.9)).toEqual(["served"]);
  expect(outcomes("out", 3.1, 10).toSorted()).toEqual(["refused", "served"]);
  expect(outcomes("out", 20)).toEqual(["served"]);
});

// Broken on purpose: hostIP not looked at.
test("hostIP: of the node's addresses this one only", async () => {
  const clients = { out: ["outside(1)", "node-1:8080"] } as const;
  const elsewhere = await run(clients, { port: "hostPort: 8080, hostIP: 127.0.0.1" });
  expect(elsewhere.outcomes("out")).toEqual(["refused"]);
  const any = await run(clients, { port: "hostPort: 8080, hostIP: 0.0.0.0" });
  expect(any.outcomes("out")).toEqual(["served"]);
});

test("a port that no pod asks for is a mistake", async () => {
  const text = `import { hostPort, openLoop, outside } from "podstorm";
export default { duration: "5s", cluster: { nodes: 1, manifests: ["agent.yaml"] },
  clients: [{ name: "c", from: outside(1), to: hostPort("node-1:8081"), load: openLoop(1) }] } as any;`;
  expect(
    await mistakesIn(
      { "scenario.ts": text, "agent.yaml": manifest("hostPort: 8080") },
      { profile: defaultProfile },
    ),
  ).toEqual([
    "scenario.ts:3:57 clients[0].to.hostPort: no pod has host port 8081; allowed: host ports of pods: 8080",
  ]);
});
