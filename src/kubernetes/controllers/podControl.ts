/**
 * How controllers make and delete pods: in slow-start batches, and never twice for one reason.
 *
 * Owns: expectations, batches. Refuses to own: how many pods there should be, and which go.
 * Source: pkg/controller/controller_utils.go, replicaset/replica_set.go slowStartBatch; timings §3.
 */
import type { DurationNs, Simulation } from "../../engine/index.ts";
import type { ApiClient } from "../api/contract.ts";
import { objectKey, type Pod } from "../api/types.ts";
import { allTried, type Steps } from "./steps.ts";

interface Expected {
  creates: number;
  readonly deletes: Set<string>;
  sinceNs: number;
}

/** Own writes that the informer has not shown yet, by the uid of the owner. */
export class Expectations {
  readonly #sim: Simulation;
  readonly #timeoutNs: DurationNs;
  readonly #expected = new Map<string, Expected>();

  constructor(sim: Simulation, timeoutNs: DurationNs) {
    this.#sim = sim;
    this.#timeoutNs = timeoutNs;
  }

  #of(uid: string): Expected {
    let expected = this.#expected.get(uid);
    if (expected === undefined) {
      expected = { creates: 0, deletes: new Set(), sinceNs: 0 };
      this.#expected.set(uid, expected);
    }
    return expected;
  }

  /** Everything has been seen, or will not be any more. */
  isSatisfied(uid: string): boolean {
    const expected = this.#expected.get(uid);
    if (expected === undefined) return true;
    if (expected.creates <= 0 && expected.deletes.size === 0) return true;
    return this.#sim.nowNs - expected.sinceNs > this.#timeoutNs;
  }

  expectCreates(uid: string, count: number): void {
    const expected = this.#of(uid);
    expected.creates += count;
    expected.sinceNs = this.#sim.nowNs;
  }

  /** `count` have been seen, or have failed and will not be. */
  creationSeen(uid: string, count = 1): void {
    const expected = this.#expected.get(uid);
    if (expected !== undefined) expected.creates = Math.max(0, expected.creates - count);
  }

  expectDelete(uid: string, key: string): void {
    const expected = this.#of(uid);
    expected.deletes.add(key);
    expected.sinceNs = this.#sim.nowNs;
  }

  deletionSeen(uid: string, key: string): void {
    this.#expected.get(uid)?.deletes.delete(key);
  }

  forget(uid: string): void {
    this.#expected.delete(uid);
  }
}

/**
 * Creates pods 1, 2, 4, ... at a time, each batch after the one before has succeeded; the number that
 * was not made: what failed, and what was not tried after that.
 */
export function* createPods(
  client: ApiClient,
  count: number,
  initial: number,
  next: () => Pod,
): Steps<number> {
  let left = count;
  for (let size = Math.min(initial, left); left > 0; size = Math.min(2 * size, left)) {
    const failed = yield* allTried(
      Array.from({ length: size }, () => {
        const pod = next();
        return (done) =>
          client.create("Pod", pod, (_pod, error) => {
            // SuccessfulCreate or FailedCreate.
            client.recordEvent(pod.metadata.ownerUid!);
            done(null, error);
          });
      }),
    );
    left -= size;
    if (failed > 0) return failed + left;
  }
  return 0;
}

/** Deletes pods all at once, each expected until it is seen to go; the number that failed. */
export function deletePods(
  client: ApiClient,
  expectations: Expectations,
  owner: string,
  victims: readonly Pod[],
): Steps<number> {
  return allTried(
    victims.map((victim) => (done) => {
      const key = objectKey(victim);
      expectations.expectDelete(owner, key);
      client.delete("Pod", key, { uid: victim.metadata.uid }, (_pod, error) => {
        if (error !== null) expectations.deletionSeen(owner, key);
        // SuccessfulDelete or FailedDelete; none of what is gone already.
        if (error !== "NotFound") client.recordEvent(owner);
        done(null, error === "NotFound" ? null : error);
      });
    }),
  );
}
