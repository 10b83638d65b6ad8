/**
 * `--trace`: requests as spans, in Chrome's trace-event format and in OTLP.
 *
 * Seen to fail: with a phase left out, with answers that are known by the socket only (no RST, no answer), with all packets on one
 * track (slices overlap), with the first requests kept instead of a sample, with a sample that always takes the newest, with
 * the sample drawn from a proxy's own stream, with an attribute of OTLP called `val`, with span ids that repeat in each trace, and
 * with a filter whose words are alternatives.
 */
import { createRequire } from "node:module";
import { beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { RandomStreams } from "../../src/engine/index.ts";
import { Outcome } from "../../src/observe/index.ts";
import { UserError, type Mistake } from "../../src/scenario/mistakes.ts";
import {
  instrumentsOf,
  type Instrument,
  type InstrumentOptions,
} from "../../src/telemetry/index.ts";
import { requestFilter, type EndedRequest } from "../../src/telemetry/traces/filter.ts";
import { RequestSampler } from "../../src/telemetry/traces/sampler.ts";
import { defaultProfile } from "../../src/scenario/profile.ts";
import { loadFiles } from "../scenario/files.ts";
import { echoManifest, storm, textOf, watched } from "./watched.ts";

/** The format as Google's document has it, as far as it is used here; nothing else may be there. */
const args = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]));
const place = { pid: z.int().positive(), tid: z.int().min(0) };
const micros = z.number().min(0);
const traceEvent = z.discriminatedUnion("ph", [
  z.strictObject({
    ph: z.literal("X"),
    name: z.string().min(1),
    cat: z.string(),
    ...place,
    ts: micros,
    dur: micros,
    args,
  }),
  z.strictObject({
    ph: z.literal("i"),
    s: z.literal("t"),
    name: z.string().min(1),
    cat: z.string(),
    ...place,
    ts: micros,
    args,
  }),
  z.strictObject({
    ph: z.literal("C"),
    name: z.string().min(1),
    ...place,
    ts: micros,
    args: z.strictObject({ value: z.number().min(0) }),
  }),
  z.strictObject({
    ph: z.literal("M"),
    name: z.enum(["process_name", "thread_name", "process_sort_index", "thread_sort_index"]),
    ...place,
    args: z.union([z.strictObject({ name: z.string() }), z.strictObject({ sort_index: z.int() })]),
  }),
]);
const traceFile = z.strictObject({
  displayTimeUnit: z.literal("ns"),
  otherData: args,
  traceEvents: z.array(traceEvent),
});
type TraceFile = z.infer<typeof traceFile>;
type Slice = Extract<TraceFile["traceEvents"][number], { ph: "X" }>;

async function traced(options: InstrumentOptions, scenario = storm()): Promise<Instrument> {
  const loaded = await scenario;
  const [instrument] = instrumentsOf(options, loaded, "1.2.3");
  watched(loaded, [instrument!]);
  const again = instrument!.again!();
  again?.run.runUntil(again.untilNs);
  return instrument!;
}

function parsed(instrument: Instrument): TraceFile {
  return traceFile.parse(JSON.parse(textOf(instrument)));
}

/** Slices by the name of their track, which here is unique. */
function tracks({ traceEvents }: TraceFile): Map<string, Slice[]> {
  const names = new Map<string, string>();
  const found = new Map<string, Slice[]>();
  for (const event of traceEvents) {
    const key = `${event.pid} ${event.tid}`;
    if (event.ph === "M" && event.name === "thread_name" && "name" in event.args) {
      names.set(key, event.args.name);
      found.set(event.args.name, []);
    }
    if (event.ph === "X") found.get(names.get(key)!)!.push(event);
  }
  return found;
}

const ns = (micros: number): number => Math.round(micros * 1000);

