/**
 * podstorm/vitest: matchers for what a run did. Importing it is all that is needed.
 *
 * Owns: telling Vitest of them, and their types. Refuses to own: what they mean (matchers.ts). Needs Vitest 4.
 *
 * @module
 */
import { expect } from "vitest";
import type { Duration } from "../../scenario/language/scenario.ts";
import {
  toAnswerWithin,
  toConvergeWithin,
  toKeepTheLaws,
  toKeepTo,
  toLoseAtMost,
  toOpenNoStaleConnections,
  toSpreadLoadWithin,
} from "./matchers.ts";

/** On `expect(result)` of `run` or of `runReplications`, of which every replication has to. */
export interface PodstormMatchers<R = void> {
  /** Requests ended, and none of them failed. */
  toLoseNoRequests(): R;
  /** At most this share of the requests that ended failed: 0.001 is one in a thousand. */
  toLoseAtMost(share: number): R;
  /** Endpoints changed, and each change was in force on every node so soon after it had happened. */
  toConvergeWithin(limit: Duration): R;
  /** Of the requests that were served, 99 % or another part took no longer, retries included. */
  toAnswerWithin(limit: Duration, options?: { readonly percentile?: number }): R;
  /** Any threshold, as "requests_failed{cause:refused}.count==0". */
  toKeepTo(threshold: string): R;
  /** No Service's busiest endpoint had more than so many times the mean load, on average over windows. */
  toSpreadLoadWithin(maxOverMean: number): R;
  /** No new connection went to an endpoint that was not ready, told to go or gone. */
  toOpenNoStaleConnections(): R;
  /** No routing law was broken: else it is podstorm that is wrong. */
  toKeepTheLaws(): R;
}

declare module "vitest" {
  // Vitest's own type parameter, by its own name.
  // oxlint-disable-next-line typescript/no-explicit-any, typescript/no-unused-vars, typescript/no-empty-object-type
  interface Matchers<T = any> extends PodstormMatchers<void> {}
}

expect.extend({
  toLoseNoRequests: (received: unknown) => toLoseAtMost(received, 0),
  toLoseAtMost,
  toConvergeWithin,
  toAnswerWithin,
  toKeepTo,
  toSpreadLoadWithin,
  toOpenNoStaleConnections,
  toKeepTheLaws,
});
