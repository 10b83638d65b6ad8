/**
 * Processes: starting, waiting, joining, interrupting, ending.
 *
 * Seen to fail: with the old event not cancelled by an interrupt, the clock went on to it; with the generation
 * not raised either, it resumed the process in the middle of its next wait; with no abandon(), a process that
 * had given up waiting for another's end stayed among its joiners.
 */
import { describe, expect, it } from "vitest";
import {
  Interrupt,
  Phase,
  Resource,
  SimulationFault,
  Store,
  type Wait,
} from "../../src/engine/index.ts";
import { Timeline } from "../helpers/timeline.ts";

describe("a process", () => {
  it("starts at this instant in the start phase, not inside spawn()", () => {
    const timeline = new Timeline();
    timeline.at(5, Phase.complete, "spawn", () => {
      const process = timeline.sim.spawn("p", function* (self) {
        timeline.note("runs");
        yield self.timeout(1);
      });
      timeline.note(process.isAlive ? "not yet" : "over");
    });
    timeline.at(5, Phase.timeout, "timeout phase");
    expect(timeline.run()).toEqual(["5 spawn", "5 not yet", "5 timeout phase", "5 runs"]);
  });

  it("waits as long as it says, in the phase that it says, by default `timeout`", () => {
    const timeline = new Timeline();
    timeline.waiter("default", (process) => process.timeout(7));
    timeline.waiter("start", (process) => process.timeout(7, Phase.start));
    timeline.waiter("complete", (process) => process.timeout(7, Phase.complete));
    timeline.at(7, Phase.deliver, "deliver");
    expect(timeline.run()).toEqual(["7 complete", "7 deliver", "7 default", "7 start"]);
  });

  it("may wait more than 2^31 times", () => {
    const timeline = new Timeline();
    // An event's argument has 32 bits: counted on without them, the next wait is refused.
    const process = timeline.waiter("p", (self) => {
      self.generation = 2 ** 31 - 1;
      return self.timeout(1);
    });
    timeline.waiter("joiner", () => process);
    expect(timeline.run()).toEqual(["1 p", "1 joiner p"]);
  });

  it("is joined by yielding it: for what it returns, at the instant of its end or any time after", () => {
    const timeline = new Timeline();
    const { sim } = timeline;
    const worker = sim.spawn("worker", function* (process) {
      yield process.timeout(10);
      return 42;
    });
    timeline.waiter("early", () => worker);
    timeline.waiter("earlier", () => worker);
    timeline.at(20, Phase.start, "later", () => timeline.waiter("late", () => worker));
    expect(timeline.run()).toEqual(["10 early 42", "10 earlier 42", "20 later", "20 late 42"]);
    expect(worker.isAlive).toBe(false);
  });

  it("is not joined by one that was interrupted meanwhile", () => {
    const timeline = new Timeline();
    const worker = timeline.waiter("worker", (process) => process.timeout(10));
    const joiner = timeline.waiter(
      "joiner",
      () => worker,
      (process) => process.timeout(100),
    );
    timeline.waiter("other", () => worker);
    timeline.at(5, Phase.start, "interrupt", () => joiner.interrupt("stop"));
    expect(timeline.run()).toEqual([
      "5 interrupt",
      "5 joiner interrupted: stop",
      "10 worker",
      "10 other worker",
    ]);
  });

  it("passes on values through delegated generators", () => {
    const timeline = new Timeline();
    const store = new Store<string>(timeline.sim);
    timeline.sim.spawn("p", function* (process) {
      function* twice(): Generator<Wait, string, unknown> {
        return `${String(yield store.get())}${String(yield store.get())}`;
      }
      timeline.note(yield* twice());
      yield process.timeout(1);
      timeline.note("end");
    });
    timeline.at(3, Phase.start, "put", () => store.offer("a"));
    timeline.at(4, Phase.start, "put", () => store.offer("b"));
    expect(timeline.run()).toEqual(["3 put", "4 put", "4 ab", "5 end"]);
  });

  it("does not grow the stack or the event count by waits that are satisfied at once", () => {
    const timeline = new Timeline();
    const store = new Store<number>(timeline.sim);
    for (let i = 0; i < 50_000; i++) store.offer(i);
    timeline.sim.spawn("p", function* () {
      let inOrder = 0;
      for (let i = 0; i < 50_000; i++) if ((yield store.get()) === i) inOrder++;
      timeline.note(`${inOrder} in order`);
    });
    expect(timeline.run()).toEqual(["0 50000 in order"]);
    expect(timeline.sim.eventsProcessed).toBe(1);
  });
});

