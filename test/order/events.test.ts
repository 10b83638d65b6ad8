/**
 * Ties between events: what happens first when two events have one time. docs/order-of-events.md is the text.
 *
 * Each test names two things that meet at one instant, in both orders of scheduling where that might matter.
 * Timelines are in nanoseconds; `|` is the instant.
 *
 * Seen to fail: with timeouts before deliveries in the phase table, replies missed their deadlines; with the
 * phase left out of the order, whatever was scheduled first won; with a moved event given sequence number 0,
 * it went before events that were there already; with one given a number that the next event got too, some
 * orders of 200 events.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type EventHandle, Phase, phaseNames, Simulation } from "../../src/engine/index.ts";
import { Timeline } from "../helpers/timeline.ts";

/** Schedules both at 10, once in this order and once in the other. @returns both runs */
function bothWays(
  first: readonly [Phase, string],
  second: readonly [Phase, string],
): readonly (readonly string[])[] {
  return [
    [first, second],
    [second, first],
  ].map((events) => {
    const timeline = new Timeline();
    for (const [phase, what] of events) timeline.at(10, phase, what);
    return timeline.run();
  });
}

describe("phases of one instant", () => {
  it("are these, in this order", () => {
    expect(phaseNames).toEqual(["complete", "topology", "deliver", "timeout", "start", "sample"]);
    expect(Object.values(Phase)).toEqual([0, 1, 2, 3, 4, 5]);
  });

  /**
   *   service ends   |  frees the server
   *   customer comes |  finds it free
   */
  it("complete before start: who arrives as another leaves finds the place free", () => {
    const expected = ["10 release", "10 arrival"];
    expect(bothWays([Phase.complete, "release"], [Phase.start, "arrival"])).toEqual([
      expected,
      expected,
    ]);
  });

  /**
   *   work ends       |  at the old capacity
   *   capacity changes|
   */
  it("complete before topology: what ends as the world changes ends in the old world", () => {
    const expected = ["10 work ends", "10 world changes"];
    expect(bothWays([Phase.topology, "world changes"], [Phase.complete, "work ends"])).toEqual([
      expected,
      expected,
    ]);
  });

  /**
   *   rule removed |
   *   item arrives |  meets the new rules
   */
  it("topology before deliver: what arrives as the world changes meets the new one", () => {
    const expected = ["10 world changes", "10 arrives"];
    expect(bothWays([Phase.deliver, "arrives"], [Phase.topology, "world changes"])).toEqual([
      expected,
      expected,
    ]);
  });

  /**
   *   deadline |  finds the reply there
   *   reply    |
   */
  it("deliver before timeout: a reply that meets its deadline is in time", () => {
    for (const deadlineFirst of [true, false]) {
      const timeline = new Timeline();
      let deadline: EventHandle = 0;
      const schedule = [
        () => (deadline = timeline.at(10, Phase.timeout, "deadline")),
        () => timeline.at(10, Phase.deliver, "reply", () => timeline.sim.cancel(deadline)),
      ];
      for (const step of deadlineFirst ? schedule : schedule.toReversed()) step();
      expect(timeline.run()).toEqual(["10 reply"]);
    }
  });

  /** One nanosecond is enough: the deadline at 10, the reply at 11. */
  it("but time comes before phase: a reply one nanosecond late is late", () => {
    const timeline = new Timeline();
    timeline.at(11, Phase.deliver, "reply");
    timeline.at(10, Phase.timeout, "deadline");
    expect(timeline.run()).toEqual(["10 deadline", "11 reply"]);
  });

  /**
   *   deadline of the old |  gives its place up
   *   new one starts      |  takes it
   */
  it("timeout before start: what gives up makes room for what begins", () => {
    const expected = ["10 gives up", "10 begins"];
    expect(bothWays([Phase.start, "begins"], [Phase.timeout, "gives up"])).toEqual([
      expected,
      expected,
    ]);
  });

  /** A sample scheduled before anything else of its instant, and events that make others at it. */
  it("sample after all, also after what the instant's own events add to it", () => {
    const timeline = new Timeline();
    timeline.at(10, Phase.sample, "sample");
    timeline.at(10, Phase.start, "arrival", () => {
      timeline.at(10, Phase.complete, "served in no time");
    });
    expect(timeline.run()).toEqual(["10 arrival", "10 served in no time", "10 sample"]);
  });
});

describe("two events of one phase", () => {
  it("happen in the order in which they were scheduled", () => {
    const timeline = new Timeline();
    for (const name of ["first", "second", "third"]) timeline.at(10, Phase.start, name);
    expect(timeline.run()).toEqual(["10 first", "10 second", "10 third"]);
  });

  it("also when the first was scheduled long before from far away, and by another kind of event", () => {
    const timeline = new Timeline();
    const kind = timeline.sim.defineKind("number", Phase.start, (a) =>
      timeline.note(`number ${a}`),
    );
    timeline.sim.post(10, kind, 1);
    timeline.at(9, Phase.sample, "schedules", () => {
      timeline.at(10, Phase.start, "closure");
      timeline.sim.after(1, kind, 2);
    });
    expect(timeline.run()).toEqual(["9 schedules", "10 number 1", "10 closure", "10 number 2"]);
  });
});

