/**
 * Ties between processes: waits that end, are granted and are given up at one instant.
 *
 * Seen to fail: with wake-ups in the `start` phase, patience ended before the grant of its instant; with
 * interrupts delivered in the `sample` phase, a release of the same instant came before them; with `deliver`
 * and `timeout` exchanged, a due timeout came before the interrupt.
 */
import { describe, expect, it } from "vitest";
import { Phase, Resource, Store } from "../../src/engine/index.ts";
import { Timeline } from "../helpers/timeline.ts";

describe("release and arrival at one instant", () => {
  /**
   *   0        10
   *   holder---|release
   *            |arrival, start phase: finds the unit free
   */
  it("with nobody waiting: the arrival gets the unit without waiting", () => {
    const timeline = new Timeline();
    const resource = new Resource(timeline.sim, { capacity: 1 });
    timeline.sim.spawn("arrival", function* (process) {
      yield process.timeout(10, Phase.start);
      timeline.note(`arrival finds ${resource.inUse} in use`);
      yield resource.request();
      timeline.note("arrival has it");
    });
    timeline.sim.spawn("holder", function* (process) {
      yield resource.request();
      yield process.timeout(10, Phase.complete);
      resource.release();
    });
    expect(timeline.run()).toEqual(["10 arrival finds 0 in use", "10 arrival has it"]);
  });

  /**
   *   0        10       20
   *   holder---|release
   *   waiter...|--------|
   *            |arrival.|
   */
  it("with one waiting: the waiter goes on first, in the complete phase, and the arrival waits", () => {
    const timeline = new Timeline();
    const resource = new Resource(timeline.sim, { capacity: 1 });
    const use = (name: string, fromNs: number): void => {
      timeline.sim.spawn(name, function* (process) {
        if (fromNs > 0) yield process.timeout(fromNs, Phase.start);
        yield resource.request();
        timeline.note(name);
        yield process.timeout(10, Phase.complete);
        resource.release();
      });
    };
    use("arrival", 10);
    use("holder", 0);
    use("waiter", 0);
    expect(timeline.run()).toEqual(["0 holder", "10 waiter", "20 arrival"]);
  });
});

describe("a timeout and a grant at one instant", () => {
  /**
   *   0         10
   *   holder----|release (complete)
   *   patience--|gives up (timeout): the grant has come before
   */
  it("the grant wins: who is served as its patience ends is served", () => {
    const timeline = new Timeline();
    const resource = new Resource(timeline.sim, { capacity: 1 });
    timeline.sim.spawn("holder", function* (process) {
      yield resource.request();
      yield process.timeout(10, Phase.complete);
      resource.release();
    });
    const customer = timeline.waiter("customer served", () => resource.request());
    timeline.at(10, Phase.timeout, "patience ends", () => {
      expect(customer.interrupt("impatient")).toBe(false);
    });
    expect(timeline.run()).toEqual(["10 customer served", "10 patience ends"]);
    expect(resource.inUse).toBe(1);
  });

  /**
   * The release itself comes from a timeout of default phase, after the patience:
   *   patience--|gives up (timeout, scheduled first)
   *   holder----|release (timeout)
   */
  it("but a release in the timeout phase comes in its turn: patience that was armed before ends before", () => {
    const timeline = new Timeline();
    const resource = new Resource(timeline.sim, { capacity: 1 });
    const { sim } = timeline;
    sim.spawn("holder", function* () {
      yield resource.request();
    });
    const customer = timeline.waiter("customer served", () => resource.request());
    timeline.at(10, Phase.timeout, "patience ends", () => void customer.interrupt("impatient"));
    timeline.at(10, Phase.timeout, "release", () => resource.release());
    expect(timeline.run()).toEqual([
      "10 patience ends",
      "10 customer served interrupted: impatient",
      "10 release",
    ]);
    expect(resource.inUse).toBe(0);
  });
});

