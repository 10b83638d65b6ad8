/**
 * What all views share: the stretch of time that is looked at, and the theme.
 *
 * Owns: both, and telling whoever listens.
 */
import { useEffect, useState } from "preact/hooks";

type Listener = () => void;

/** A value that views follow. */
export class Shared<T> {
  #value: T;
  readonly #listeners = new Set<Listener>();

  constructor(value: T) {
    this.#value = value;
  }

  get value(): T {
    return this.#value;
  }

  set(value: T): void {
    this.#value = value;
    for (const listener of this.#listeners) listener();
  }

  /** @returns what ends it */
  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}

export function useShared<T>(shared: Shared<T>): T {
  const [value, set] = useState(shared.value);
  useEffect(() => shared.listen(() => set(() => shared.value)), [shared]);
  return value;
}

export interface Range {
  /** Seconds. */
  readonly from: number;
  readonly to: number;
}

/** All time charts show the same. */
export class TimeAxis {
  readonly whole: Range;
  readonly range: Shared<Range>;

  constructor(durationNs: number) {
    this.whole = { from: 0, to: durationNs / 1e9 };
    this.range = new Shared(this.whole);
  }

  show(from: number, to: number): void {
    const least = this.whole.to / 10_000;
    const width = Math.max(least, Math.min(this.whole.to, to - from));
    const start = Math.max(0, Math.min(from, this.whole.to - width));
    this.range.set({ from: start, to: start + width });
  }

  /** @param factor below 1: nearer */
  zoom(factor: number, around?: number): void {
    const { from, to } = this.range.value;
    const middle = around ?? (from + to) / 2;
    this.show(middle - (middle - from) * factor, middle + (to - middle) * factor);
  }

  /** @param share of what is shown */
  pan(share: number): void {
    const { from, to } = this.range.value;
    this.show(from + share * (to - from), to + share * (to - from));
  }

  all(): void {
    this.range.set(this.whole);
  }
}

export type Theme = "light" | "dark";

const wantsDark = matchMedia("(prefers-color-scheme: dark)");

/** The reader's own choice, until a button says otherwise. Paper is always light. */
export const theme = new Shared<Theme>(wantsDark.matches ? "dark" : "light");

export function chooseTheme(next: Theme): void {
  document.documentElement.dataset["theme"] = next;
  theme.set(next);
}

export function followTheme(): void {
  chooseTheme(theme.value);
  wantsDark.addEventListener("change", () => chooseTheme(wantsDark.matches ? "dark" : "light"));
  let before: Theme = theme.value;
  addEventListener("beforeprint", () => {
    before = theme.value;
    chooseTheme("light");
  });
  addEventListener("afterprint", () => chooseTheme(before));
}
