/**
 * `sim trace`: one real packet's way, in every format, and what becomes of packets that do not arrive.
 *
 * Seen to fail: with the step over a veth left out (times), with the rules walked to no endpoint, with the tap
 * told only after conntrack, with a recorder that draws from a node's stream, with the memory of affinity not
 * told, and with quotes not escaped in DOT and ";" not in Mermaid.
 */
import { describe, expect, it, test } from "vitest";
import { seconds } from "../../src/engine/index.ts";
import { traceFirstPacket, traceFormats, type TraceFormat } from "../../src/inspect/index.ts";
import type { HopStep, NetfilterStep, Trace } from "../../src/inspect/trace/record.ts";
import { PacketRecorder } from "../../src/inspect/trace/recorder.ts";
import type { Service } from "../../src/kubernetes/api/types.ts";
import type { Namespace } from "../../src/network/host.ts";
import { compile, type Run } from "../../src/scenario/compile.ts";
import { loadScenario } from "../../src/scenario/index.ts";
import type { ResolvedScenario } from "../../src/scenario/resolved.ts";
import { defaultProfile } from "../../src/scenario/profile.ts";
import { loadFiles } from "../scenario/files.ts";
import { dotProblem, mermaidProblem } from "./grammar.ts";

const storm = await loadScenario("scenarios/reset-storm.ts");

/** Three servers on two nodes, a Service of each kind of trouble, and a client. */
const manifest = `apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: 3
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      containers: [{ name: web, image: nginx, ports: [{ containerPort: 80 }, { containerPort: 5353, protocol: UDP }] }]
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ port: 80 }] }
---
apiVersion: v1
kind: Service
metadata: { name: web-public }
spec: { type: NodePort, selector: { app: web }, ports: [{ port: 80, nodePort: 30080 }] }
---
apiVersion: v1
kind: Service
metadata: { name: sticky }
spec: { selector: { app: web }, ports: [{ port: 80 }] }
---
apiVersion: v1
kind: Service
metadata: { name: wrong-port }
spec: { selector: { app: web }, ports: [{ port: 80, targetPort: 81 }] }
---
apiVersion: v1
kind: Service
metadata: { name: balanced }
spec: { type: LoadBalancer, selector: { app: web }, ports: [{ port: 80, nodePort: 30081 }] }
---
apiVersion: v1
kind: Service
metadata: { name: udp }
spec: { selector: { app: web }, ports: [{ name: dns, port: 53, targetPort: 5353, protocol: UDP }, { name: closed, port: 54, protocol: UDP }] }
---
apiVersion: v1
kind: Service
metadata: { name: ext }
spec: { type: ExternalName, externalName: db.example.com, ports: [{ port: 443 }] }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: none }
spec:
  replicas: 0
  selector: { matchLabels: { app: none } }
  template:
    metadata: { labels: { app: none } }
    spec:
      containers: [{ name: none, image: nginx, ports: [{ containerPort: 80 }] }]
---
apiVersion: v1
kind: Service
metadata: { name: empty }
spec: { selector: { app: none }, ports: [{ port: 80 }] }
`;

async function small(kubeProxy: Record<string, unknown> = {}): Promise<ResolvedScenario> {
  const text = `export default {
  duration: "20s",
  cluster: { nodes: 2, manifests: ["web.yaml"] },
  clients: [{ name: "a", to: "svc/web:80", load: { kind: "openLoop", rate: 10 } }],
  profile: ${JSON.stringify({ kubernetes: { kubeProxy } })},
};`;
  return loadFiles({ "scenario.ts": text, "web.yaml": manifest }, { profile: defaultProfile });
}

function withAffinity(scenario: ResolvedScenario, name: string): ResolvedScenario {
  const affinity = { sessionAffinity: "ClientIP", sessionAffinityTimeoutNs: seconds(60) } as const;
  return changed(scenario, name, affinity);
}

function changed(
  scenario: ResolvedScenario,
  name: string,
  change: Partial<Service["spec"]>,
): ResolvedScenario {
  const services = scenario.cluster.services.map((service) =>
    service.metadata.name === name ? { ...service, spec: { ...service.spec, ...change } } : service,
  );
  return { ...scenario, cluster: { ...scenario.cluster, services } };
}

function runTo(scenario: ResolvedScenario, atNs: number): Run {
  const run = compile(scenario, []);
  run.runUntil(atNs);
  return run;
}