describe("in Chrome's format", () => {
  let all: TraceFile;
  let byTrack: Map<string, Slice[]>;
  beforeAll(async () => {
    all = parsed(await traced({ trace: ["t.json"] }));
    byTrack = tracks(all);
  });

  it("shows every request where they are few, and says so", () => {
    const { otherData } = all;
    expect(otherData["requests_shown"]).toBe(otherData["requests_ended"]);
    expect(otherData["requests_ended"]).toBeGreaterThan(400);
    expect(otherData["sampling"]).toBe("every request that matched");
    const roots = [...byTrack.keys()].filter((name) => /^request \d+ to /.test(name));
    expect(roots).toHaveLength(Number(otherData["requests_shown"]));
  });

  it("has slices that only nest, on every track", () => {
    for (const [track, slices] of byTrack) {
      const open: number[] = [];
      const sorted = slices.toSorted((a, b) => a.ts - b.ts || b.dur - a.dur);
      for (const { ts, dur, name } of sorted) {
        const [from, to] = [ns(ts), ns(ts) + ns(dur)];
        while (open.length > 0 && open.at(-1)! <= from) open.pop();
        expect(to, `${name} on ${track}`).toBeLessThanOrEqual(open.at(-1) ?? Infinity);
        open.push(to);
      }
    }
  });

  it("adds up: what a try waited for is the whole try", () => {
    let tries = 0;
    for (const [track, [root, ...rest]] of byTrack) {
      if (!/^request \d+ to /.test(track)) continue;
      const inside = rest.filter(({ name }) => !/^(try \d|back off)/.test(name));
      const outer = rest.filter(({ name }) => /^(try \d|back off)/.test(name));
      const sum = (of: readonly Slice[]): number => of.reduce((all, { dur }) => all + ns(dur), 0);
      expect(sum(outer), track).toBe(ns(root!.dur));
      expect(sum(inside), track).toBe(sum(outer.filter(({ name }) => name !== "back off")));
      tries += outer.length;
    }
    expect(tries).toBeGreaterThan(400);
  });

  it("follows a new connection's packets out and back", () => {
    const track = [...byTrack.keys()].find(
      (name) =>
        /^request \d+ to default\/web: served$/.test(name) &&
        byTrack.get(name)!.some(({ name: phase }) => phase === "connect"),
    )!;
    const request = /^request \d+/.exec(track)![0];
    const phases = byTrack.get(track)!.map(({ name }) => name);
    expect(phases).toEqual([
      track,
      "try 1",
      "connect",
      "request on its way",
      "serve",
      "answer on its way",
    ]);
    const packets = byTrack.get(`${request}: packets`)!;
    const journeys = packets.filter(({ args: own }) => "podstorm.end" in own);
    expect(journeys.map(({ name }) => name)).toEqual([
      "SYN out",
      "SYN ACK back",
      "data of 256 B out",
      "data of 8192 B FIN back",
    ]);
    expect(journeys.every(({ args: own }) => own["podstorm.end"] === "delivered")).toBe(true);
    // From the client's veth over netfilter, where the Service's address became a pod's.
    const first = packets.findIndex(({ name }) => name === "SYN out");
    expect(packets[first + 1]!.name).toMatch(/^veth .*client-new-\d\/out$/);
    const dnat = packets.map(({ args: own }) => own["dnat"]).find((each) => each !== undefined);
    expect(dnat).toMatch(/^10\.\d+\.\d+\.\d+:8080 to 10\.244\.\d+\.\d+:80$/);
  });

  it("shows how a refused one was refused, and what it did between its tries", () => {
    const refused = [...byTrack].filter(
      ([name]) => name.endsWith(": refused") || name.endsWith(": reset"),
    );
    const retried = [...byTrack.values()].filter((slices) =>
      slices.some(({ name }) => name === "back off"),
    );
    expect(retried.length).toBeGreaterThan(0);
    const lost = refused.filter(([name]) => {
      const packets = byTrack.get(`${/^request \d+/.exec(name)![0]}: packets`) ?? [];
      return packets.some(
        (each) => each.name === "RST back" && each.args["podstorm.end"] === "delivered",
      );
    });
    expect(lost.length).toBeGreaterThan(0);
  });

  it("has the control plane: changes by stages and nodes, lives, syncs, faults and counters", () => {
    const removed = [...byTrack.keys()].filter((name) =>
      /^(removed|condition) 10\.244\..*:80 of default\/web$/.test(name),
    );
    expect(removed.length).toBeGreaterThan(0);
    const nodes = [...byTrack]
      .filter(([name]) => name.includes(": nodes"))
      .flatMap(([, slices]) => slices);
    expect(new Set(nodes.map(({ name }) => name))).toEqual(
      new Set(["node-1", "node-2", "node-3", "watch", "wait", "sync"]),
    );
    expect(byTrack.get("node-1 IPv4")!.some(({ name }) => name === "partial sync")).toBe(true);
    expect(all.traceEvents.some((event) => event.ph === "i" && event.name === "pod_reset")).toBe(
      true,
    );
    const lives = [...byTrack].filter(([name]) => name.startsWith("default/web-"));
    expect(lives.length).toBeGreaterThan(0);
    expect(lives.every(([, slices]) => slices.length > 1)).toBe(true);
    const counters = all.traceEvents.filter(({ ph }) => ph === "C").map(({ name }) => name);
    expect(counters).toContain("node-1");
  });
});

