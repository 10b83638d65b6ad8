/** The text of thresholds: what is read, and what is said of what cannot be. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { allMeasures, aggregationsOf } from "../../src/observe/index.ts";
import { parseThreshold, thresholdOperators } from "../../src/scenario/thresholds.ts";
import { mistakesIn, scenarioText, webManifest } from "./files.ts";

/** Seen to fail with unknownClient() giving null: the run went its way, and nothing was judged. */
describe("a threshold on a client that there is not", () => {
  it("is a mistake, the scenario's and the option's alike, all together", async () => {
    const client = `{ name: "shopper", to: "svc/web:8080", load: openLoop(1) }`;
    const text = (thresholds: string) => ({
      "web.yaml": webManifest(),
      "scenario.ts": scenarioText(`clients: [${client}], thresholds: [${thresholds}],`),
    });
    expect(await mistakesIn(text(`"requests{client:shopper}.count>0"`))).toEqual([]);
    const own = await mistakesIn(
      text(`"requests{client:shoper}.count>0", "requests{client:x}.count>0"`),
    );
    expect(own).toHaveLength(2);
    expect(own[0]).toContain("the client shoper");
    expect(own[0]).toMatch(/did you mean.*shopper/i);
    const options = await mistakesIn(text(""), {
      thresholds: ["requests{client:shoper}.count>0", "requests{client:shopper}.count>0"],
    });
    expect(options).toHaveLength(1);
    expect(options[0]).toMatch(/the client shoper/);
  });
});

describe("a threshold's text", () => {
  it.each([
    ["requests_failed.rate<0.1%", "requests_failed", "rate", null, "<", 0.001],
    ["requests_failed . rate <= 0.001", "requests_failed", "rate", null, "<=", 0.001],
    ["request_duration.p(99.9)<1m30s", "request_duration", "p", 0.999, "<", 90e9],
    ["requests.rate>500", "requests", "rate", null, ">", 500],
    ["hops.bytes.max<1Mi", "hops.bytes", "max", null, "<", 1_048_576],
    ["hops.utilisation.max<80%", "hops.utilisation", "max", null, "<", 0.8],
    ["endpoint_update_lag.lag_ns.count==0", "endpoint_update_lag.lag_ns", "count", null, "==", 0],
  ])("%s", (text, metric, aggregation, quantile, operator, limit) => {
    const threshold = parseThreshold(text);
    expect(threshold).toMatchObject({ aggregation, quantile, operator, limit });
    expect(threshold).toHaveProperty("measure.name", metric);
  });

  it("reads the confidence, and none where there is none", () => {
    expect(parseThreshold("request_duration.p(99)<250ms @95%")).toMatchObject({
      limit: 250e6,
      confidence: 0.95,
    });
    expect(parseThreshold("requests_failed.rate<1%@99.9%")).toMatchObject({
      limit: 0.01,
      confidence: 0.999,
    });
    expect(parseThreshold("requests.count<1")).toHaveProperty("confidence", null);
    expect(parseThreshold("requests.count<1 @100%")).toHaveProperty(
      "problem",
      "the confidence 100%",
    );
  });

  it("reads tags, with spaces and with colons in a value", () => {
    const { tags } = parseThreshold(
      "endpoint_update_lag.lag_ns{ change:removed, endpoint:10.0.0.1:80 }.max<1s",
    ) as { tags: unknown };
    expect(tags).toEqual([
      ["change", "removed"],
      ["endpoint", "10.0.0.1:80"],
    ]);
  });

  it.each([
    ["", "not a threshold", null],
    ["requests_failed<1%", "not a threshold", null],
    ["request_failed.rate<1%", "the unknown metric request_failed", "requests_failed"],
    ["load_skew.jian.max<1", "the unknown metric load_skew.jian", "load_skew.jain"],
    ["constructor.count<1", "the unknown metric constructor", null],
    ["requests_failed.p(99)<1%", "the aggregation p(99) of requests_failed", null],
    ["request_duration.mx<1s", "the aggregation mx of request_duration", "max"],
    ["request_duration.p(101)<1s", "p(101)", null],
    ["request_duration.p<1s", "p()", null],
    ["requests{toString:a}.count<1", "the tag toString of requests", null],
    ["requests{cleint:a}.count<1", "the tag cleint of requests", "client"],
    ["requests{client}.count<1", "the tag client without a value", null],
    ["requests_failed{cause:refuse}.count<1", "cause:refuse", "refused"],
    ["request_duration.max<250", "the limit 250", null],
    ["requests_failed.rate<5ms", "the limit 5ms", null],
    ["requests.count<10%", "the limit 10%", null],
    ["requests.count<1e99", "the limit 1e99", null],
  ])("%s: %s", (text, problem, suggestion) => {
    expect(parseThreshold(text)).toMatchObject({ problem, suggestion });
  });

  it("reads every metric with every aggregation that it is said to have", () => {
    for (const measure of allMeasures()) {
      for (const how of aggregationsOf(measure.kind)) {
        const limit = measure.unit === "ns" && how !== "count" ? "1s" : "1";
        const text = `${measure.name}.${how.replace("N", "50")}<${limit}`;
        expect(parseThreshold(text), text).toHaveProperty("limit");
      }
    }
  });

  it("answers whatever it is given", () => {
    const word = fc.constantFrom(
      "requests",
      "rate",
      ".",
      "{",
      "}",
      ":",
      "p(",
      "<",
      "%",
      "__proto__",
    );
    const operator = fc.constantFrom(...thresholdOperators);
    const text = fc.array(fc.oneof(word, operator, fc.string())).map((parts) => parts.join(""));
    fc.assert(
      fc.property(text, (each) => {
        const answer = parseThreshold(each);
        expect("problem" in answer || Number.isFinite(answer.limit)).toBe(true);
      }),
    );
  });
});
