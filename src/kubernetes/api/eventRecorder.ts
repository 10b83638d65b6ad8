/**
 * Kubernetes Events, as the controllers write them: by the client whose tokens their other writes need too.
 *
 * Owns: which Events are written (no more than 25 about one object, then one in five minutes), that one is written
 * after the other, and the tokens that they take. Nobody in a run reads an Event, so that only its token and its time
 * are simulated, and these when they count: before the client's next call. Refuses to own: events.csv, which tells
 * of other things. Source: client-go tools/record/event.go, events_cache.go; timings §3.3. Not modelled: trying again
 * when nobody answers.
 */
import {
  sampleNs,
  type Distribution,
  type DurationNs,
  type RandomStream,
  type SimTimeNs,
} from "../../engine/index.ts";
import { TokenBucket } from "./tokenBucket.ts";

export interface EventRecorderParts {
  /** The client's own. */
  readonly bucket: TokenBucket;
  readonly stream: RandomStream;
  readonly latency: Distribution;
  /** A request and its answer on their way, together. */
  readonly networkNs: DurationNs;
}

/** defaultSpamBurst and defaultSpamQPS of events_cache.go: Events about one object (timings §3.3). */
const SPAM_BURST = 25;
const SPAM_QPS = 1 / 300;
/** maxQueuedEvents of event.go: more are dropped. */
const MAX_QUEUED = 1000;
export class EventRecorder {
  readonly #parts: EventRecorderParts;
  readonly #queued: { readonly about: string; readonly atNs: SimTimeNs }[] = [];
  readonly #spam = new Map<string, TokenBucket>();
  /** When the last one has been written. */
  #freeNs: SimTimeNs = 0;

  constructor(parts: EventRecorderParts) {
    this.#parts = parts;
  }

  /** @param about uid of the object that it is about */
  record(about: string, nowNs: SimTimeNs): void {
    this.catchUp(nowNs);
    if (this.#queued.length >= MAX_QUEUED) return;
    this.#queued.push({ about, atNs: nowNs });
    this.catchUp(nowNs);
  }

  /** Takes the tokens of all that has begun to be written by now: each when the one before was answered. */
  catchUp(nowNs: SimTimeNs): void {
    for (;;) {
      const [next] = this.#queued;
      if (next === undefined) return;
      const startNs = Math.max(next.atNs, this.#freeNs);
      if (startNs > nowNs) return;
      this.#queued.shift();
      if (!this.#isWritten(next.about, startNs)) continue;
      const { bucket, latency, networkNs, stream } = this.#parts;
      this.#freeNs = startNs + bucket.take(startNs) + networkNs + sampleNs(latency, stream);
    }
  }

  /** The spam filter. */
  #isWritten(about: string, nowNs: SimTimeNs): boolean {
    let bucket = this.#spam.get(about);
    if (bucket === undefined) {
      bucket = new TokenBucket(SPAM_QPS, SPAM_BURST);
      this.#spam.set(about, bucket);
    }
    return bucket.tryTake(nowNs);
  }
}
