/**
 * A value that holds for a time: queue lengths, servers in use, requests in flight.
 *
 * Owns: its time integral and extremes over a window. Refuses to own: the clock; callers say when.
 */

/** Times are nanoseconds and may not go back. */
export class TimeWeighted {
  private current: number;
  private sinceNs: number;
  private startNs: number;
  private area = 0;
  private largest: number;
  private smallest: number;

  constructor(value = 0, atNs = 0) {
    this.current = value;
    this.sinceNs = atNs;
    this.startNs = atNs;
    this.largest = value;
    this.smallest = value;
  }

  /** The value now. */
  get value(): number {
    return this.current;
  }

  /** Largest value since the window began, including those held for no time. */
  get max(): number {
    return this.largest;
  }

  /** Smallest value since the window began, including those held for no time. */
  get min(): number {
    return this.smallest;
  }

  /** From `atNs` on the value is `value`. @throws RangeError if time goes back */
  set(value: number, atNs: number): void {
    this.advance(atNs);
    this.current = value;
    if (value > this.largest) this.largest = value;
    if (value < this.smallest) this.smallest = value;
  }

  /** From `atNs` on the value is larger by `delta`. @throws RangeError if time goes back */
  add(delta: number, atNs: number): void {
    this.set(this.current + delta, atNs);
  }

  /** Integral of the value over time from the window's start to `untilNs`, in value x ns. */
  integral(untilNs: number): number {
    this.advance(untilNs);
    return this.area;
  }

  /** Time average from the window's start to `untilNs`; of an empty window, the value itself. */
  mean(untilNs: number): number {
    const area = this.integral(untilNs);
    return untilNs === this.startNs ? this.current : area / (untilNs - this.startNs);
  }

  /** Begins a new window at `atNs`; the value stays. @throws RangeError if time goes back */
  reset(atNs: number): void {
    this.advance(atNs);
    this.area = 0;
    this.startNs = atNs;
    this.largest = this.current;
    this.smallest = this.current;
  }

  private advance(atNs: number): void {
    if (!(atNs >= this.sinceNs)) {
      throw new RangeError(`TimeWeighted: ${atNs} ns is before ${this.sinceNs} ns`);
    }
    this.area += this.current * (atNs - this.sinceNs);
    this.sinceNs = atNs;
  }
}
