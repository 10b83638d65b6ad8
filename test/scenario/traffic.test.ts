/**
 * Traffic that was measured, or written for another tool: what the formats come to, how well a distribution fits, and
 * that a scenario with it runs.
 *
 * Seen to fail: with thinned() of series.ts taking every n-th sample instead of means (requests are lost), with the
 * time zone of nginx's lines left out, with fitOf() always taking the first family (exponential for lognormal), and
 * with users of a ramp never leaving.
 */
import fc from "fast-check";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  createDistribution,
  RandomStreams,
  sampleNs,
  seconds,
  type DistributionSpec,
} from "../../src/engine/index.ts";
import { importCluster, writtenScenario } from "../../src/scenario/import/index.ts";
import { dataOf } from "../../src/scenario/import/text.ts";
import { loadScenario, type LoadOptions } from "../../src/scenario/load.ts";
import { UserError } from "../../src/scenario/mistakes.ts";
import { fitOf } from "../../src/scenario/traffic/fit.ts";
import { envoyLine, jsonLine, nginxLine } from "../../src/scenario/traffic/logLines.ts";
import { readTraffic, type Traffic } from "../../src/scenario/traffic/index.ts";
import { loadFiles } from "./files.ts";
import { loadWritten, runShortly, shopPart } from "./import/imports.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "podstorm-traffic-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const none = () => new Uint8Array();
function read(text: string): Traffic {
  const file = join(folder, "traffic");
  writeFileSync(file, text);
  return readTraffic(file, none);
}
const mistakeOf = (text: string): string => {
  try {
    read(text);
  } catch (error) {
    if (error instanceof UserError) return error.message.replace(folder, "");
    throw error;
  }
  return "";
};
const loadsOf = ({ loads }: Traffic) => loads.map((each) => ({ ...each, load: dataOf(each.load) }));

describe("k6 options", () => {
  test("arrival rates are open loops, evenly spaced, at their hours", () => {
    const traffic = read(
      JSON.stringify({
        scenarios: {
          steady: {
            executor: "constant-arrival-rate",
            rate: 300,
            timeUnit: "1m",
            duration: "30s",
            preAllocatedVUs: 10,
          },
          rising: {
            executor: "ramping-arrival-rate",
            startTime: "30s",
            startRate: 10,
            stages: [
              { target: 100, duration: "1m" },
              { target: 100, duration: "30s" },
            ],
          },
        },
        thresholds: {
          http_req_duration: ["p(95)<500", { threshold: "avg<=200", abortOnFail: true }],
          http_req_failed: ["rate<0.01"],
          checks: ["rate>0.9"],
        },
      }),
    );
    expect(loadsOf(traffic)).toEqual([
      {
        name: "steady",
        load: { kind: "openLoop", rate: 5, arrivals: "deterministic" },
        startNs: 0,
        stopNs: seconds(30),
      },
      {
        name: "rising",
        load: {
          kind: "openLoop",
          rate: {
            kind: "stages",
            stages: [
              { at: "30s", rps: 10 },
              { at: "30s", rps: 100, over: "60s" },
              { at: "90s", rps: 100, over: "30s" },
            ],
          },
          arrivals: "deterministic",
        },
        startNs: seconds(30),
        stopNs: seconds(120),
      },
    ]);
    expect(traffic.durationNs).toBe(seconds(120));
    expect(traffic.thresholds).toEqual([
      "request_duration.p(95)<500ms",
      "request_duration.avg<=200ms",
      "requests_failed.rate<0.01",
    ]);
    expect(traffic.report).toContain("threshold left out: checks: rate>0.9");
  });

  test("users of a ramp come and go in groups, as many at each time as k6 has", () => {
    const traffic = read(
      JSON.stringify({
        vus: 2,
        stages: [
          { duration: "10s", target: 10 },
          { duration: "20s", target: 10 },
          { duration: "10s", target: 0 },
        ],
      }),
    );
    const usersAt = (atS: number) =>
      loadsOf(traffic)
        .filter(({ startNs, stopNs }) => startNs <= seconds(atS) && seconds(atS) < stopNs!)
        .reduce((sum, { load }) => sum + (load as { users: number }).users, 0);
    expect(usersAt(0)).toBe(2);
    for (const [atS, users] of [
      [5, 6],
      [15, 10],
      [29, 10],
      [35, 5],
    ] as const) {
      expect(Math.abs(usersAt(atS) - users)).toBeLessThanOrEqual(1);
    }
    expect(traffic.durationNs).toBe(seconds(40));
  });

  test("whatever the stages, there are never more users than their greatest target, and all go", () => {
    const stage = fc.record({
      duration: fc.integer({ min: 0, max: 30 }),
      target: fc.integer({ min: 0, max: 20 }),
    });
    fc.assert(
      fc.property(fc.array(stage, { minLength: 1, maxLength: 5 }), (stages) => {
        fc.pre(stages.some(({ duration, target }) => duration > 0 && target > 0));
        const written = stages.map(({ duration, target }) => ({
          duration: `${duration}s`,
          target,
        }));
        const loads = loadsOf(read(JSON.stringify({ vus: 1, stages: written })));
        const most = Math.max(1, ...stages.map(({ target }) => target));
        for (const { startNs, stopNs } of loads) {
          expect(stopNs!).toBeGreaterThan(startNs);
          const now = loads
            .filter((each) => each.startNs <= startNs && startNs < each.stopNs!)
            .reduce((sum, { load }) => sum + (load as { users: number }).users, 0);
          expect(now).toBeLessThanOrEqual(most);
        }
      }),
      { numRuns: 50 },
    );
  });

  test("a script is not run: the mistake says how to get its options", () => {
    const script = 'import http from "k6/http";\nexport const options = { vus: 1 };\n';
    expect(mistakeOf(script)).toContain(
      "a script, which is not run; allowed: k6 options in JSON (k6 inspect script.js)",
    );
    expect(mistakeOf('{"scenarios": {"a": {"executor": "magic"}}}')).toContain('"magic"');
    expect(mistakeOf('{"vus": -4, "duration": "1m"}')).toContain("-4");
  });
});

