/**
 * Arbitrary calls between applications: each may call those that come after it, so that calls end somewhere.
 *
 * Owns: which of them call, and how. Refuses to own: what a call does.
 */
import fc from "fast-check";
import { keepAlive, perRequest, type ServerInput } from "../../index.ts";
import { SERVICE_PORT } from "./apps.ts";

export interface CallDraft {
  readonly from: number;
  /** How many applications further on. */
  readonly ahead: number;
  readonly withPrevious: boolean;
  readonly optional: boolean;
  readonly kept: boolean;
  readonly probability: number;
  readonly timeoutMs: number;
  readonly attempts: number;
}

export function calls(): fc.Arbitrary<CallDraft[]> {
  const call = fc.record({
    from: fc.nat(1),
    ahead: fc.integer({ min: 1, max: 2 }),
    withPrevious: fc.boolean(),
    optional: fc.boolean(),
    kept: fc.boolean(),
    probability: fc.constantFrom(1, 0.5, 0),
    timeoutMs: fc.integer({ min: 20, max: 2000 }),
    attempts: fc.integer({ min: 1, max: 3 }),
  });
  return fc.array(call, { minLength: 1, maxLength: 5 });
}

type Calls = NonNullable<Extract<ServerInput, { calls?: unknown }>["calls"]>;

/** The `calls` of application `index` of so many. */
export function callsOf(drafts: readonly CallDraft[], index: number, apps: number): Calls {
  const stages: Calls = [];
  for (const { from, ahead, withPrevious, kept, timeoutMs, attempts, ...rest } of drafts) {
    const to = from + ahead;
    if (from !== index || to >= apps) continue;
    const call = {
      ...rest,
      to: `svc/app-${to}:${SERVICE_PORT}`,
      timeout: `${timeoutMs}ms` as const,
      connections: kept ? keepAlive() : perRequest(),
      retries: { attempts },
    };
    const last = stages.at(-1);
    if (withPrevious && last !== undefined) stages[stages.length - 1] = [last, call].flat();
    else stages.push(call);
  }
  return stages;
}