describe("a grant that is abandoned at the instant it is given", () => {
  /**
   *   holder--|release: granted to b, whose interrupt follows in the same event
   *   b.......|interrupted before it ran
   *   c.......|gets the unit, at this instant
   */
  it("goes to the next waiter at that instant", () => {
    const timeline = new Timeline();
    const resource = new Resource(timeline.sim, { capacity: 1 });
    timeline.sim.spawn("holder", function* () {
      yield resource.request();
    });
    const b = timeline.waiter("b", () => resource.request());
    timeline.waiter("c", () => resource.request());
    timeline.at(10, Phase.start, "release and interrupt", () => {
      resource.release();
      b.interrupt("no");
      expect(resource.inUse).toBe(1);
    });
    timeline.at(10, Phase.sample, "sample");
    expect(timeline.run()).toEqual([
      "10 release and interrupt",
      "10 c",
      "10 b interrupted: no",
      "10 sample",
    ]);
    expect([resource.inUse, resource.queueLength]).toEqual([1, 0]);
  });

  it("and an item on its way to one who gives up goes to the next getter, else back to the front", () => {
    const timeline = new Timeline();
    const store = new Store<string>(timeline.sim);
    const first = timeline.waiter("first", () => store.get());
    const second = timeline.waiter("second", () => store.get());
    timeline.at(10, Phase.start, "put and interrupt", () => {
      store.offer("a");
      first.interrupt("no");
    });
    timeline.at(20, Phase.start, "third comes", () => timeline.waiter("third", () => store.get()));
    timeline.at(30, Phase.start, "fourth comes", () => {
      const fourth = timeline.waiter("fourth", () => store.get());
      timeline.at(31, Phase.start, "three items", () => {
        store.offer("b");
        store.offer("c");
        store.offer("d");
        fourth.interrupt("no");
      });
      timeline.at(32, Phase.start, "two more", () => {
        timeline.waiter("fifth", () => store.get());
        timeline.waiter("sixth", () => store.get());
      });
    });
    expect(timeline.run()).toEqual([
      "10 put and interrupt",
      "10 second a",
      "10 first interrupted: no",
      "20 third comes",
      "30 fourth comes",
      "31 three items",
      "31 third b",
      "31 fourth interrupted: no",
      "32 two more",
      "32 fifth c",
      "32 sixth d",
    ]);
    expect(second.isAlive).toBe(false);
  });
});

describe("an interrupt and the end of the wait at one instant", () => {
  /**
   *   timeout--|due (timeout)
   *            |interrupt, from any earlier phase
   */
  it("of a process whose timeout is due: the interrupt wins if it comes in an earlier phase", () => {
    const timeline = new Timeline();
    const process = timeline.waiter("timed out", (self) => self.timeout(10));
    timeline.at(10, Phase.deliver, "interrupt", () => void process.interrupt("stop"));
    expect(timeline.run()).toEqual(["10 interrupt", "10 timed out interrupted: stop"]);
  });

  it("in the same phase the one that was scheduled first wins", () => {
    for (const interruptFirst of [true, false]) {
      const timeline = new Timeline();
      const scheduleInterrupt = (): void => {
        timeline.at(10, Phase.timeout, "interrupt", () => void process.interrupt("stop"));
      };
      if (interruptFirst) scheduleInterrupt();
      const process = timeline.waiter("timed out", (self) => self.timeout(10));
      // The timeout is armed when the process starts, at 0.
      if (!interruptFirst) timeline.at(1, Phase.start, "later", scheduleInterrupt);
      expect(timeline.run()).toEqual(
        interruptFirst
          ? ["10 interrupt", "10 timed out interrupted: stop"]
          : ["1 later", "10 timed out", "10 interrupt"],
      );
    }
  });

  it("in a later phase the wait is over and there is nothing to interrupt", () => {
    const timeline = new Timeline();
    const process = timeline.waiter("timed out", (self) => self.timeout(10));
    timeline.at(10, Phase.start, "interrupt", () => expect(process.interrupt()).toBe(false));
    expect(timeline.run()).toEqual(["10 timed out", "10 interrupt"]);
  });
});

describe("a process that goes on at once", () => {
  it("does so in the complete phase of the present instant, before whatever else is due in it", () => {
    const timeline = new Timeline();
    const store = new Store<string>(timeline.sim);
    timeline.waiter("getter", () => store.get());
    timeline.at(10, Phase.deliver, "put", () => store.offer("x"));
    timeline.at(10, Phase.deliver, "another delivery");
    timeline.at(10, Phase.timeout, "deadline");
    expect(timeline.run()).toEqual(["10 put", "10 getter x", "10 another delivery", "10 deadline"]);
  });

  it("and those who are woken by one event go on in the order of the wake-ups", () => {
    const timeline = new Timeline();
    const [early, late] = [new Store<string>(timeline.sim), new Store<string>(timeline.sim)];
    timeline.waiter("waits for late", () => late.get());
    timeline.waiter("waits for early", () => early.get());
    timeline.at(10, Phase.start, "put both", () => {
      early.offer("1");
      late.offer("2");
    });
    expect(timeline.run()).toEqual(["10 put both", "10 waits for early 1", "10 waits for late 2"]);
  });

  it("a zero timeout too, but in the phase that it asks for", () => {
    const timeline = new Timeline();
    timeline.waiter("zero", (process) => process.timeout(0));
    timeline.waiter("zero complete", (process) => process.timeout(0, Phase.complete));
    timeline.at(0, Phase.start, "other start");
    timeline.at(0, Phase.sample, "sample");
    expect(timeline.run()).toEqual(["0 zero", "0 zero complete", "0 other start", "0 sample"]);
  });
});
