/**
 * Makes a failing scenario smaller, by greed: what can be left out without mending it is left out.
 *
 * Owns: the steps, from coarse to fine. A step counts if the scenario still fails in the same way.
 */
import type { WholeScenario } from "../../src/testing/arbitraries/scenarios.ts";
import { UserError } from "../../src/scenario/mistakes.ts";

/**
 * @param fails whether a smaller scenario still fails in the same way; it may throw a UserError
 * @param mostTries so many runs at most
 */
export function shrink(
  scenario: WholeScenario,
  fails: (candidate: WholeScenario) => boolean,
  mostTries: number,
): WholeScenario {
  let smallest = scenario;
  let tries = 0;
  const stillFails = (candidate: WholeScenario): boolean => {
    tries++;
    try {
      return fails(candidate);
    } catch (error) {
      if (error instanceof UserError) return false;
      throw error;
    }
  };
  for (let progress = true; progress && tries < mostTries;) {
    progress = false;
    for (const candidate of smallerThan(smallest)) {
      if (tries >= mostTries) break;
      if (!stillFails(candidate)) continue;
      smallest = candidate;
      progress = true;
      break;
    }
  }
  return smallest;
}

/** Candidates, the largest steps first. */
function* smallerThan(whole: WholeScenario): Generator<WholeScenario> {
  const { input, objects } = whole;
  const change = (fields: Partial<WholeScenario["input"]>): WholeScenario => ({
    ...whole,
    input: { ...input, ...fields },
  });
  for (const faults of shorterLists(input.faults ?? [])) yield change({ faults });
  for (const clients of shorterLists(input.clients ?? [])) yield change({ clients });
  const { profile: _profile, ...plain } = input;
  if (input.profile !== undefined) yield { ...whole, input: plain };
  if (Object.keys(input.servers ?? {}).length > 0) yield change({ servers: {} });
  if (input.coldStart === true) yield change({ coldStart: false });
  const durationMs = Number(/^(\d+)ms$/.exec(input.duration)?.[1] ?? 0);
  for (const part of [2, 4 / 3]) {
    const shorter = Math.floor(durationMs / part);
    if (shorter > 0 && shorter < durationMs) yield change({ duration: `${shorter}ms` });
  }
  const nodes = input.cluster?.nodes ?? 0;
  if (nodes > 1) yield change({ cluster: { ...input.cluster, nodes: nodes - 1 } });
  // What is still referred to is no scenario without it.
  for (const i of objects.keys()) yield { ...whole, objects: objects.toSpliced(i, 1) };
  for (const fewer of fewerReplicas(objects)) yield { ...whole, objects: fewer };
}

/** Without one half, without the other; then without each single member. */
function* shorterLists<T>(list: readonly T[]): Generator<T[]> {
  const half = Math.ceil(list.length / 2);
  if (list.length > 2) {
    yield list.slice(half);
    yield list.slice(0, half);
  }
  for (let i = 0; i < list.length; i++) yield list.toSpliced(i, 1);
}

function* fewerReplicas(objects: readonly object[]): Generator<object[]> {
  for (const [i, object] of objects.entries()) {
    const { spec } = object as { readonly spec?: { readonly replicas?: number } };
    if (spec?.replicas === undefined || spec.replicas < 2) continue;
    yield objects.with(i, { ...object, spec: { ...spec, replicas: spec.replicas - 1 } });
  }
}
