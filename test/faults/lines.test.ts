/** Faults of lines, connection tracking and CPUs, as a scenario asks for them: what clients see, and for how long. */
import { describe, expect, test } from "vitest";
import { compile } from "../../src/scenario/compile.ts";
import { outcomeNames } from "../../src/observe/observations.ts";
import { defaultProfile } from "../../src/scenario/profile.ts";
import { loadFiles, mistakesIn } from "../scenario/files.ts";

/** One pod on node-2 in zone-2, and a Service. */
const manifest = `apiVersion: v1
kind: Pod
metadata: { name: web, labels: { app: web } }
spec:
  nodeName: node-2
  containers: [{ name: web, image: web, ports: [{ containerPort: 80 }] }]
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec:
  type: NodePort
  selector: { app: web }
  ports: [{ port: 8080, targetPort: 80, nodePort: 30080 }]
`;

interface Ended {
  readonly startS: number;
  readonly tookMs: number;
  readonly outcome: string;
}

/** A request each half second from a pod on node-1, in zone-1. */
async function run(faults: string, fields = "") {
  const text = `import * as p from "podstorm";
const { partition, netem, flushConntrack, stealCpu } = p;
export default {
  duration: "10s",
  cluster: { nodes: 3, zones: 2, manifests: ["web.yaml"] },
  servers: { "pod/web": { serviceTime: "1ms" } },
  clients: [{
    name: "c", from: p.pods(1, { node: "node-1" }), to: "svc/web:8080", timeout: "400ms",
    load: p.openLoop(2, { arrivals: "deterministic" }), ${fields}
  }],
  faults: [${faults}],
};`;
  const files = { "scenario.ts": text, "web.yaml": manifest };
  const scenario = await loadFiles(files, { profile: defaultProfile });
  const ended: Ended[] = [];
  const events: string[] = [];
  const compiled = compile(scenario, [
    {
      requestEnded: (_client, _service, outcome, startNs, endNs) =>
        ended.push({
          startS: startNs / 1e9,
          tookMs: (endNs - startNs) / 1e6,
          outcome: outcomeNames[outcome]!,
        }),
      event: (atNs, kind, object, detail) => {
        if (kind.startsWith("fault")) events.push(`${atNs / 1e9} ${kind} ${object} ${detail}`);
      },
    },
  ]);
  compiled.runUntil(scenario.durationNs);
  const { brokenLaws, hops } = compiled.finish();
  expect(brokenLaws).toEqual([]);
  const drops = hops.flatMap(({ hop, drops: all }) => all.map(({ cause }) => `${hop} ${cause}`));
  return { scenario, ended, events, drops };
}

const during = (ended: readonly Ended[], fromS: number, toS: number): Ended[] =>
  ended.filter(({ startS }) => startS >= fromS && startS < toS);

const outcomes = (ended: readonly Ended[]): string[] => [
  ...new Set(ended.map(({ outcome }) => outcome)),
];

describe("partition", () => {
  test("of two zones: requests between them time out until it is over, and only then", async () => {
    const cut = 'partition({ from: "zone/zone-1", to: "zone/zone-2", at: "2s", for: "3s" })';
    const { ended, events, drops } = await run(cut);
    expect(outcomes(during(ended, 0, 2))).toEqual(["served"]);
    expect(outcomes(during(ended, 2, 4.6))).toEqual(["timeout"]);
    expect(outcomes(during(ended, 5, 10))).toEqual(["served"]);
    expect(drops).toEqual(["switch/node-2 partitioned"]);
    expect(events).toEqual([
      "2 fault_began host/zone/zone-1 to zone/zone-2 partition",
      "5 fault_ended host/zone/zone-1 to zone/zone-2 partition",
    ]);
  });

  test("of others does not concern them; one way is enough", async () => {
    const others = await run('partition({ from: "node-1", to: "node-3", at: "2s" })');
    expect(outcomes(others.ended)).toEqual(["served"]);
    const back = await run('partition({ from: "node-2", oneWay: true, at: "2s", until: "4s" })');
    expect(outcomes(during(back.ended, 2, 3.6))).toEqual(["timeout"]);
    expect(back.drops).toEqual(["switch/node-1 partitioned"]);
  });

  test("from outside: hosts outside are cut off, pods are not", async () => {
    const fields = 'from: p.outside(1), to: p.nodePort("svc/web:8080", { node: "node-1" })';
    const cut = 'partition({ from: "node-1", to: "outside", at: "2s" })';
    expect(outcomes(during((await run(cut, fields)).ended, 2, 10))).toEqual(["timeout"]);
    expect(outcomes((await run(cut)).ended)).toEqual(["served"]);
  });
});

