/**
 * Trials under settings, several replications each, and what they come to.
 *
 * Owns: common random numbers (replication i has the same draws under all settings), each setting tried once only,
 * intervals, and searching. Refuses to own: a trial (trial.ts), and where it runs.
 */
import type { FigureUnit } from "../output/index.ts";
import { studentTInterval } from "../stats/index.ts";
import type { Figure, Measures } from "./contract.ts";
import type { Target } from "./draft.ts";
import type { Settings } from "./settings.ts";

/** @returns of the replications from one number up to, but not including, another, in their order */
export type Runner = (settings: Settings, from: number, to: number) => Promise<readonly Measures[]>;

export interface LabOptions {
  readonly target: Target;
  /** Of each setting. */
  readonly replications: number;
  /** Of intervals, 0 to 1. */
  readonly confidence: number;
  /** What the asker wants to reach, where a question has such a thing. */
  readonly goal: number | undefined;
}

export class Lab {
  readonly target: Target;
  readonly confidence: number;
  readonly goal: number | undefined;
  readonly #replications: number;
  readonly #runner: Runner;
  /** Of each choice of settings, as many as were asked for so far. */
  readonly #trials = new Map<string, Promise<readonly Measures[]>>();

  constructor(options: LabOptions, runner: Runner) {
    this.target = options.target;
    this.#replications = options.replications;
    this.confidence = options.confidence;
    this.goal = options.goal;
    this.#runner = runner;
  }

  /** How many settings were tried. */
  get points(): number {
    return this.#trials.size;
  }

  /** @param replications fewer, where what is looked at hardly differs between them */
  async at(settings: Settings, replications = this.#replications): Promise<Point> {
    const entries = Object.entries(settings).sort(([a], [b]) => (a < b ? -1 : 1));
    const key = JSON.stringify(entries);
    const known = this.#trials.get(key) ?? Promise.resolve([]);
    const trials = known.then(async (have) => {
      const { length } = have;
      if (length >= replications) return have;
      return [...have, ...(await this.#runner(settings, length, replications))];
    });
    this.#trials.set(key, trials);
    return new Point((await trials).slice(0, replications), this.confidence);
  }

  /**
   * The smallest whole number that holds, if all larger ones do: by steps that double from `near`, then by halves.
   * @returns null where even `most` does not hold
   */
  async smallest(
    holds: (value: number) => Promise<boolean>,
    { near, most }: { readonly near: number; readonly most: number },
  ): Promise<number | null> {
    let fails = -1;
    let good = Math.min(near, most);
    if (await holds(good)) {
      for (let step = 1; good > 0; step *= 2) {
        const lower = Math.max(0, good - step);
        if (!(await holds(lower))) {
          fails = lower;
          break;
        }
        good = lower;
      }
    } else {
      for (let step = 1; ; step *= 2) {
        fails = good;
        if (fails === most) return null;
        good = Math.min(most, good + step);
        if (await holds(good)) break;
      }
    }
    while (good - fails > 1) {
      const middle = Math.floor((good + fails) / 2);
      if (await holds(middle)) good = middle;
      else fails = middle;
    }
    return good;
  }
}

/** What came of one choice of settings. */
export class Point {
  readonly trials: readonly Measures[];
  readonly #confidence: number;

  constructor(trials: readonly Measures[], confidence: number) {
    this.trials = trials;
    this.#confidence = confidence;
  }

  /** Of the replications that had it. */
  values(measure: string): number[] {
    return this.trials
      .map((each) => each[measure] ?? null)
      .filter((value): value is number => value !== null);
  }

  /** The mean of a measure over replications. */
  figure(name: string, measure: string, unit: FigureUnit): Figure {
    const values = this.values(measure);
    const figure = figureOf(name, unit, values, this.#confidence);
    if (figure.low === null || figure.high === null) return figure;
    // Nothing is less than none and no share beyond all of it, whatever an interval of few says.
    const low = values.some((value) => value < 0) ? figure.low : Math.max(0, figure.low);
    return { ...figure, low, high: unit === "share" ? Math.min(1, figure.high) : figure.high };
  }

  /** How much more one measure is than another, replication by replication. */
  excess(name: string, [more, less]: readonly [string, string], unit: FigureUnit): Figure {
    const differences = this.trials.flatMap((trial) => {
      const [a, b] = [trial[more] ?? null, trial[less] ?? null];
      return a === null || b === null ? [] : [a - b];
    });
    return figureOf(name, unit, differences, this.#confidence);
  }

  /** How much more it is here than there, replication by replication. */
  moreThan(other: Point, name: string, measure: string, unit: FigureUnit): Figure {
    const differences = this.trials.flatMap((trial, i) => {
      const [a, b] = [trial[measure] ?? null, other.trials[i]?.[measure] ?? null];
      return a === null || b === null ? [] : [a - b];
    });
    return figureOf(name, unit, differences, this.#confidence);
  }

  /** Replications of which it is true. */
  count(holds: (trial: Measures) => boolean): number {
    return this.trials.filter(holds).length;
  }
}

/** A figure that has no interval: what a search has found. */
export function found(name: string, unit: FigureUnit, value: number | null): Figure {
  return { name, unit, mean: value, low: null, high: null };
}

function figureOf(
  name: string,
  unit: FigureUnit,
  values: readonly number[],
  confidence: number,
): Figure {
  if (values.length === 0) return found(name, unit, null);
  if (values.length === 1) return found(name, unit, values[0]!);
  const { mean, low, high } = studentTInterval(values, confidence);
  return { name, unit, mean, low, high };
}