describe("its sample", () => {
  it("is bounded, says of how many, and is the same each time", async () => {
    const options = { trace: ["t.json"], traceLimit: 7, traceFilter: ["client=new"] };
    const first = await traced(options);
    const { otherData } = parsed(first);
    expect(otherData).toMatchObject({
      requests_shown: 7,
      filter: "client=new",
      scenario: "scenario",
    });
    expect(Number(otherData["requests_matched"])).toBeLessThan(Number(otherData["requests_ended"]));
    expect(otherData["sampling"]).toBe("7 of those that matched, each as likely as any other");
    expect(textOf(await traced(options))).toBe(textOf(first));
  });

  it("takes each request as often as any other", () => {
    const [requests, limit, draws] = [20, 5, 2000];
    const taken = Array.from({ length: requests }, () => 0);
    for (let replication = 0; replication < draws; replication++) {
      const sampler = new RequestSampler(() => true, limit);
      sampler.drawFrom(new RandomStreams("sample", replication).get("trace/sample"));
      for (let number = 0; number < requests; number++) {
        sampler.attemptEnded(number);
        sampler.requestEnded(0, 0, Outcome.served, 0, 1, 1, 0);
      }
      expect(sampler.chosen).toHaveLength(limit);
      for (const { number } of sampler.chosen) taken[number]!++;
    }
    // Each is in a quarter of the samples. Chi-square of 20 cells whose sum is fixed, sampling without replacement: times
    // (requests - 1) / (requests - limit), 19 degrees of freedom; 43.82 is passed once in a thousand times.
    const expected = (draws * limit) / requests;
    const chi = taken.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    expect((chi * (requests - 1)) / (requests - limit)).toBeLessThan(43.82);
  });

  it("changes nothing in the run", async () => {
    const scenario = await storm();
    const [instrument] = instrumentsOf({ trace: ["t.json"], traceLimit: 1 }, scenario, "1.2.3");
    const { end, recording, context } = watched(scenario, [instrument!]);
    const without = watched(scenario, []);
    expect(end.eventFingerprint).toBe(without.end.eventFingerprint);
    const rows = ({ recording: by, context: of }: Pick<typeof without, "recording" | "context">) =>
      by.tables(of).map(({ file, rows: each }) => [file, [...each]]);
    expect(rows({ recording, context })).toEqual(rows(without));
  });
});

describe("of datagrams", () => {
  it("shows the way there and back, and the work between", async () => {
    const text = `import { defineScenario, openLoop, pods } from "podstorm";
export default defineScenario({
  duration: "2s",
  cluster: { nodes: 2, manifests: ["udp.yaml"] },
  clients: [{ name: "ask", from: pods(1), to: "svc/echo:53", load: openLoop(20), timeout: "1s" }],
});`;
    const files = { "scenario.ts": text, "udp.yaml": echoManifest };
    const scenario = loadFiles(files, { profile: defaultProfile });
    const byTrack = tracks(parsed(await traced({ trace: ["t.json"] }, scenario)));
    const track = [...byTrack.keys()].find((name) => name.endsWith(": served"));
    expect(
      byTrack
        .get(track!)!
        .map(({ name }) => name)
        .slice(1),
    ).toEqual(["try 1", "request on its way", "serve", "answer on its way"]);
    const packets = byTrack.get(`${/^request \d+/.exec(track!)![0]}: packets`)!;
    const ways = packets.filter(({ args: own }) => "podstorm.end" in own).map(({ name }) => name);
    expect(ways).toEqual(["datagram of 256 B out", "datagram of 8192 B back"]);
  });
});

/** opentelemetry-proto's own messages, as OpenTelemetry for JavaScript has them generated. */
interface Message {
  verify(message: object): string | null;
  fromObject(object: object): object;
  toObject(message: object, options: object): object;
}
const generated = createRequire(import.meta.url)(
  "@opentelemetry/otlp-transformer/build/src/generated/root.js",
) as {
  opentelemetry: { proto: { trace: { v1: { TracesData: Message } } } };
};
const { TracesData } = generated.opentelemetry.proto.trace.v1;