function trace(scenario: ResolvedScenario, from: string, to: string, atNs = 0): Trace {
  return traceFirstPacket(runTo(scenario, atNs), scenario, { from, to });
}

const netfilter = ({ steps }: Trace): NetfilterStep[] =>
  steps.filter((step) => step.kind === "netfilter");
const hops = ({ steps }: Trace): HopStep[] => steps.filter((step) => step.kind === "hop");

describe("the look", () => {
  const formats = Object.keys(traceFormats) as TraceFormat[];

  it.each(formats)("of %s", async (format) => {
    const traced = trace(storm, "pod/client-web-0", "svc/nginx:8080", seconds(12));
    await expect(traceFormats[format](traced)).toMatchFileSnapshot(`./golden/trace.${format}.txt`);
  });

  it("of a packet from outside, to a node port", async () => {
    const traced = trace(storm, "outside", "node/node-1:31000", seconds(12));
    await expect(traceFormats.text(traced)).toMatchFileSnapshot("./golden/trace.nodeport.txt");
  });

  it("of nftables mode", async () => {
    const traced = trace(await small({ mode: "nftables" }), "pod/client-a-0", "svc/web:80");
    await expect(traceFormats.text(traced)).toMatchFileSnapshot("./golden/trace.nftables.txt");
  });
});

test("signs that mean something to Mermaid or DOT are escaped", () => {
  const plain = trace(storm, "pod/client-web-0", "svc/nginx:8080");
  const place = 'a;b#c"d\\e{f}<g>';
  const traced = { ...plain, verdict: { ...plain.verdict, place, cause: place } };
  expect(mermaidProblem(traceFormats.mermaid(traced))).toBe(null);
  expect(dotProblem(traceFormats.dot(traced))).toBe(null);
  expect(dotProblem(traceFormats.dot(plain).replace("];", "]"))).not.toBe(null);
  expect(mermaidProblem(traceFormats.mermaid(plain).replace("->>", "->"))).not.toBe(null);
});

describe("each step", () => {
  const pods = [...runTo(storm, 0).cluster.api.list("Pod")].map(
    ({ metadata }) => `pod/${metadata.name}`,
  );
  const nodes = storm.cluster.nodes.map(({ metadata }) => `node/${metadata.name}`);
  const origins = [...pods.slice(0, 3), pods.at(-1)!, ...nodes, "outside"];
  const targets = ["svc/nginx:8080", "svc/nginx-public:http", "node/node-2:31000", `${pods[1]}:80`];
  const ways = origins.flatMap((from) => targets.map((to) => ({ from, to })));

  it.each(ways)("of the way from $from to $to adds up", ({ from, to }) => {
    const traced = trace(storm, from, to, seconds(2));
    const took = hops(traced).map(({ waitNs, sendNs, latencyNs }) => waitNs + sendNs + latencyNs);
    const walked = netfilter(traced).map(({ walkNs }) => walkNs);
    const total = [...took, ...walked].reduce((sum, ns) => sum + ns, 0);
    // Delivery is timed by the simulation's clock.
    expect(traced.verdict.afterNs).toBe(total);
    const isForeign = from === "outside" && !to.startsWith("node/");
    expect(traced.verdict.kind).toBe(isForeign ? "dropped" : "delivered");
    for (const step of netfilter(traced)) {
      const { before, after, rules } = step;
      const translated = rules.filter(({ text }) =>
        text.includes(`--to-destination ${after.destination}`),
      );
      expect(translated.length).toBe(before.destination === after.destination ? 0 : 1);
      const masqueraded = rules.some(({ text }) => text.includes("-j MASQUERADE"));
      expect(masqueraded).toBe(before.source !== after.source);
    }
    expect(mermaidProblem(traceFormats.mermaid(traced))).toBe(null);
    expect(dotProblem(traceFormats.dot(traced))).toBe(null);
    expect(JSON.parse(traceFormats.json(traced))).toEqual(traced);
  });
});

