/** Durations and quantities: what people write, and back. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  formatBytes,
  formatCpu,
  formatDuration,
  parseBytes,
  parseCpuMillis,
  parseDuration,
} from "../../src/scenario/units.ts";

const amount = fc.oneof(
  fc.maxSafeNat(),
  fc.nat(10_000),
  fc.nat(10_000).map((n) => n * 1_000_000_000),
);

describe("durations", () => {
  test.each([
    ["30s", 30e9],
    ["1m30s", 90e9],
    ["1h", 3600e9],
    ["1.5s", 1.5e9],
    [".5ms", 500_000],
    ["10us", 10_000],
    ["10µs", 10_000],
    ["7ns", 7],
    ["0", 0],
    ["+2s", 2e9],
    ["2500h", 9e15],
  ])("%s is %d ns", (text, ns) => {
    expect(parseDuration(text)).toEqual({ value: ns });
  });

  test.each([
    "",
    "s",
    "1",
    "1.5",
    "-1s",
    "1.5ns",
    "1s ",
    "1 s",
    "1d",
    "2502h",
    "1e3s",
    "s1",
    "0x1s",
  ])("%j is none", (text) => {
    expect(parseDuration(text)).toHaveProperty("problem");
  });

  test("what is printed parses back to the same duration", () => {
    fc.assert(
      fc.property(amount, (ns) => {
        expect(parseDuration(formatDuration(ns))).toEqual({ value: ns });
      }),
    );
  });

  test("no text makes the parser throw", () => {
    fc.assert(fc.property(fc.string(), (text) => void parseDuration(text)));
  });
});

describe("quantities", () => {
  test.each([
    ["128Mi", 134_217_728],
    ["1k", 1000],
    ["1e3", 1000],
    ["1.5Ki", 1536],
    [512, 512],
    ["100m", 1], // a tenth of a byte, rounded up
    ["0", 0],
  ])("%s is %d bytes", (text, bytes) => {
    expect(parseBytes(text)).toEqual({ value: bytes });
  });

  test.each([
    ["500m", 500],
    ["2", 2000],
    [0.25, 250],
    ["1u", 1], // rounded up to a thousandth
  ])("%s is %d thousandths of a CPU", (text, millis) => {
    expect(parseCpuMillis(text)).toEqual({ value: millis });
  });

  test.each(["", "8Kb", "1 Mi", "-1", "0x10", "1e99", "NaN", "9Ei", "1Mi5"])(
    "%j is none",
    (text) => {
      expect(parseBytes(text)).toHaveProperty("problem");
    },
  );

  test("what is printed parses back to the same quantity", () => {
    fc.assert(
      fc.property(amount, fc.nat(1_000_000), (bytes, cpu) => {
        expect(parseBytes(formatBytes(bytes))).toEqual({ value: bytes });
        expect(parseCpuMillis(formatCpu(cpu))).toEqual({ value: cpu });
      }),
    );
  });

  test("no text makes the parser throw", () => {
    fc.assert(fc.property(fc.string(), (text) => void parseBytes(text)));
  });
});
