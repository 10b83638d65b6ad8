/**
 * A sync written top to bottom: a generator that yields each call and goes on with its answer.
 *
 * Owns: running such a generator, and giving a sync up when a write fails, to be tried again. Refuses
 * to own: when it is tried again (workqueue.ts). Nothing waits here: each step runs inside one event.
 */
import type { WriteCallback, WriteError } from "../api/contract.ts";
import type { Kind, ObjectByKind } from "../api/types.ts";
import type { ControllerContext } from "./contract.ts";
import { WorkQueue } from "./workqueue.ts";

/** A call that is answered once, later or at once. */
export type Call<T> = (answer: (value: T) => void) => void;
export type Steps<R> = Generator<Call<unknown>, R, unknown>;

export interface Answer<K extends Kind> {
  readonly object: ObjectByKind[K] | null;
  readonly error: WriteError | null;
}

/** Thrown into a sync whose write has failed. */
export class WriteFailed extends Error {
  override readonly name = "WriteFailed";
}

export function runSteps<R>(steps: Steps<R>, done: (result: R) => void): void {
  const resume = (value: unknown): void => {
    const next = steps.next(value);
    if (next.done === true) done(next.value);
    else next.value(resume);
  };
  resume(undefined);
}

export function* answered<T>(call: Call<T>): Steps<T> {
  return (yield call) as T;
}

/** A write and what came of it. */
export function tried<K extends Kind>(write: (done: WriteCallback<K>) => void): Steps<Answer<K>> {
  return answered<Answer<K>>((answer) => write((object, error) => answer({ object, error })));
}

/** The object as written. @throws WriteFailed */
export function* written<K extends Kind>(
  write: (done: WriteCallback<K>) => void,
): Steps<ObjectByKind[K]> {
  const { object, error } = yield* tried(write);
  if (object === null) throw new WriteFailed(String(error));
  return object;
}

/** All at once; the number that failed. */
export function allTried(writes: readonly ((done: WriteCallback<Kind>) => void)[]): Steps<number> {
  return answered<number>((answer) => {
    let pending = writes.length;
    let failed = 0;
    if (pending === 0) answer(0);
    for (const write of writes) {
      write((_object, error) => {
        if (error !== null) failed++;
        if (--pending === 0) answer(failed);
      });
    }
  });
}

/** A controller's queue, whose syncs are such generators. */
export function syncQueue(
  { sim, profile, informers, client, acts }: ControllerContext,
  limits: { readonly workers: number; readonly maxRetries: number },
  sync: (key: string) => Steps<void>,
): WorkQueue {
  return new WorkQueue(sim, { ...profile, ...limits }, informers, (key, done) => {
    acts?.begins(client.name, key, informers);
    runSteps(retrying(sync(key)), done);
  });
}

/** What a work queue makes of a sync: tried again if a write has failed. */
function* retrying(steps: Steps<void>): Steps<boolean> {
  try {
    yield* steps;
    return false;
  } catch (failure) {
    if (failure instanceof WriteFailed) return true;
    throw failure;
  }
}