describe("a packet that does not arrive", () => {
  it("is rejected where no endpoint is, and the sender is told", async () => {
    const traced = trace(await small(), "pod/client-a-0", "svc/empty:80");
    expect(traced.verdict).toMatchObject({ kind: "rejected", cause: "no_endpoints" });
    expect(traced.answer?.outcome).toBe("ECONNREFUSED");
    const [step] = netfilter(traced);
    expect(step!.rules.at(-1)).toMatchObject({ table: "filter", chain: "KUBE-SERVICES" });
    expect(step!.rules.at(-1)!.text).toContain("-j REJECT");
  });

  it("is rejected likewise in nftables mode", async () => {
    const traced = trace(await small({ mode: "nftables" }), "pod/client-a-0", "svc/empty:80");
    expect(netfilter(traced)[0]!.rules.slice(-2)).toMatchObject([
      { chain: "service-endpoints-check" },
      { chain: "reject-chain", text: "reject" },
    ]);
  });

  // Broken on purpose: with no 127.0.0.1 in the cluster's namespaces nftables' answer is ENETUNREACH.
  it("meets nobody on a host's own loopback, but for iptables' node ports", async () => {
    const at = async (mode: "iptables" | "nftables") =>
      trace(await small({ mode }), "node/node-1", "127.0.0.1:30080");
    expect((await at("nftables")).answer?.outcome).toBe("ECONNREFUSED");
    const served = await at("iptables");
    expect(served.answer?.outcome).toBe("connected");
    expect(served.flow.source).toMatch(/^127\.0\.0\.1:/);
  });

  // Broken on purpose: with the node port judged only where it answers, the sender is refused by the host.
  it("is rejected by the filter where node ports do not answer, too", async () => {
    const scenario = await small({ mode: "iptables", nodePortAddresses: ["10.99.0.0/16"] });
    const port = {
      name: null,
      protocol: "TCP",
      port: 80,
      targetPort: 80,
      nodePort: 30_090,
    } as const;
    const exposed = changed(scenario, "empty", { type: "NodePort", ports: [port] });
    const traced = trace(exposed, "outside", "node/node-2:30090");
    expect(traced.verdict).toMatchObject({ kind: "rejected", cause: "no_endpoints" });
    expect(netfilter(traced)[0]!.rules.at(-1)!.text).toContain("-j REJECT");
  });

  it("meets a closed port", async () => {
    const traced = trace(await small(), "pod/client-a-0", "svc/wrong-port:80");
    expect(traced.verdict.kind).toBe("delivered");
    expect(traced.answer?.outcome).toBe("ECONNREFUSED");
  });

  it("is held for 3 s where nobody has the address", async () => {
    const traced = trace(await small(), "pod/client-a-0", "10.244.1.99:80");
    expect(traced.verdict).toMatchObject({ kind: "dropped", cause: "neighbour_unresolved" });
    expect(traced.verdict.afterNs).toBeGreaterThanOrEqual(seconds(3));
    expect(traced.answer?.outcome).toBe("EHOSTUNREACH");
  });

  it("has no route to a ClusterIP from outside", async () => {
    const traced = trace(await small(), "outside", "svc/web:80");
    expect(traced.verdict).toMatchObject({ kind: "dropped", cause: "no_route" });
    expect(traced.answer?.outcome).toBe("ENETUNREACH");
  });
});

test("IPVS shows the virtual server and the real one", async () => {
  const traced = trace(await small({ mode: "ipvs" }), "pod/client-a-0", "svc/web:80");
  const [step] = netfilter(traced);
  const { before, after } = step!;
  const rules = step!.rules.filter(({ table }) => table === "ipvs");
  expect(rules.map(({ text }) => text)).toEqual([
    `-A -t ${before.destination} -s rr`,
    `-a -t ${before.destination} -r ${after.destination} -m -w 1`,
  ]);
});

test("with eBPF the socket is given its endpoint before there is a packet", async () => {
  const traced = trace(await small({ mode: "ebpf" }), "pod/client-a-0", "svc/web:80");
  const [connect] = traced.steps;
  expect(connect).toMatchObject({
    kind: "connect",
    before: { destination: traced.aimedAt },
    after: traced.flow,
    verdict: "pass",
  });
  await expect(traceFormats.text(traced)).toMatchFileSnapshot("./golden/trace.ebpf.txt");
  expect(mermaidProblem(traceFormats.mermaid(traced))).toBe(null);
  expect(dotProblem(traceFormats.dot(traced))).toBe(null);
  expect(traced.aimedAt).toMatch(/^10\.\d+\.\d+\.\d+:80$/);
  expect(traced.flow.destination).not.toBe(traced.aimedAt);
  expect(traced.verdict.kind).toBe("delivered");
  const told = `connect() to ${traced.aimedAt} was given that endpoint\n`;
  expect(traceFormats.text(traced)).toContain(told);
});