describe("rates over time", () => {
  test("CSV with or without names, in seconds, milliseconds or dates", () => {
    const stages = {
      kind: "stages",
      stages: [
        { at: "0s", rps: 10 },
        { at: "60s", rps: 25 },
      ],
    };
    for (const [a, b, head] of [
      ["1700000000", "1700000060", ""],
      ["1700000000000", "1700000060000", "timestamp,rps\n"],
      ["2026-03-01T10:00:00Z", "2026-03-01T10:01:00Z", "Time,rate\r\n"],
      ["2026-03-01 10:00:00", "2026-03-01 10:01:00", '"Time","a"\n'],
    ]) {
      const traffic = read(`${head}${a},10\n${b},25\n`);
      expect(loadsOf(traffic)[0]!.load).toMatchObject({ kind: "openLoop", rate: stages });
      expect(traffic.durationNs).toBe(seconds(120));
    }
    expect(mistakeOf("timestamp,rps\n1,2\nnever,3\n")).toMatch(
      /traffic:3:1: "never,3"; allowed: timestamp,rps/,
    );
  });

  test("Prometheus' series are added up; what is no number is no request", () => {
    const answer = (result: unknown[]) =>
      JSON.stringify({ status: "success", data: { resultType: "matrix", result } });
    const traffic = read(
      answer([
        {
          metric: { pod: "a" },
          values: [
            [100, "1.5"],
            [115, "2"],
          ],
        },
        {
          metric: { pod: "b" },
          values: [
            [100, "NaN"],
            [115, "3"],
          ],
        },
      ]),
    );
    expect(loadsOf(traffic)[0]!.load).toMatchObject({
      rate: {
        stages: [
          { at: "0s", rps: 1.5 },
          { at: "15s", rps: 5 },
        ],
      },
    });
    expect(mistakeOf(JSON.stringify({ data: { resultType: "vector", result: [] } }))).toContain(
      "a range query",
    );
  });

  test("many samples become few steps with as many requests", () => {
    const samples = fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 200, maxLength: 500 });
    fc.assert(
      fc.property(samples, (rates) => {
        const traffic = read(
          rates.map((rps, index) => `${1_700_000_000 + index * 15},${rps}`).join("\n"),
        );
        const load = loadsOf(traffic)[0]!.load as {
          rate: number | { stages: { at: string; rps: number }[] };
        };
        if (typeof load.rate === "number") return;
        const { stages } = load.rate;
        expect(stages.length).toBeLessThanOrEqual(120);
        const endS = traffic.durationNs / seconds(1);
        const requests = stages.reduce((sum, { at, rps }, index) => {
          const until = index + 1 < stages.length ? Number.parseFloat(stages[index + 1]!.at) : endS;
          return sum + rps * (until - Number.parseFloat(at));
        }, 0);
        const wanted = rates.reduce((sum, each) => sum + each * 15, 0);
        expect(Math.abs(requests - wanted)).toBeLessThan(wanted / 1000 + 20);
      }),
      { numRuns: 20 },
    );
  });
});

