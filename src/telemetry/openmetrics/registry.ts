/**
 * The values of a run's metrics, as a Prometheus that scraped now and then would have seen them.
 *
 * Owns: one series for each set of labels, and what changed at which scrape: a series that stands still costs nothing.
 * Refuses to own: what is counted (collector.ts) and the text (text.ts).
 */
import { seconds, type DurationNs, type SimTimeNs } from "../../engine/index.ts";
import type { Family } from "./families.ts";

/** A series, and its value at each scrape at which it was another than before. */
export abstract class Series<V> {
  readonly labels: readonly string[];
  readonly #scrapes: number[] = [];
  readonly #values: V[] = [];
  protected changed = true;

  constructor(labels: readonly string[]) {
    this.labels = labels;
  }

  protected abstract value(): V;

  scrape(scrape: number): void {
    if (!this.changed) return;
    this.changed = false;
    this.#scrapes.push(scrape);
    this.#values.push(this.value());
  }

  /** Its value at each scrape since the first that saw it. */
  *points(scrapes: number): Generator<readonly [scrape: number, value: V]> {
    for (let i = 0; i < this.#scrapes.length; i++) {
      const until = this.#scrapes[i + 1] ?? scrapes;
      for (let at = this.#scrapes[i]!; at < until; at++) yield [at, this.#values[i]!];
    }
  }
}

/** A counter, a gauge or an info. */
export class NumberSeries extends Series<number> {
  #value = 0;

  add(value: number): void {
    this.set(this.#value + value);
  }

  set(value: number): void {
    if (value === this.#value) return;
    this.#value = value;
    this.changed = true;
  }

  protected value(): number {
    return this.#value;
  }
}

export interface HistogramValue {
  /** By bucket, the infinite one last; not cumulative. */
  readonly counts: Float64Array;
  readonly sumNs: DurationNs;
}

export class HistogramSeries extends Series<HistogramValue> {
  readonly #boundsNs: readonly DurationNs[];
  readonly #counts: Float64Array;
  #sumNs = 0;

  constructor(labels: readonly string[], boundsNs: readonly DurationNs[]) {
    super(labels);
    this.#boundsNs = boundsNs;
    this.#counts = new Float64Array(boundsNs.length + 1);
  }

  observe(valueNs: DurationNs): void {
    // Few bounds, and most values lie below the first of them or little above.
    let bucket = 0;
    while (bucket < this.#boundsNs.length && valueNs > this.#boundsNs[bucket]!) bucket++;
    this.#counts[bucket]!++;
    this.#sumNs += valueNs;
    this.changed = true;
  }

  protected value(): HistogramValue {
    return { counts: this.#counts.slice(), sumNs: this.#sumNs };
  }
}

/** All series of a family, in the order in which they were first seen. */
class FamilySeries<S extends Series<unknown>> {
  readonly family: Family;
  readonly all: S[] = [];
  readonly #make: (labels: readonly string[]) => S;
  readonly #byLabels = new Map<string, S>();

  constructor(family: Family, make: (labels: readonly string[]) => S) {
    this.family = family;
    this.#make = make;
  }

  /** @param labels in the order of the family's */
  of(...labels: readonly string[]): S {
    const key = labels.join("\n");
    let series = this.#byLabels.get(key);
    if (series === undefined) {
      series = this.#make(labels);
      this.#byLabels.set(key, series);
      this.all.push(series);
    }
    return series;
  }
}

export class Registry {
  readonly scrapedAtNs: SimTimeNs[] = [];
  readonly families: FamilySeries<NumberSeries | HistogramSeries>[] = [];

  numbers(family: Family): FamilySeries<NumberSeries> {
    return this.#add(new FamilySeries(family, (labels) => new NumberSeries(labels)));
  }

  histograms(family: Family): FamilySeries<HistogramSeries> {
    const boundsNs = family.boundsS!.map((boundS) => Math.round(boundS * seconds(1)));
    return this.#add(new FamilySeries(family, (labels) => new HistogramSeries(labels, boundsNs)));
  }

  scrape(atNs: SimTimeNs): void {
    const scrape = this.scrapedAtNs.push(atNs) - 1;
    for (const { all } of this.families) for (const series of all) series.scrape(scrape);
  }

  #add<S extends NumberSeries | HistogramSeries>(family: FamilySeries<S>): FamilySeries<S> {
    this.families.push(family as unknown as FamilySeries<NumberSeries | HistogramSeries>);
    return family;
  }
}
