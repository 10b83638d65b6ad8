/**
 * Time of the replay: sought, or running on.
 *
 * Owns: the one loop of frames. Each draws, and does nothing else: words, slider and strip follow `time`, which is told
 * a few times a second while it plays. Refuses to own: what is drawn.
 */
import { Shared } from "./state.ts";

/** Words follow more slowly than the drawing. */
const WORDS_MS = 150;

/** @param clock seconds for which it has been playing */
export type Draw = (atNs: number, clock: number) => void;

export class Replay {
  readonly time: Shared<number>;
  readonly isPlaying = new Shared(false);
  /** Simulated seconds in a real one. */
  factor = 1;
  readonly #durationNs: number;
  #draw: Draw = () => {};
  #nowNs: number;
  #clock = 0;
  #lastMs = 0;
  #saidMs = 0;
  #frame = 0;

  constructor(durationNs: number, atNs: number) {
    this.#durationNs = durationNs;
    this.#nowNs = atNs;
    this.time = new Shared(atNs);
  }

  /** From now on it is drawn so. @returns what ends that */
  drawWith(draw: Draw): () => void {
    this.#draw = draw;
    draw(this.#nowNs, this.#clock);
    return () => void (this.#draw = () => {});
  }

  seek(atNs: number): void {
    this.#nowNs = atNs;
    this.time.set(atNs);
    this.#ask();
  }

  play(): void {
    if (this.#nowNs >= this.#durationNs) this.#nowNs = 0;
    this.#lastMs = performance.now();
    this.#setPlaying(true);
    this.#ask();
  }

  pause(): void {
    this.#setPlaying(false);
    this.time.set(this.#nowNs);
  }

  #setPlaying(isPlaying: boolean): void {
    document.documentElement.classList.toggle("replaying", isPlaying);
    this.isPlaying.set(isPlaying);
  }

  #ask(): void {
    if (this.#frame === 0) this.#frame = requestAnimationFrame((ms) => this.#step(ms));
  }

  #step(ms: number): void {
    this.#frame = 0;
    if (this.isPlaying.value) {
      const tookMs = Math.max(0, ms - this.#lastMs);
      this.#lastMs = ms;
      this.#clock += tookMs / 1000;
      this.#nowNs = Math.min(this.#durationNs, this.#nowNs + tookMs * 1e6 * this.factor);
    }
    this.#draw(this.#nowNs, this.#clock);
    if (!this.isPlaying.value) return;
    if (this.#nowNs >= this.#durationNs) {
      this.pause();
      return;
    }
    if (ms - this.#saidMs > WORDS_MS) {
      this.#saidMs = ms;
      this.time.set(this.#nowNs);
    }
    this.#ask();
  }
}
