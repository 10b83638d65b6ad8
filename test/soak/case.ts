/**
 * One case of a soak: a random scenario with random faults from a seed, and whether it holds.
 *
 * Owns: what is drawn, and what counts as a failure: a broken law, a fault of podstorm's own, a run that is not the
 * same in pieces. Built on the arbitraries of test/laws. Refuses to own: shrinking (shrink.ts).
 */
import fc from "fast-check";
import { UserError } from "../../src/scenario/mistakes.ts";
import { Recording } from "../../src/observe/index.ts";
import type { ResolvedScenario } from "../../src/scenario/resolved.ts";
import { scenarios, type WholeScenario } from "../../src/testing/arbitraries/scenarios.ts";
import { play } from "../laws/law.ts";
import { resolved } from "../laws/written.ts";

const SHORTEST_MS = 2000;
const LONGEST_MS = 60_000;
const PIECES = 7;

/** The scenario of a seed. What chaos draws is in its list of faults: each of them may then be left out. */
export function drawCase(seed: number): WholeScenario {
  const all = scenarios({
    durationMs: [SHORTEST_MS, LONGEST_MS],
    chaos: true,
    calls: true,
    owners: true,
    faultsMax: 3,
  });
  const [whole] = fc.sample(all, { seed, numRuns: 1 }) as [WholeScenario];
  const { chaos: _, ...input } = whole.input;
  const drawn = resolved(whole).drawnFaults ?? [];
  const faults = [...(input.faults ?? []), ...(drawn as unknown as typeof input.faults & object)];
  return { ...whole, input: { ...input, faults } };
}

export interface Verdict {
  /** What is broken, alike for like failures; null: nothing. */
  readonly signature: string | null;
  readonly detail: string;
  readonly simulatedNs: number;
}

/** @throws UserError for what is no valid scenario */
export function judge(whole: WholeScenario): Verdict {
  const scenario = resolved(whole);
  const simulatedNs = scenario.durationNs;
  try {
    const first = runOf(scenario, 1);
    if (first.broken !== null) return { ...first.broken, simulatedNs };
    const { fingerprint } = runOf(scenario, PIECES);
    if (fingerprint === first.fingerprint) return { signature: null, detail: "", simulatedNs };
    const detail = `${first.fingerprint} at once, ${fingerprint} in ${PIECES} pieces`;
    return { signature: "8 replay", detail, simulatedNs };
  } catch (error) {
    if (error instanceof UserError) throw error;
    return { ...describe(error), simulatedNs };
  }
}

function runOf(scenario: ResolvedScenario, pieces: number) {
  const recording = new Recording();
  const { run, end } = play(scenario, { observers: recording.observers, pieces });
  recording.totals({ endNs: run.nowNs, hops: end.hops, conntracks: end.conntracks });
  const [law] = end.brokenLaws;
  const broken =
    law === undefined
      ? null
      : { signature: `law ${law.law}`, detail: `${law.entity} at ${law.atNs} ns: ${law.detail}` };
  return { fingerprint: end.eventFingerprint, broken };
}

/** Numbers and names differ from case to case. */
function describe(error: unknown): Pick<Verdict, "signature" | "detail"> {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const message = cause instanceof Error ? cause.message : String(cause);
  const detail = cause instanceof Error ? (cause.stack ?? message) : message;
  return { signature: `threw ${message.split("\n")[0]!.replace(/\d+/g, "N")}`, detail };
}
