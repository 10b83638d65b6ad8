/** Thresholds: the figure of each kind of metric, on the synthetic run whose numbers are known. */
import { describe, expect, it } from "vitest";
import { readFileSync } from "node:fs";
import { aggregationsOf, namedMeasures } from "../../src/observe/index.ts";
import { checkThresholds, type Measured } from "../../src/output/index.ts";
import { parseThreshold } from "../../src/scenario/thresholds.ts";
import { seconds } from "../../src/engine/index.ts";
import { Histogram } from "../../src/stats/index.ts";

const clients = [
  {
    client: "web",
    service: "default/nginx",
    started: 103,
    byOutcome: [
      { outcome: "served", count: 96 },
      { outcome: "refused", count: 3 },
      { outcome: "timeout", count: 1 },
    ],
    servedLatency: null,
    retries: 7,
    staleRouted: 5,
    staleRoutedFailed: 3,
  },
  {
    client: "mobile",
    service: "shop/nginx",
    started: 100,
    byOutcome: [{ outcome: "served", count: 100 }],
    servedLatency: null,
    retries: 0,
    staleRouted: 0,
    staleRoutedFailed: 0,
  },
];

/** 1 to `count` milliseconds. */
function latencies(count: number): Histogram {
  const histogram = new Histogram();
  for (let i = 1; i <= count; i++) histogram.record(i * 1e6);
  return histogram;
}

const run = {
  durationNs: seconds(10),
  totals: {
    clients,
    drops: [
      { cause: "queue_full", packets: 30, hops: 2, worstHop: "a", worstHopPackets: 20 },
      { cause: "no_route", packets: 10, hops: 1, worstHop: "b", worstHopPackets: 10 },
    ],
  },
  trends: [
    {
      metric: "request_duration",
      tags: { client: "web", service: "default/nginx" },
      histogram: latencies(100),
    },
    {
      metric: "request_duration",
      tags: { client: "mobile", service: "shop/nginx" },
      histogram: latencies(1),
    },
  ],
  tables: [
    {
      file: "load_skew.csv",
      columns: ["service", "max_over_mean"],
      rows: [
        ["default/nginx", 1.2],
        ["default/nginx", 2.5],
        ["shop/nginx", 9],
        ["default/nginx", null],
      ],
    },
  ],
} as unknown as Measured;

function check(text: string) {
  const threshold = parseThreshold(text);
  if ("problem" in threshold) throw new Error(`${text}: ${threshold.problem}`);
  return checkThresholds([threshold], run)[0]!;
}

describe("the figure of a threshold", () => {
  it.each([
    ["requests.count<1", 203, "count"],
    ["requests.rate<1", 20.3, "count"],
    ["requests{client:web}.count<1", 103, "count"],
    ["requests_failed.rate<1%", 4 / 200, "share"],
    ["requests_failed.count<1", 4, "count"],
    ["requests_failed{cause:refused}.count<1", 3, "count"],
    // Of all that ended, not of the failures.
    ["requests_failed{cause:refused}.rate<1%", 3 / 200, "share"],
    ["requests_failed{service:default/nginx}.rate<1%", 4 / 100, "share"],
    ["requests_failed{service:nginx,client:mobile}.rate<1%", 0, "share"],
    ["requests_stale_routed.rate<1%", 5 / 200, "share"],
    ["request_retries.count<1", 7, "count"],
    ["request_duration{service:shop/nginx}.max<1s", 1e6, "ns"],
    ["request_duration.count<1", 101, "count"],
    ["packets_dropped.count<1", 40, "count"],
    ["packets_dropped{cause:no_route}.count<1", 10, "count"],
    ["packets_dropped{cause:ttl_exceeded}.count<1", 0, "count"],
    ["load_skew.max_over_mean{service:default/nginx}.max<1", 2.5, "ratio"],
    ["load_skew.max_over_mean{service:default/nginx}.avg<1", 1.85, "ratio"],
    ["load_skew.max_over_mean.count<1", 3, "count"],
    ["load_skew.max_over_mean.med<1", 2.5, "ratio"],
    ["load_skew.max_over_mean.p(0)<1", 1.2, "ratio"],
  ])("%s", (text, figure, unit) => {
    expect(check(text)).toMatchObject({ threshold: text, figure, unit });
  });

  it("merges the histograms of all that match, to within their error", () => {
    expect(check("request_duration.p(50)<1s").figure).toBeGreaterThan(49e6);
    expect(check("request_duration.p(50)<1s").figure).toBeLessThan(51e6);
  });

  it.each([
    ["requests_failed.rate<2.1%", true],
    ["requests_failed.rate<2%", false],
    ["requests_failed.rate<=2%", true],
    ["requests_failed.rate==0.02", true],
    ["requests_failed.rate!=2%", false],
    ["requests_failed.rate>1.9%", true],
    ["requests_failed.rate>=2.1%", false],
  ])("%s is %s", (text, passed) => {
    expect(check(text).passed).toBe(passed);
  });

  it("does not pass where there is nothing to measure, whatever the operator", () => {
    for (const operator of ["<", ">", "!="]) {
      const result = check(`request_duration{client:nobody}.max${operator}1s`);
      expect(result).toMatchObject({ passed: false, figure: null });
      expect(check(`requests{client:nobody}.count${operator}1`).passed).toBe(false);
    }
  });
});

describe("docs/thresholds.md", () => {
  it("lists every named metric with its aggregations, tags and meaning", () => {
    const text = readFileSync("docs/thresholds.md", "utf8");
    for (const [name, { kind, tags, meaning }] of Object.entries(namedMeasures)) {
      const code = (words: readonly string[]) => words.map((word) => `\`${word}\``).join(", ");
      const row = [`\`${name}\``, code(aggregationsOf(kind)), code(Object.keys(tags)), meaning];
      expect(text).toContain(`| ${row.join(" | ")} |`);
    }
  });
});