test("with eBPF a connect() to a Service without endpoints fails, and no packet is sent", async () => {
  const traced = trace(await small({ mode: "ebpf" }), "pod/client-a-0", "svc/empty:80");
  expect(traced.steps).toMatchObject([
    { kind: "connect", verdict: "reject", cause: "no_endpoints" },
  ]);
  expect(traced.flow.destination).toBe(traced.aimedAt);
  expect(traced.verdict).toMatchObject({ kind: "rejected", place: "pod/client-a-0" });
  expect(traced.answer).toEqual({ outcome: "EHOSTUNREACH", afterNs: 0 });
});

test("with eBPF a packet from outside is translated at the NIC, by the frontend of its scope", async () => {
  const scenario = await small({ mode: "ebpf" });
  const traced = trace(scenario, "outside", "node/node-1:30080");
  const [step] = netfilter(traced);
  const { before, after, rules } = step!;
  expect(rules.map(({ text }) => text)).toEqual([
    expect.stringMatching(/^\S+:30080\/TCP \(0\) {2}0\.0\.0\.0:0 \(\d+\) \(0\) \[NodePort\]$/),
    expect.stringContaining(`  ${after.destination}/TCP (`),
  ]);
  expect(rules[0]!.text).toContain(before.destination);
});

describe("the hook at which a rule matched", () => {
  const hooksOf = (traced: Trace): (readonly string[])[] =>
    netfilter(traced).map(({ point, rules }) => [
      point,
      ...new Set(rules.map(({ hook, table }) => `${table} ${hook}`)),
    ]);

  // Broken on purpose: each rule under the hook at which the packet came in, as it was.
  it("of iptables is the built-in chain's", async () => {
    const way = trace(await small({ mode: "iptables" }), "pod/client-a-0", "svc/web:80");
    expect(hooksOf(way)[0]).toEqual([
      "PREROUTING",
      "nat PREROUTING",
      "filter FORWARD",
      "nat POSTROUTING",
    ]);
    const text = traceFormats.text(way);
    const at = (line: string): number => text.indexOf(line);
    expect(at("netfilter PREROUTING: rules walked")).toBeLessThan(at("netfilter FORWARD\n"));
    expect(at("netfilter FORWARD\n")).toBeLessThan(at("filter FORWARD:"));
    expect(at("netfilter POSTROUTING\n")).toBeLessThan(at("nat KUBE-POSTROUTING:"));
    expect(traceFormats.dot(way)).toContain("\\lnetfilter FORWARD\\lfilter FORWARD:");
    expect(traceFormats.mermaid(way)).toContain("<br/>FORWARD<br/>filter FORWARD:");
  });

  it("of IPVS is INPUT, for the virtual address is the node's own", async () => {
    const way = trace(await small({ mode: "ipvs" }), "pod/client-a-0", "svc/web:80");
    expect(netfilter(way)[0]!.rules.filter(({ table }) => table === "ipvs")).toMatchObject([
      { hook: "INPUT" },
      { hook: "INPUT" },
    ]);
    const local = trace(await small({ mode: "ipvs" }), "node/node-1", "svc/web:80");
    expect(netfilter(local)[0]!.rules.find(({ table }) => table === "ipvs")?.hook).toBe("OUTPUT");
    // What is sent on has been through the sets before: nat's PREROUTING, and filter's INPUT and OUTPUT.
    expect([
      ...new Set(netfilter(way)[0]!.rules.map(({ table, hook }) => `${table} ${hook}`)),
    ]).toEqual([
      "nat PREROUTING",
      "filter INPUT",
      "ipvs INPUT",
      "filter OUTPUT",
      "nat POSTROUTING",
    ]);
  });

  it("of eBPF is none of netfilter's", async () => {
    const scenario = await small({ mode: "ebpf" });
    const outside = trace(scenario, "outside", "node/node-1:30080");
    expect(hooksOf(outside)[0]).toEqual(["tc ingress", "bpf tc ingress"]);
    expect(traceFormats.text(outside)).toContain("eBPF at tc ingress: rules walked in");
    const [connect] = trace(scenario, "pod/client-a-0", "svc/web:80").steps;
    expect(connect).toMatchObject({ rules: [{ hook: "connect()" }, { hook: "connect()" }] });
  });
});

// Broken on purpose: hosts that balance load among those outside, as it was.
test("from outside is from a host of no balancer, whatever Services there are", async () => {
  const traced = trace(await small(), "outside", "node/node-1:30081");
  expect(traced.steps[0]).toMatchObject({ place: "outside/host" });
  expect(traced.from).toBe("outside/host");
  expect(traced.flow.source).toMatch(/^203\.0\.113\.254:/);
});