describe("access logs", () => {
  const nginx =
    '203.0.113.9 - - [10/Oct/2026:13:55:36 +0200] "GET /a?b=\\"c HTTP/1.1" 200 2326 "-" "curl/8" 0.042';

  test("lines of nginx: combined, with times by name or at the end, in any time zone", () => {
    const atS = Date.parse("2026-10-10T11:55:36Z") / 1000;
    expect(nginxLine(nginx)).toEqual({ atS, status: 200, serviceNs: 42e6, bytes: 2326 });
    expect(nginxLine(nginx.replace(" 0.042", ""))).toMatchObject({ serviceNs: null });
    expect(nginxLine(`${nginx.replace(" 0.042", "")} rt=0.5 uct="0.0" urt="0.031"`)).toMatchObject({
      serviceNs: 31e6,
    });
    expect(nginxLine(nginx.replace("0.042", "0.000"))).toMatchObject({ serviceNs: 0 });
    expect(nginxLine("no log")).toBeNull();
  });

  test("lines of Envoy and of Istio, and JSON", () => {
    const envoy =
      '[2026-04-15T20:17:00.310Z] "POST /api HTTP/2" 204 - 154 77 226 100 "10.0.35.28" "nsq2http" "cc21" "locations" "tcp://10.0.2.1:80"';
    const atS = Date.parse("2026-04-15T20:17:00.310Z") / 1000;
    expect(envoyLine(envoy)).toEqual({ atS, status: 204, serviceNs: 100e6, bytes: 77 });
    const istio =
      '[2026-04-15T20:17:00.310Z] "GET / HTTP/1.1" 200 - via_upstream - "-" 0 135 4 3 "-" "curl" "id" "httpbin:8000" "127.0.0.1:80" inbound|80|| x y z - default';
    expect(envoyLine(istio)).toEqual({ atS, status: 200, serviceNs: 3e6, bytes: 135 });
    const json = JSON.stringify({
      start_time: "2026-04-15T20:17:00.310Z",
      response_code: 503,
      duration: 12,
      bytes_sent: 9,
    });
    expect(jsonLine(json)).toEqual({ atS, status: 503, serviceNs: 12e6, bytes: 9 });
  });

  test("give the rate over time and a service time", () => {
    const lines = Array.from({ length: 600 }, (_, index) => {
      const second = String(Math.floor(index / 10)).padStart(2, "0");
      const took = (0.01 + 0.001 * (index % 3)).toFixed(3);
      return nginx.replace("55:36", `00:${second}`).replace("0.042", took);
    });
    const traffic = read(lines.join("\n"));
    expect(traffic.format).toBe("nginx access log");
    expect(loadsOf(traffic)[0]!.load).toMatchObject({ kind: "openLoop", rate: 10 });
    expect(traffic.responseBytes).toBe(2326);
    expect(traffic.report.join("\n")).toMatch(/600 requests over 60s: 10\/s/);
    expect(
      mistakeOf([...lines.slice(0, 50), ...lines.slice(0, 50).map(() => "junk")].join("\n")),
    ).toMatch(/traffic:51:1: no line of an nginx access log, as 50 others/);
  });
});