describe("netem", () => {
  test("adds its latency to each crossing while it lasts", async () => {
    // Broken on purpose: a netem that is not taken away at the end.
    const { ended } = await run('netem({ from: "node-1", latency: "20ms", at: "2s", for: "3s" })');
    for (const { tookMs } of during(ended, 0, 2)) expect(tookMs).toBeLessThan(2);
    for (const { tookMs } of during(ended, 2.1, 4.9)) {
      // A new connection each: SYN, SYN-ACK, request, answer.
      expect(tookMs).toBeGreaterThanOrEqual(80);
      expect(tookMs).toBeLessThan(82);
    }
    for (const { tookMs } of during(ended, 5.1, 10)) expect(tookMs).toBeLessThan(2);
  });

  test("its draws are its own: another fault beside it moves none of them", async () => {
    const lossy = 'netem({ from: "node-1", to: "node-2", loss: 0.3, at: "1s" })';
    const far = 'netem({ from: "node-3", to: "outside", loss: 0.5, at: "0s" })';
    const alone = await run(lossy);
    expect(outcomes(alone.ended)).toEqual(expect.arrayContaining(["served", "timeout"]));
    expect((await run(`${lossy}, ${far}`)).ended).toEqual(alone.ended);
  });
});

test("flushConntrack: a connection in the middle of its life is decided anew, and survives it here", async () => {
  // The only endpoint is chosen again; the entry is made by data in the middle (tcp_loose).
  const flush = 'flushConntrack({ hosts: ["node-1", "node-2"], at: "2s" })';
  const { ended, events } = await run(flush, "connections: p.keepAlive()");
  expect(outcomes(ended)).toEqual(["served"]);
  expect(events).toEqual(["2 fault host/node-1+node-2 flushConntrack"]);
});

test("stealCpu: services take so many times as long, on that node only", async () => {
  const stolen = await run('stealCpu({ nodes: "node-2", share: 0.8, at: "2s", for: "3s" })');
  for (const { tookMs } of during(stolen.ended, 0, 2)) expect(tookMs).toBeLessThan(1.3);
  for (const { tookMs } of during(stolen.ended, 2.1, 4.9)) expect(tookMs).toBeGreaterThan(5);
  for (const { tookMs } of during(stolen.ended, 5.1, 10)) expect(tookMs).toBeLessThan(1.3);
  const elsewhere = await run('stealCpu({ nodes: "node-3", share: 0.8, at: "2s" })');
  for (const { tookMs } of elsewhere.ended) expect(tookMs).toBeLessThan(1.3);
});

test("a fault that would begin after the end of the run is said to be ignored", async () => {
  const { scenario } = await run('partition({ from: "node-1", at: "10s" })');
  expect(scenario.ignored).toMatchObject([
    { object: "fault partition", reason: "begins at 10s, the run ends at 10s" },
  ]);
});

test("mistakes are found together", async () => {
  const text = `import { flushConntrack, netem, partition, stealCpu } from "podstorm";
export default {
  duration: "10s",
  cluster: { nodes: 2, zones: 2 },
  faults: [
    netem({ from: "node-1", to: "zone/zone-3", at: "1s" }),
    netem({ from: "outside", jitter: "1ms", reorder: 0.2, loss: 2, at: "1s", for: "1s" }),
    netem({ from: "node-1", rate: "fast", jitter: "1ms", at: "1s", until: "1s", for: "2s" }),
    netem({ from: "node-1", loss: 0.1, jitter: "1ms", reorder: 0.2, at: "1s", until: "1s" }),
    partition({ from: [], at: "1s" }),
    partition({ from: "node-1", at: "1s", for: "1s", until: "4s" }),
    flushConntrack({ hosts: "outside", at: "1s" }),
    stealCpu({ nodes: ["node-1", "nod-2"], share: 1, at: "1s" }),
  ],
} as any;`;
  const found = await mistakesIn({ "scenario.ts": text }, { profile: defaultProfile });
  const hosts = "node-1, node-2, zone/zone-1, zone/zone-2";
  expect(found).toEqual([
    "scenario.ts:6:5 faults[0]: a line that is as before; allowed: at least one of latency, loss, duplicate, rate",
    `scenario.ts:6:29 faults[0].to: no host zone/zone-3; allowed: one of ${hosts}, outside (did you mean zone/zone-1?)`,
    "scenario.ts:7:59 faults[1].loss: 2; allowed: a share above 0 up to 1",
    'scenario.ts:8:29 faults[2].rate: "fast"; allowed: bits per second, such as 5e6 or "5mbit"',
    "scenario.ts:9:40 faults[3].jitter: jitter without latency; allowed: latency as well",
    "scenario.ts:9:55 faults[3].reorder: nothing to overtake without latency; allowed: latency as well",
    "scenario.ts:9:79 faults[3].until: not after `at`; allowed: a time after `at`",
    'scenario.ts:10:17 faults[4].from: []; allowed: hosts such as "node-1", "zone/zone-1", "outside", or a list of them',
    "scenario.ts:11:5 faults[5]: both for and until; allowed: one of the two, or neither",
    `scenario.ts:12:22 faults[6].hosts: no host outside; allowed: one of ${hosts}`,
    `scenario.ts:13:16 faults[7].nodes: no node nod-2; allowed: one of ${hosts} (did you mean node-2?)`,
    "scenario.ts:13:44 faults[7].share: 1; allowed: a share above 0 and below 1",
  ]);
});