describe("a datagram", () => {
  // Broken on purpose: with a SYN sent to the UDP port, nothing is translated and nobody answers.
  it("takes the way of one, and is told of no connection", async () => {
    const scenario = await small();
    const traced = trace(scenario, "pod/client-a-0", "svc/udp:53");
    expect(traced).toMatchObject({ protocol: "UDP", answer: null, verdict: { kind: "delivered" } });
    expect(netfilter(traced)[0]!.after.destination).toMatch(/:5353$/);
    expect(traceFormats.text(traced)).toContain(" UDP datagram\n");
    const pod = [...runTo(scenario, 0).cluster.api.list("Pod")].find(
      ({ metadata }) => metadata.labels["app"] === "web",
    );
    const direct = trace(scenario, "pod/client-a-0", `pod/${pod!.metadata.name}:5353/udp`);
    expect(direct.verdict.kind).toBe("delivered");
    const literal = trace(scenario, "node/node-1", `${pod!.status.podIPs[0]}:5353/udp`);
    expect(literal).toMatchObject({ protocol: "UDP", verdict: { kind: "delivered" } });
  });

  it("to a closed port is delivered, and one that is rejected is answered by ICMP", async () => {
    const closed = trace(await small(), "pod/client-a-0", "svc/udp:closed");
    expect(closed.verdict.kind).toBe("delivered");
    const empty = changed(await small(), "empty", {
      ports: [{ name: null, protocol: "UDP", port: 80, targetPort: 80, nodePort: null }],
    });
    const rejected = trace(empty, "pod/client-a-0", "svc/empty:80");
    expect(rejected.verdict).toMatchObject({ kind: "rejected", cause: "no_endpoints" });
    expect(rejected.answer?.outcome).toBe("ECONNREFUSED");
  });

  it("is not sent where eBPF refuses connect()", async () => {
    const scenario = changed(await small({ mode: "ebpf" }), "empty", {
      ports: [{ name: null, protocol: "UDP", port: 80, targetPort: 80, nodePort: null }],
    });
    const traced = trace(scenario, "pod/client-a-0", "svc/empty:80");
    expect(traced.steps).toMatchObject([{ kind: "connect", verdict: "reject" }]);
    expect(traced.answer?.outcome).toBe("EHOSTUNREACH");
  });
});

test("an ExternalName has nothing that a packet could be sent to", async () => {
  const scenario = await small();
  expect(() => trace(scenario, "pod/client-a-0", "svc/ext:443")).toThrow(
    /default\/ext is an ExternalName: DNS gives db\.example\.com for it, and nothing else; allowed: a Service/,
  );
});

test("affinity shows as the rule that remembers, the second time", async () => {
  const scenario = withAffinity(await small(), "sticky");
  const run = runTo(scenario, 0);
  const request = { from: "pod/client-a-0", to: "svc/sticky:80" };
  const recent = (traced: Trace): boolean =>
    netfilter(traced)[0]!.rules.some(({ text }) => text.includes("--rcheck"));
  const first = traceFirstPacket(run, scenario, request);
  const second = traceFirstPacket(run, scenario, request);
  expect([recent(first), recent(second)]).toEqual([false, true]);
  expect(netfilter(second)[0]!.after.destination).toBe(netfilter(first)[0]!.after.destination);
});

describe("looking changes nothing", () => {
  it("up to the instant of the trace, and with a tap all along", () => {
    const fingerprintOf = (tapped: boolean): string => {
      const run = compile(storm, []);
      if (tapped) {
        const places = (namespace: Namespace): string => namespace.name;
        run.stack.tap = new PacketRecorder(run.transport.network, places, {
          matched: () => [],
          nameOf: (_host, point) => point,
        });
      }
      run.runUntil(seconds(25));
      return `${run.sim.fingerprint()} ${run.finish().hops.length}`;
    };
    expect(fingerprintOf(true)).toBe(fingerprintOf(false));
  });

  it("in runs after it in the same process", () => {
    const fingerprint = (): string => runTo(storm, seconds(13)).sim.fingerprint();
    const before = fingerprint();
    trace(storm, "pod/client-web-0", "svc/nginx:8080", seconds(12));
    expect(fingerprint()).toBe(before);
  });
});