describe("fitOf", () => {
  const draws = (spec: DistributionSpec, count = 4000): number[] => {
    const stream = new RandomStreams("fit").get("draws");
    const distribution = createDistribution(spec);
    return Array.from({ length: count }, () => sampleNs(distribution, stream));
  };
  const kindOf = (durations: readonly number[]) =>
    (dataOf(fitOf(durations).word) as { kind: string }).kind;

  test("finds the family that durations were drawn from, and its parameters", () => {
    const lognormal = draws({ kind: "lognormal", p50: 3e6, p99: 60e6 } as DistributionSpec);
    const fitted = dataOf(fitOf(lognormal).word) as { kind: string; p50: string; p99: string };
    expect(fitted.kind).toBe("lognormal");
    // The median of 4,000 draws is within 6 % (3 standard errors), the 99th percentile by moments within 15 %.
    expect(Number.parseFloat(fitted.p50) / 3).toBeCloseTo(1, 1);
    expect(Math.abs(Number.parseFloat(fitted.p99) / 60 - 1)).toBeLessThan(0.15);
    expect(kindOf(draws({ kind: "exponential", mean: 4e6 } as DistributionSpec))).toMatch(
      /exponential|erlang/,
    );
  });

  test("is not misled by logs that count whole milliseconds", () => {
    const short = draws({ kind: "exponential", mean: 2e6 } as DistributionSpec);
    const { word, report } = fitOf(short.map((each) => Math.floor(each / 1e6) * 1e6));
    expect(dataOf(word)).toMatchObject({ kind: "exponential" });
    expect(Number.parseFloat((dataOf(word) as { mean: string }).mean)).toBeCloseTo(2, 0);
    expect(report[0]).toMatch(/^taken: exponential.*gap [0-3]\.\d %/);
    // The first of them is 0, whose logarithm is none.
    expect(report.join()).not.toContain("NaN");
  });

  test("keeps quantiles where no family is near, and says how far each is", () => {
    const two = Array.from({ length: 1000 }, (_, i) => (i < 500 ? 1e6 : 9e8) + i);
    const { word, report } = fitOf(two);
    expect((dataOf(word) as { kind: string }).kind).toBe("empirical");
    expect(report.join("\n")).toMatch(/100 quantiles[^]*not taken: [a-z]+.*largest gap \d+\.\d %/);
  });
});

describe("in a scenario", () => {
  const traffic = "timestamp,rps\n0,50\n5,200\n10,20\n";
  const options = (): LoadOptions => {
    writeFileSync(join(folder, "rates.csv"), traffic);
    return { traffic: join(folder, "rates.csv") };
  };

  test("--traffic takes the place of the client's load, and the run lasts as long", async () => {
    const scenario = await loadFiles(
      {
        "scenario.ts": `import { defineScenario, openLoop } from "podstorm";
export default defineScenario({
  duration: "1h", cluster: { nodes: 2, manifests: ["shop.yaml"] },
  clients: [{ name: "app", to: "svc/web", load: openLoop(1), timeout: "1s" }],
});`,
        "shop.yaml": shopPart("web"),
      },
      options(),
    );
    expect(scenario.durationNs).toBe(seconds(15));
    expect(scenario.clients).toHaveLength(1);
    expect(scenario.clients[0]!.load).toMatchObject({
      rate: [
        { endRps: 50 },
        { fromNs: seconds(5), endRps: 200 },
        { fromNs: seconds(10), endRps: 20 },
      ],
    });
    expect(scenario.assumed!.join("\n")).toContain("3 samples over 15s");
  });

  test("an import writes it down, with the service time that a log gave", async () => {
    writeFileSync(join(folder, "shop.yaml"), shopPart("front"));
    const line = '[2026-04-15T20:17:SECZ] "GET / HTTP/2" 200 - 0 4096 9 TOOK "-" "-" "-" "-" "-"';
    const log = Array.from({ length: 400 }, (_, index) =>
      line
        .replace("SEC", `${String(Math.floor(index / 20)).padStart(2, "0")}.000`)
        .replace("TOOK", String(1 + Math.floor(-4 * Math.log((index % 97) / 97 + 0.005)))),
    );
    const imported = importCluster([join(folder, "shop.yaml")], none, {
      traffic: read(log.join("\n")),
    });
    const text = writtenScenario(imported.draft, "x.yaml");
    expect(text).toContain("load: openLoop(20)");
    expect(text).toMatch(
      /"deploy\/front": \{\s+serviceTime: (exponential|lognormal|erlang)\(.*\s+responseSize: 4096/,
    );
    const scenario = await loadWritten(imported);
    expect(runShortly(scenario)).toMatchObject({ brokenLaws: [], failed: 0 });
  });

  test("k6 and -f: thresholds are the run's", async () => {
    writeFileSync(join(folder, "shop.yaml"), shopPart("front"));
    writeFileSync(
      join(folder, "k6.json"),
      '{"vus": 5, "duration": "20s", "thresholds": {"http_req_failed": ["rate<0.01"]}}',
    );
    const scenario = await loadScenario("shop", {
      filename: [join(folder, "shop.yaml")],
      traffic: join(folder, "k6.json"),
    });
    expect(scenario.thresholds.map(({ text }) => text)).toEqual(["requests_failed.rate<0.01"]);
    expect(scenario.clients.map(({ name, load }) => [name, load.kind])).toEqual([
      ["users-default", "closedLoop"],
    ]);
    expect(scenario.durationNs).toBe(seconds(20));
  });
});
