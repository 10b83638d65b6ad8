/**
 * Plugin cache of CoreDNS: answers by question, until their time is over.
 *
 * Owns: what is kept, for how long, and what makes room. Nothing purges it: the cluster may have changed
 * meanwhile. Refuses to own: the answers. Not modelled: prefetch, serve_stale, keeping a SERVFAIL, and
 * its 256 shards (a full cache gives up one entry of all, not of a shard).
 */
import { seconds, type DurationNs, type RandomStream, type SimTimeNs } from "../../engine/index.ts";
import { hasRecords, Rcode, type DnsAnswer, type QuestionId } from "./messages.ts";

export interface DnsCacheLimits {
  /** The most that an answer is kept for; 0 for no cache. */
  readonly successTtlNs: DurationNs;
  readonly denialTtlNs: DurationNs;
  /** The least, whatever the answer says. */
  readonly minTtlNs: DurationNs;
  /** Entries of each kind. */
  readonly capacity: number;
}

interface Entry {
  readonly answer: DnsAnswer;
  readonly storedAtNs: SimTimeNs;
  readonly ttlNs: DurationNs;
}

const SECOND_NS = seconds(1);

export class DnsCache {
  readonly #limits: DnsCacheLimits;
  readonly #stream: RandomStream;
  readonly #successes = new Map<QuestionId, Entry>();
  readonly #denials = new Map<QuestionId, Entry>();

  constructor(limits: DnsCacheLimits, stream: RandomStream) {
    this.#limits = limits;
    this.#stream = stream;
  }

  /** An answer that may still be given, with the whole seconds that are left of it. */
  get(question: QuestionId, nowNs: SimTimeNs): DnsAnswer | null {
    return (
      this.#fresh(this.#successes, question, nowNs) ?? this.#fresh(this.#denials, question, nowNs)
    );
  }

  /** Until when it gives the answer that it has; now where it has none. */
  keepsUntilNs(question: QuestionId, nowNs: SimTimeNs): SimTimeNs {
    const entry = this.#successes.get(question) ?? this.#denials.get(question);
    return entry === undefined ? nowNs : Math.max(nowNs, entry.storedAtNs + entry.ttlNs);
  }

  put(question: QuestionId, answer: DnsAnswer, nowNs: SimTimeNs): void {
    if (answer.rcode !== Rcode.NOERROR && answer.rcode !== Rcode.NXDOMAIN) return;
    const isSuccess = hasRecords(answer);
    const { successTtlNs, denialTtlNs, minTtlNs, capacity } = this.#limits;
    const mostNs = isSuccess ? successTtlNs : denialTtlNs;
    if (mostNs === 0) return;
    const ttlNs = Math.min(mostNs, Math.max(minTtlNs, answer.ttlSeconds * SECOND_NS));
    const kept = isSuccess ? this.#successes : this.#denials;
    (isSuccess ? this.#denials : this.#successes).delete(question);
    if (!kept.has(question) && kept.size >= capacity) this.#evict(kept);
    const ttlSeconds = Math.floor(ttlNs / SECOND_NS);
    kept.set(question, { answer: { ...answer, ttlSeconds }, storedAtNs: nowNs, ttlNs });
  }

  #fresh(kept: Map<QuestionId, Entry>, question: QuestionId, nowNs: SimTimeNs): DnsAnswer | null {
    const entry = kept.get(question);
    if (entry === undefined) return null;
    const ageNs = nowNs - entry.storedAtNs;
    if (ageNs >= entry.ttlNs) {
      kept.delete(question);
      return null;
    }
    const ttlSeconds = entry.answer.ttlSeconds - Math.floor(ageNs / SECOND_NS);
    return { ...entry.answer, ttlSeconds };
  }

  #evict(kept: Map<QuestionId, Entry>): void {
    let skip = this.#stream.below(kept.size);
    for (const question of kept.keys()) {
      if (skip-- > 0) continue;
      kept.delete(question);
      return;
    }
  }
}
