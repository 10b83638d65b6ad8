/**
 * M/M/1, M/D/1 and M/G/1 on the engine, against their formulas
 * at the confidence that test/helpers/confidence.ts states.
 *
 * Unit of time: 1 ms. Arrivals lambda per unit, Poisson; one server; first come first served.
 *
 * Seen to fail: a wake-up missed at every fiftieth departure (all), exponential times 5 % short (all but the
 * comparisons of two forms), last come first served (the distribution of sojourns, whose mean stays right, and
 * the comparisons), an Erlang of one stage instead of four (its row).
 */
import { describe, expect, it } from "vitest";
import type { DistributionSpec } from "../../src/engine/index.ts";
import { expectMean } from "../helpers/confidence.ts";
import { mmcWait, pollaczekKhinchine } from "./formulas.ts";
import {
  exponentialUnit,
  expectSamePath,
  expectTheory,
  runEvents,
  runProcesses,
  UNIT_NS,
} from "./open-queue.ts";

describe("M/M/1", () => {
  // Wait rho / (mu - lambda): 1 at rho = 0.5, 4 at rho = 0.8; a share rho waits.
  it.each([
    [0.5, 1, 400_000],
    [0.8, 4, 1_000_000],
  ])("at load %f waits %f on numeric events", (rho, wait, customers) => {
    const log = runEvents({
      seed: "mm1",
      servers: 1,
      lambda: rho,
      service: exponentialUnit,
      customers,
    });
    expectTheory(log, { wait, waiting: rho });
    expect(mmcWait(1, rho, 1)).toBeCloseTo(wait, 12);
  });

  it("has an exponential sojourn of mean 1 / (mu - lambda) = 2.5 at load 0.6", () => {
    // P(sojourn > t) = e^(-t / 2.5): a half exceed 2.5 ln 2, a tenth 2.5 ln 10.
    const log = runEvents({
      seed: "mm1 sojourn",
      servers: 1,
      lambda: 0.6,
      service: exponentialUnit,
      customers: 400_000,
    });
    const sojourns = log.sojournsNs().map((sojournNs) => sojournNs / UNIT_NS);
    for (const share of [0.5, 0.1]) {
      const limit = -2.5 * Math.log(share);
      expectMean({
        name: `sojourns above ${limit}`,
        expected: share,
        values: sojourns.map((sojourn) => (sojourn > limit ? 1 : 0)),
        resolution: 0.01,
      });
    }
  });

  it("is the same path to the nanosecond on processes, and waits 1 at load 0.5", () => {
    const queue = {
      seed: "mm1 both",
      servers: 1,
      lambda: 0.5,
      service: exponentialUnit,
      customers: 300_000,
    };
    const log = runProcesses(queue);
    expectTheory(log, { wait: 1, waiting: 0.5 });
    expectSamePath(log, runEvents(queue));
  });
});

describe("M/G/1", () => {
  // Pollaczek-Khinchine: wait = lambda E[S^2] / (2 (1 - rho)). Second moments in units squared:
  // deterministic 1: 1. Uniform on 0..2: 1 + 4/12 = 4/3. Erlang with 4 stages: 1 + 1/4.
  // Hyperexponential, 0.9 of mean 0.5 and 0.1 of mean 5.5: mean 1, 0.9 * 2 * 0.25 + 0.1 * 2 * 30.25 = 6.5.
  // Discrete, 0.5 w.p. 0.75 and 2.5 w.p. 0.25: mean 1, 0.75 * 0.25 + 0.25 * 6.25 = 1.75.
  // Weibull with shape 2: scale 2 / sqrt(pi) for mean 1, E[S^2] = scale^2 = 4 / pi.
  // Pareto from 0.5 to 8 with shape 2, mass 1 - 1/256: E[S] = 0.5 * 2 * (1 - 1/16) / mass = 240/255,
  //   E[S^2] = 2 * 0.25 * ln 16 / mass.
  const pareto = { mass: 1 - 1 / 256 };
  const rows: readonly [string, DistributionSpec, mean: number, secondMoment: number][] = [
    ["D", { kind: "deterministic", value: UNIT_NS }, 1, 1],
    ["uniform", { kind: "uniform", low: 0, high: 2 * UNIT_NS }, 1, 4 / 3],
    ["E4", { kind: "erlang", shape: 4, mean: UNIT_NS }, 1, 1.25],
    [
      "H2",
      {
        kind: "hyperexponential",
        branches: [
          { probability: 0.9, mean: 0.5 * UNIT_NS },
          { probability: 0.1, mean: 5.5 * UNIT_NS },
        ],
      },
      1,
      6.5,
    ],
    [
      "discrete",
      { kind: "discrete", values: [0.5 * UNIT_NS, 2.5 * UNIT_NS], weights: [3, 1] },
      1,
      1.75,
    ],
    [
      "Weibull",
      { kind: "weibull", shape: 2, scale: (2 * UNIT_NS) / Math.sqrt(Math.PI) },
      1,
      4 / Math.PI,
    ],
    [
      "Pareto",
      { kind: "pareto", shape: 2, low: 0.5 * UNIT_NS, high: 8 * UNIT_NS },
      240 / 255,
      (0.5 * Math.log(16)) / pareto.mass,
    ],
  ];

  it.each(rows)(
    "M/%s/1 at lambda 0.6 waits as Pollaczek and Khinchine say",
    (name, service, mean, second) => {
      const log = runEvents({
        seed: `mg1 ${name}`,
        servers: 1,
        lambda: 0.6,
        service,
        customers: name === "H2" ? 1_000_000 : 300_000,
      });
      expectTheory(log, { wait: pollaczekKhinchine(0.6, mean, second), waiting: 0.6 * mean });
    },
  );

  it("M/D/1 on processes is the same path as on events", () => {
    const queue = {
      seed: "md1 both",
      servers: 1,
      lambda: 0.7,
      service: { kind: "deterministic", value: UNIT_NS } as const,
      customers: 100_000,
    };
    expectSamePath(runProcesses(queue), runEvents(queue));
  });
});