describe("interrupt", () => {
  it("throws an Interrupt with its cause at the yield", () => {
    const timeline = new Timeline();
    const cause = { why: "drained" };
    const process = timeline.sim.spawn("p", function* (self) {
      try {
        yield self.timeout(10);
      } catch (error) {
        expect(error).toBeInstanceOf(Interrupt);
        expect((error as Interrupt).cause).toBe(cause);
        timeline.note("interrupted");
      }
    });
    timeline.at(3, Phase.start, "now", () => expect(process.interrupt(cause)).toBe(true));
    expect(timeline.run()).toEqual(["3 now", "3 interrupted"]);
    expect(timeline.sim.nowNs).toBe(3);
  });

  it("leaves the process able to wait anew, and its old wake-up never fires", () => {
    const timeline = new Timeline();
    const resource = new Resource(timeline.sim, { capacity: 1 });
    timeline.sim.spawn("holder", function* (self) {
      yield resource.request();
      yield self.timeout(20);
      resource.release();
    });
    const process = timeline.sim.spawn("p", function* (self) {
      for (const wait of [
        () => self.timeout(10),
        () => resource.request(),
        () => self.timeout(50),
      ]) {
        try {
          yield wait();
          timeline.note("waited");
        } catch (error) {
          timeline.note((error as Error).message);
        }
      }
    });
    timeline.at(5, Phase.start, "first", () => process.interrupt("timeout given up"));
    timeline.at(15, Phase.start, "second", () => process.interrupt("request given up"));
    expect(timeline.run()).toEqual([
      "5 first",
      "5 timeout given up",
      "15 second",
      "15 request given up",
      "65 waited",
    ]);
    expect(resource.inUse).toBe(0);
  });

  it("happens once: a second one before the first was delivered answers false", () => {
    const timeline = new Timeline();
    const process = timeline.waiter("p", (self) => self.timeout(10));
    timeline.at(1, Phase.start, "twice", () => {
      expect([process.interrupt("one"), process.interrupt("two")]).toEqual([true, false]);
    });
    expect(timeline.run()).toEqual(["1 twice", "1 p interrupted: one"]);
    expect(process.interrupt("late")).toBe(false);
  });

  it("ends a process that has not started without running it, and whoever joins it goes on", () => {
    const timeline = new Timeline();
    timeline.at(2, Phase.complete, "spawn", () => {
      const process = timeline.sim.spawn("p", function* (self) {
        timeline.note("never");
        yield self.timeout(1);
      });
      timeline.waiter("joiner", () => process);
      process.interrupt();
      timeline.at(9, Phase.start, "over", () => expect(process.isAlive).toBe(false));
    });
    expect(timeline.run()).toEqual(["2 spawn", "2 joiner", "9 over"]);
  });

  it("may not be turned on oneself", () => {
    const timeline = new Timeline();
    timeline.sim.spawn("narcissus", function* (self) {
      self.interrupt();
      yield self.timeout(1);
    });
    expect(() => timeline.run()).toThrow('process "narcissus" cannot interrupt itself');
  });

  it("runs finally blocks, which may wait themselves", () => {
    const timeline = new Timeline();
    const process = timeline.sim.spawn("p", function* (self) {
      try {
        yield self.timeout(100);
      } catch {
        timeline.note("caught");
      } finally {
        yield self.timeout(5);
        timeline.note("cleaned up");
      }
    });
    timeline.at(1, Phase.start, "interrupt", () => process.interrupt());
    expect(timeline.run()).toEqual(["1 interrupt", "1 caught", "6 cleaned up"]);
  });
});

describe("a process' number", () => {
  it("is used again without waking the heir by what was meant for the dead", () => {
    const timeline = new Timeline();
    const first = timeline.waiter("first", (process) => process.timeout(10));
    timeline.at(5, Phase.start, "interrupt", () => first.interrupt("end"));
    timeline.at(6, Phase.start, "heir", () =>
      timeline.waiter("second", (process) => process.timeout(10)),
    );
    expect(timeline.run()).toEqual([
      "5 interrupt",
      "5 first interrupted: end",
      "6 heir",
      "16 second",
    ]);
  });
});

describe("what goes wrong in a process", () => {
  it("ends the run with the process' name, the time and the seed", () => {
    const timeline = new Timeline("blue");
    const broken = new TypeError("no such thing");
    timeline.sim.spawn("culprit", function* (process) {
      yield process.timeout(12);
      throw broken;
    });
    try {
      timeline.run();
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(SimulationFault);
      expect(error).toMatchObject({ atNs: 12, kindName: "process culprit", cause: broken });
      expect(String(error)).toBe(
        'SimulationFault: at 12 ns, event "process culprit", seed "blue": TypeError: no such thing',
      );
    }
  });

  it("includes an interrupt that nobody catches", () => {
    const timeline = new Timeline();
    const process = timeline.sim.spawn("p", function* (self) {
      yield self.timeout(10);
    });
    timeline.at(3, Phase.start, "interrupt", () => process.interrupt("unwanted"));
    expect(() => timeline.run()).toThrow('at 3 ns, event "process p"');
  });

  it.each([-1, 0.5, NaN, Infinity])("includes a timeout of %d", (delayNs) => {
    const timeline = new Timeline();
    timeline.waiter("p", (process) => process.timeout(delayNs));
    expect(() => timeline.run()).toThrow(/event "process p".*SchedulingError: cannot schedule/);
  });
});
