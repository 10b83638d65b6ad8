/**
 * Several servers and limited room on the engine: M/M/c, M/M/1/K, M/M/c/K and Erlang's loss system, against
 * their formulas at the confidence that test/helpers/confidence.ts states.
 *
 * Unit of time: the mean service, 1 ms.
 *
 * Seen to fail: one place more than K in the station (all losses on events), a Resource that grants one unit
 * more than it has (all on processes).
 */
import { describe, expect, it } from "vitest";
import type { DistributionSpec } from "../../src/engine/index.ts";
import { erlangB, mmcK, mmcWait, erlangC } from "./formulas.ts";
import {
  exponentialUnit,
  expectSamePath,
  expectTheory,
  type OpenQueue,
  runEvents,
  runProcesses,
  UNIT_NS,
} from "./open-queue.ts";

type Form = (queue: OpenQueue) => ReturnType<typeof runEvents>;
const forms: Readonly<Record<string, Form>> = { events: runEvents, processes: runProcesses };

describe("M/M/c", () => {
  // Erlang C: share that waits, and mean wait (closed-form.csv: sojourn - 1).
  it.each([
    [2, 0.8, 0.711111, 1.777778, "events", 1_000_000],
    [5, 0.8, 0.554113, 0.554113, "events", 1_000_000],
    [10, 0.8, 0.40918, 0.20459, "events", 1_000_000],
    [5, 0.5, 0.130371, 0.052149, "processes", 1_000_000],
  ])("c = %i at load %f: %f wait, %f in the mean (%s)", (servers, rho, waiting, wait, form, n) => {
    const lambda = rho * servers;
    expect(erlangC(servers, lambda)).toBeCloseTo(waiting, 6);
    expect(mmcWait(servers, lambda, 1)).toBeCloseTo(wait, 6);
    const log = forms[form]!({
      seed: `mmc ${servers}`,
      servers,
      lambda,
      service: exponentialUnit,
      customers: n,
    });
    expectTheory(log, { wait: mmcWait(servers, lambda, 1), waiting: erlangC(servers, lambda) });
  });
});

describe("limited room", () => {
  // M/M/1/K: p(n) = (1 - rho) rho^n / (1 - rho^(K + 1)), lost p(K).
  //   K = 5, rho = 0.8: 0.0888; K = 3, rho = 1.5: 0.4154 (more than it can serve).
  // M/M/c/K: weights a^n / n! up to c, then rho times the one before, up to K.
  //   c = 4, K = 10, a = 3.6: 1 + 3.6 + 6.48 + 7.776 + 6.9984 (1 - 0.9^7) / 0.1 = 55.3669,
  //   of which 6.9984 * 0.9^6 = 3.7192: 0.0672.
  //   c = 3, K = 5, a = 4.5: 1 + 4.5 + 10.125 + 15.1875 + 22.7813 + 34.1719 = 87.7656: 0.3894.
  it.each([
    [1, 5, 0.8, 0.0888, "events"],
    [1, 3, 1.5, 0.4154, "processes"],
    [4, 10, 3.6, 0.0672, "events"],
    [3, 5, 4.5, 0.3894, "processes"],
  ])("c = %i, K = %i at %f Erlang loses %f (%s)", (servers, places, lambda, printed, form) => {
    const theory = mmcK(servers, places, lambda, 1);
    expect(theory.loss).toBeCloseTo(printed, 4);
    const log = forms[form]!({
      seed: `mmck ${servers} ${places}`,
      servers,
      places,
      lambda,
      service: exponentialUnit,
      customers: 300_000,
    });
    expectTheory(log, theory);
  });

  it("M/M/c/K is the same path to the nanosecond on events and on processes", () => {
    const queue = {
      seed: "mmck both",
      servers: 4,
      places: 7,
      lambda: 4,
      service: exponentialUnit,
      customers: 100_000,
    };
    expectSamePath(runProcesses(queue), runEvents(queue));
  });
});

describe("Erlang's loss system", () => {
  // B(5, 4) = 0.199067: of 4 Erlang on 5 lines. It depends on the mean service only, not on its form.
  // Lognormal with sigma 1: mean e^(mu + 1/2), median e^mu, 99th percentile e^(mu + 2.326347874).
  const p50 = UNIT_NS * Math.exp(-0.5);
  const lognormal: DistributionSpec = { kind: "lognormal", p50, p99: p50 * Math.exp(2.326347874) };
  const services: readonly [string, DistributionSpec][] = [
    ["M", exponentialUnit],
    ["D", { kind: "deterministic", value: UNIT_NS }],
    ["lognormal", lognormal],
  ];

  it.each(services)("M/%s/5/5 at 4 Erlang loses 0.199067", (name, service) => {
    expect(erlangB(5, 4)).toBeCloseTo(0.199067, 6);
    const log = runEvents({
      seed: `erlang b ${name}`,
      servers: 5,
      places: 5,
      lambda: 4,
      service,
      customers: 400_000,
    });
    expect(log.waitsNs().every((waitNs) => waitNs === 0)).toBe(true);
    expectTheory(log, { loss: erlangB(5, 4) });
  });
});