interface OtlpSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes: object[];
  status: { code?: number };
}
interface Otlp {
  resourceSpans: {
    resource: { attributes: { key: string; value: { stringValue: string } }[] };
    scopeSpans: { scope: { name: string; attributes: object[] }; spans: OtlpSpan[] }[];
  }[];
}

describe("in OTLP", () => {
  let otlp: Otlp;
  let spans: OtlpSpan[];
  beforeAll(async () => {
    const instrument = await traced({ trace: ["t.otlp.json"], traceFilter: ["failed"] });
    otlp = JSON.parse(textOf(instrument)) as Otlp;
    spans = otlp.resourceSpans.flatMap((each) => each.scopeSpans.flatMap((scope) => scope.spans));
  });

  it("is what opentelemetry-proto describes, and nothing else", () => {
    // OTLP's JSON has ids in hex where protobuf's own mapping has base64, and leaves out what is empty.
    const mapped = JSON.parse(JSON.stringify(otlp), (key, value: unknown) => {
      if (/^(trace|span|parentSpan)Id$/.test(key))
        return Buffer.from(value as string, "hex").toString("base64");
      return Array.isArray(value) && value.length === 0 ? undefined : value;
    }) as object;
    const message = TracesData.fromObject(mapped);
    expect(TracesData.verify(message)).toBeNull();
    // A field that the proto has not would be lost on the way.
    expect(TracesData.toObject(message, { longs: String, bytes: String })).toEqual(mapped);
  });

  it("has ids of the right size, once each, and parents in the same trace", () => {
    const byId = new Map(spans.map((span) => [span.spanId, span]));
    expect(byId.size).toBe(spans.length);
    for (const { traceId, spanId, parentSpanId } of spans) {
      expect(traceId).toMatch(/^[0-9a-f]{32}$/);
      expect(spanId).toMatch(/^[0-9a-f]{16}$/);
      if (parentSpanId !== undefined) expect(byId.get(parentSpanId)!.traceId).toBe(traceId);
    }
  });

  it("tells clients, the network and the control plane apart, and marks what failed", () => {
    const names = otlp.resourceSpans.map(
      ({ resource }) => resource.attributes[0]!.value.stringValue,
    );
    expect(names).toEqual(expect.arrayContaining(["new", "network", "control plane"]));
    const roots = spans.filter(({ name }) => name.startsWith("request "));
    expect(roots.length).toBeGreaterThan(0);
    expect(roots.every(({ status, kind }) => status.code === 2 && kind === 3)).toBe(true);
    for (const { startTimeUnixNano: from, endTimeUnixNano: to } of spans) {
      expect(BigInt(to)).toBeGreaterThanOrEqual(BigInt(from));
    }
  });
});

describe("a filter", () => {
  const request: EndedRequest = {
    number: 12,
    client: "web",
    service: "default/nginx",
    outcome: Outcome.refused,
    startedAtNs: 1e9,
    endedAtNs: 1.2e9,
    attempts: 2,
    isStale: true,
  };
  const judged = (...texts: string[]): boolean | string => {
    const mistakes: Mistake[] = [];
    const filter = requestFilter(texts, mistakes);
    return mistakes.length > 0 ? new UserError(mistakes).message : filter(request);
  };

  it.each([
    ["failed", true],
    ["served", false],
    ["refused", true],
    ["timeout", false],
    ["stale", true],
    ["retried", true],
    ["slow>199ms", true],
    ["slow>200ms", false],
    ["client=web", true],
    ["client=we", false],
    ["service=nginx", true],
    ["service=other/nginx", false],
    ["since=1.2s", true],
    ["since=1.3s", false],
    ["until=1s", true],
    ["until=900ms", false],
    ["request=12", true],
    ["request=1", false],
  ])("%s", (text, expected) => expect(judged(text)).toBe(expected));

  it("has to hold with all others", () => {
    expect(judged("failed", "client=web")).toBe(true);
    expect(judged("failed", "client=mobile")).toBe(false);
  });

  it("that nobody knows is a mistake, told with all others", () => {
    const text = String(judged("faild", "slow>5", "client="));
    expect(text).toContain('"faild"; allowed: failed, retried');
    expect(text).toContain("(did you mean failed?)");
    expect(text).toContain('"slow>5" (the unit is missing)');
    expect(text).toContain('"client=" (a name is missing)');
    expect(judged("toString")).toContain("allowed");
  });
});
