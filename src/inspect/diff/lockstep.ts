/**
 * Two runs side by side, until they part.
 *
 * Owns: finding the first event that is not the same in both: first by their rolling fingerprints, chunk by chunk; then by
 * playing both once more up to that chunk and going on event by event, with a bounded record of what each has told. An
 * event whose arguments alone differ is no parting: these are indices, which shift where one run has one thing more.
 * Refuses to own: the words (text.ts) and who may interrupt (cli/).
 */
import type { PendingEvent, SimTimeNs } from "../../engine/index.ts";
import { compile, type Run } from "../../scenario/compile.ts";
import type { ResolvedScenario } from "../../scenario/resolved.ts";
import { Sights, type Sight } from "./sights.ts";

/** Events between two looks at the fingerprints. */
const CHUNK = 8192;
/** Observations that are shown before the parting, and after it. */
const BEFORE = 4;
const AFTER = 4;
/** A run that tells nothing more is not played to its end for it. */
const EVENTS_AFTER_MAX = 20_000;

/** One run where the two part. */
export interface PartedSide {
  /** The event that the other has not; null: it has none left before the end. */
  readonly event: PendingEvent | null;
  readonly requestsStarted: number;
  readonly requestsEnded: number;
  readonly requestsFailed: number;
  readonly before: readonly Sight[];
  readonly after: readonly Sight[];
}

export interface Parting {
  /** Events at which both did the same. */
  readonly sameEvents: number;
  /** When the last of them happened. */
  readonly sameUntilNs: SimTimeNs;
  readonly a: PartedSide;
  readonly b: PartedSide;
}

export interface Progress {
  readonly nowNs: SimTimeNs;
  readonly durationNs: SimTimeNs;
  readonly eventsProcessed: number;
}

/** @returns null when they do the same up to the end of the shorter */
export function* findParting(
  a: ResolvedScenario,
  b: ResolvedScenario,
): Generator<Progress, Parting | null> {
  const untilNs = Math.min(a.durationNs, b.durationNs);
  const sameEvents = yield* sameChunks(compile(a, []), compile(b, []), untilNs);
  if (sameEvents === null) return null;
  const sides = [watched(a), watched(b)] as const;
  for (let done = 0; done < sameEvents; done += CHUNK) {
    for (const { run } of sides) run.runUntil(untilNs, Math.min(CHUNK, sameEvents - done));
    yield progressOf(sides[0].run, untilNs);
  }
  return yield* part(sides[0], sides[1], untilNs);
}

/** Events of the chunks that are the same; null: all are. */
function* sameChunks(a: Run, b: Run, untilNs: SimTimeNs): Generator<Progress, number | null> {
  for (;;) {
    const before = a.sim.eventsProcessed;
    const isWhole = a.runUntil(untilNs, CHUNK);
    const isOtherWhole = b.runUntil(untilNs, CHUNK);
    if (!areSame(a, b) || isWhole !== isOtherWhole) return before;
    if (isWhole) return null;
    yield progressOf(a, untilNs);
  }
}

function areSame(a: Run, b: Run): boolean {
  return (
    a.sim.eventsProcessed === b.sim.eventsProcessed && a.sim.fingerprint() === b.sim.fingerprint()
  );
}

function progressOf({ nowNs, sim }: Run, durationNs: SimTimeNs): Progress {
  return { nowNs, durationNs, eventsProcessed: sim.eventsProcessed };
}

interface Watched {
  readonly run: Run;
  readonly sights: Sights;
}

function watched(scenario: ResolvedScenario): Watched {
  // Told of things while it is being made, a run has no time yet.
  const holder: { run?: Run } = {};
  const sights = new Sights(BEFORE, () => holder.run?.nowNs ?? 0);
  const run = compile(scenario, sights.observers);
  holder.run = run;
  return { run, sights };
}

function* part(a: Watched, b: Watched, untilNs: SimTimeNs): Generator<Progress, Parting | null> {
  for (;;) {
    const events = [pending(a, untilNs), pending(b, untilNs)] as const;
    const sameUntilNs = a.run.nowNs;
    const sameEvents = a.run.sim.eventsProcessed;
    const befores = [sideOf(a), sideOf(b)] as const;
    for (const { run } of [a, b]) run.runUntil(untilNs, 1);
    if (doSame(...events) && toldSame(a.sights, b.sights, befores[0].seen)) {
      if (events[0] === null) return null;
      if (sameEvents % CHUNK === 0) yield progressOf(a.run, untilNs);
      continue;
    }
    return {
      sameEvents,
      sameUntilNs,
      a: { ...befores[0], event: events[0], after: goOn(a, befores[0].seen, untilNs) },
      b: { ...befores[1], event: events[1], after: goOn(b, befores[1].seen, untilNs) },
    };
  }
}

function doSame(a: PendingEvent | null, b: PendingEvent | null): boolean {
  return a?.timeNs === b?.timeNs && a?.kindName === b?.kindName;
}

/** Whether both have told the same since they had told `before` things. */
function toldSame(a: Sights, b: Sights, before: number): boolean {
  if (a.seen !== b.seen) return false;
  const fresh = Math.min(a.seen - before, a.last.length);
  for (let i = 1; i <= fresh; i++) {
    const [one, other] = [a.last.at(-i)!, b.last.at(-i)!];
    if (one.atNs !== other.atNs || one.text !== other.text) return false;
  }
  return true;
}

function pending({ run }: Watched, untilNs: SimTimeNs): PendingEvent | null {
  const event = run.sim.peekEvent();
  return event === null || event.timeNs > untilNs ? null : event;
}

function sideOf({ sights }: Watched) {
  const { seen, requestsStarted, requestsEnded, requestsFailed } = sights;
  return { seen, requestsStarted, requestsEnded, requestsFailed, before: [...sights.last] };
}

/** What it tells next. */
function goOn({ run, sights }: Watched, seenBefore: number, untilNs: SimTimeNs): Sight[] {
  const after: Sight[] = [];
  let seen = seenBefore;
  const take = (): void => {
    const fresh = Math.min(sights.seen - seen, sights.last.length);
    after.push(...sights.last.slice(sights.last.length - fresh));
    seen = sights.seen;
  };
  take();
  for (let events = 0; events < EVENTS_AFTER_MAX && after.length < AFTER; events++) {
    if (run.runUntil(untilNs, 1)) break;
    take();
  }
  return after.slice(0, AFTER);
}
