/**
 * The formulas against computed tables and against each other, before anything is compared with them.
 *
 * Seen to fail: with rho B for rho (1 - B) in Erlang C (the table), with a missing factor n in Erlang B (the
 * loss system as a birth-death chain).
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  birthDeath,
  erlangB,
  erlangC,
  machineRepair,
  mD1WaitAtMost,
  mD1WaitQuantile,
  mG1KLoss,
  mmcK,
  mmcWait,
  poisson,
  pollaczekKhinchine,
} from "./formulas.ts";

const ROUNDING = 1e-12;
/** Half a unit of the sixth decimal. */
const SIX_DECIMALS = 0.5e-6;

function expectNear(actual: number, expected: number, tolerance = ROUNDING): void {
  expect(Math.abs(actual - expected)).toBeLessThanOrEqual(tolerance * Math.max(1, expected));
}

const table = readFileSync(join(import.meta.dirname, "closed-form.csv"), "utf8")
  .split("\n")
  .filter((line) => line.startsWith("mmc,"))
  .map((line) => line.split(",").slice(1).map(Number));

describe("formulas", () => {
  it("has the whole table", () => expect(table).toHaveLength(12));

  it.each(table)("M/M/%i at load %f: Erlang C %f, sojourn %f", (servers, rho, waiting, sojourn) => {
    const lambda = servers! * rho!;
    expectNear(erlangC(servers!, lambda), waiting!, SIX_DECIMALS);
    expectNear(mmcWait(servers!, lambda, 1) + 1, sojourn!, SIX_DECIMALS);
  });

  it("Erlang B is the full state of a loss system; Erlang C that of many places", () => {
    for (const [servers, offered] of [
      [1, 0.5],
      [5, 4],
      [20, 30],
    ] as const) {
      const states = birthDeath(
        servers + 1,
        () => offered,
        (n) => n,
      );
      expectNear(erlangB(servers, offered), states[servers]!);
      expectNear(mmcK(servers, servers, offered, 1).loss, states[servers]!);
    }
    const many = mmcK(5, 1000, 4, 1);
    expectNear(many.waiting, erlangC(5, 4));
    expectNear(many.wait, mmcWait(5, 4, 1));
    expectNear(many.loss, 0);
  });

  it("M/M/1/K has loss (1 - rho) rho^K / (1 - rho^(K + 1)), 1 / (K + 1) at rho = 1", () => {
    for (const rho of [0.5, 0.9, 1.5]) {
      expectNear(mmcK(1, 6, rho, 1).loss, ((1 - rho) * rho ** 6) / (1 - rho ** 7));
    }
    expectNear(mmcK(1, 6, 1, 1).loss, 1 / 7);
  });

  it("Pollaczek-Khinchine gives M/M/1 for E[S^2] = 2, half of that for E[S^2] = 1", () => {
    expectNear(pollaczekKhinchine(0.8, 1, 2), mmcWait(1, 0.8, 1));
    expectNear(pollaczekKhinchine(0.8, 1, 1), mmcWait(1, 0.8, 1) / 2);
  });

  it("M/G/1/K has the loss of M/M/1/K where j arrive in a service with rho^j / (1 + rho)^(j + 1)", () => {
    for (const rho of [0.5, 0.9, 1.5]) {
      const during = (j: number): number => rho ** j / (1 + rho) ** (j + 1);
      expectNear(mG1KLoss(6, rho, during), mmcK(1, 6, rho, 1).loss, 1e-9);
    }
    // No room to wait: Erlang B of one line, whatever the service.
    expectNear(
      mG1KLoss(1, 0.7, (j) => poisson(j, 0.7)),
      erlangB(1, 0.7),
    );
  });

  it("machine repair with as many repairmen as machines never waits", () => {
    const { inSystem, sojourn, waiting } = machineRepair(7, 7, 0.5, 2);
    expectNear(sojourn, 0.5);
    expectNear(inSystem, (7 * 0.5) / (0.5 + 2));
    expect(waiting).toBe(0);
    // Two machines, one repairman: one waits if the other, which is down half of its time alone, is down.
    expectNear(machineRepair(2, 1, 1, 1).waiting, 1 / 2);
  });

  it("M/D/1 waits have their atom at 0 and the mean of Pollaczek-Khinchine", () => {
    const [lambda, service] = [0.7, 1];
    expectNear(mD1WaitAtMost(0, lambda, service), 0.3);
    // Mean of P(wait > t) over t, by the midpoint rule; beyond 20 less than 1e-6 is left.
    const step = 1 / 512;
    let mean = 0;
    for (let t = step / 2; t < 20; t += step)
      mean += step * (1 - mD1WaitAtMost(t, lambda, service));
    expectNear(mean, pollaczekKhinchine(lambda, service, service ** 2), 1e-5);
    const p99 = mD1WaitQuantile(0.99, lambda, service);
    expectNear(mD1WaitAtMost(p99, lambda, service), 0.99, 1e-9);
  });
});