describe("an event that is scheduled for the present instant", () => {
  /**
   *   complete topology deliver timeout start sample
   *                     ^ here
   */
  it("in a later phase happens in its turn, in an earlier or the same phase next", () => {
    const timeline = new Timeline();
    for (const name of phaseNames) {
      timeline.at(10, Phase[name], name, () => {
        if (name !== "deliver") return;
        timeline.at(10, Phase.timeout, "added timeout");
        timeline.at(10, Phase.deliver, "added deliver");
        timeline.at(10, Phase.complete, "added complete");
      });
    }
    timeline.at(10, Phase.deliver, "second deliver");
    expect(timeline.run()).toEqual([
      "10 complete",
      "10 topology",
      "10 deliver",
      "10 added complete",
      "10 second deliver",
      "10 added deliver",
      "10 timeout",
      "10 added timeout",
      "10 start",
      "10 sample",
    ]);
  });
});

describe("an event that is moved", () => {
  it("counts as scheduled last among those of its new instant and phase", () => {
    const timeline = new Timeline();
    const handle = timeline.at(5, Phase.start, "moved");
    timeline.at(10, Phase.start, "there before");
    timeline.sim.reschedule(handle, 10);
    timeline.at(10, Phase.start, "there after");
    expect(timeline.run()).toEqual(["10 there before", "10 moved", "10 there after"]);
  });

  it("to its own time goes behind its equals, but not out of its phase", () => {
    const timeline = new Timeline();
    const handle = timeline.at(10, Phase.timeout, "moved");
    timeline.at(10, Phase.timeout, "equal");
    timeline.at(10, Phase.start, "start");
    timeline.sim.reschedule(handle, 10);
    expect(timeline.run()).toEqual(["10 equal", "10 moved", "10 start"]);
  });

  it("to the present instant happens at it, even if its phase is over", () => {
    const timeline = new Timeline();
    const handle = timeline.at(99, Phase.complete, "brought forward");
    timeline.at(10, Phase.timeout, "now", () => timeline.sim.reschedule(handle, 10));
    timeline.at(10, Phase.start, "rest of the instant");
    expect(timeline.run()).toEqual(["10 now", "10 brought forward", "10 rest of the instant"]);
  });
});

describe("an event that is cancelled", () => {
  it("at the instant at which it is due does not happen", () => {
    const timeline = new Timeline();
    const handle = timeline.at(10, Phase.timeout, "deadline");
    timeline.at(10, Phase.complete, "done", () => {
      expect(timeline.sim.cancel(handle)).toBe(true);
    });
    expect(timeline.run()).toEqual(["10 done"]);
  });

  it("and scheduled again goes to the end of its line", () => {
    const timeline = new Timeline();
    const handle = timeline.at(10, Phase.start, "a");
    timeline.at(10, Phase.start, "b");
    timeline.sim.cancel(handle);
    timeline.at(10, Phase.start, "a");
    expect(timeline.run()).toEqual(["10 b", "10 a"]);
  });
});

describe("the whole order", () => {
  it("is (time, phase, sequence), for any set of events, of which some are moved", () => {
    const event = fc.tuple(fc.nat(5), fc.constantFrom(...Object.values(Phase)));
    const events = fc.array(event, { minLength: 1, maxLength: 200, size: "max" });
    const moves = fc.array(fc.tuple(fc.nat(), fc.nat(5)), { maxLength: 100, size: "max" });
    fc.assert(
      fc.property(events, moves, (events, moves) => {
        const sim = new Simulation({ seed: "order" });
        const seen: number[] = [];
        const kinds = phaseNames.map((name) =>
          sim.defineKind(name, Phase[name], (a) => void seen.push(a)),
        );
        const pending = new Map<number, { time: number; phase: Phase }>();
        const handles: EventHandle[] = [];
        for (const [i, [time, phase]] of events.entries()) {
          handles.push(sim.at(time, kinds[phase]!, i));
          pending.set(i, { time, phase });
          // Each move stands between two events that are scheduled.
          const [which = 0, to = 0] = moves[i] ?? [];
          if (i >= moves.length) continue;
          const moved = which % handles.length;
          sim.reschedule(handles[moved]!, to);
          const { phase: samePhase } = pending.get(moved)!;
          pending.delete(moved);
          pending.set(moved, { time: to, phase: samePhase });
        }
        sim.run(5);
        // A Map keeps the order of its entries, and a stable sort keeps it among equals.
        const sorted = [...pending].toSorted(
          ([, x], [, y]) => x.time - y.time || x.phase - y.phase,
        );
        expect(seen).toEqual(sorted.map(([i]) => i));
      }),
      { numRuns: 100 },
    );
  });
});
