/**
 * chaos: a schedule of faults drawn from a seed.
 *
 * Owns: which kinds are on (drawn as well, so that schedules differ in kind and not only in size), when faults come
 * (a Poisson process) and how often each kind. Its draws are of a stream of its own seed: the run's own seed moves none.
 * What it comes to is a plain list of faults as an author would write them, which replays it. Refuses to own: what a
 * fault of a kind may look like (faults/).
 */
import { ln, minutes, RandomStreams, type DurationNs, type RandomStream } from "../engine/index.ts";
import type { ChaosDraw, ChaosTargets } from "./faults/contract.ts";
import { chaosOf, type FaultKind } from "./faults/index.ts";
import type { FileMistakes } from "./mistakes.ts";
import type { ChaosPart } from "./schema/chaos.ts";
import { formatDuration } from "./units.ts";

/** Plain data, as the words of the language make it. */
export type DrawnFault = Readonly<Record<string, unknown>> & { readonly kind: FaultKind };

const MOST_FAULTS = 10_000;
/** Weights of the kinds that are on: from 1 to this (TigerBeetle's random_enum_weights). */
const HEAVIEST = 100;

interface WeightedKind {
  readonly kind: FaultKind;
  readonly weight: number;
}

export function drawChaos(
  { seed, rate, kinds, start, stop }: ChaosPart,
  run: { readonly seed: string; readonly durationNs: DurationNs },
  targets: ChaosTargets,
  mistakes: FileMistakes,
): DrawnFault[] {
  const stream = new RandomStreams(seed ?? run.seed).get("chaos");
  const draw = drawFrom(stream, targets);
  const on = switchedOn(kinds, stream);
  const meanNs = minutes(1) / rate;
  const endNs = Math.min(run.durationNs, stop ?? Infinity);
  const faults: DrawnFault[] = [];
  let atNs = start;
  for (;;) {
    atNs += Math.max(1, Math.round(-ln(stream.uniform()) * meanNs));
    if (atNs >= endNs) return faults;
    if (faults.length === MOST_FAULTS) {
      mistakes.add(["chaos", "rate"], `more than ${MOST_FAULTS} faults`, "fewer");
      return [];
    }
    const fault = drawFault(on, draw);
    if (fault !== null) faults.push({ ...fault, at: formatDuration(atNs) });
  }
}

/** Each kind with probability 1/2, but at least one. */
function switchedOn(kinds: readonly FaultKind[], stream: RandomStream): WeightedKind[] {
  const drawn = kinds.map((kind) => ({
    kind,
    isOn: stream.below(2) === 1,
    weight: 1 + stream.below(HEAVIEST),
  }));
  const spare = stream.below(kinds.length);
  const on = drawn.filter(({ isOn }) => isOn);
  return on.length > 0 ? on : drawn.slice(spare, spare + 1);
}

/** By weight; a kind that finds no target leaves its turn to the next. */
function drawFault(kinds: readonly WeightedKind[], draw: ChaosDraw): DrawnFault | null {
  const left = [...kinds];
  while (left.length > 0) {
    const total = left.reduce((sum, { weight }) => sum + weight, 0);
    let rest = draw.below(total);
    const at = left.findIndex(({ weight }) => (rest -= weight) < 0);
    const [{ kind }] = left.splice(at, 1) as [WeightedKind];
    const fields = chaosOf(kind)!(draw);
    if (fields !== null) return { kind, ...fields };
  }
  return null;
}

function drawFrom(stream: RandomStream, targets: ChaosTargets): ChaosDraw {
  return {
    ...targets,
    below: (n) => stream.below(n),
    pick: (from) => from[stream.below(from.length)]!,
    between: (lowMs, highMs) => `${lowMs + stream.below(highMs - lowMs + 1)}ms`,
    share: (low, high) => Math.round(100 * (low + (high - low) * stream.uniform())) / 100,
  };
}
