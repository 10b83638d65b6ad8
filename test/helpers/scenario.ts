/**
 * Whole scenarios in tests: read as a user's are, compiled, run to the end.
 *
 * Owns: running one with the test's own observers, and the laws at its end. The scenario's manifests are
 * looked for in bench/model, as for benchmarks: pair.yaml is one server pod behind a Service.
 */
import { expect } from "vitest";
import { resolve } from "../../bench/model/scenario.ts";
import type { Observer } from "../../src/observe/observations.ts";
import type { RunEnd } from "../../src/observe/report.ts";
import { compile } from "../../src/scenario/compile.ts";
import type { ScenarioInput } from "../../src/scenario/language/scenario.ts";

/** @param observers told of everything that happens */
export function runScenario(
  name: string,
  scenario: ScenarioInput,
  observers: readonly Observer[],
): RunEnd {
  const resolved = resolve(name, scenario);
  const run = compile(resolved, observers);
  run.runUntil(resolved.durationNs);
  const end = run.finish();
  expect(end.brokenLaws).toEqual([]);
  return end;
}
