/** A simulation that writes down what happens in it: "12 arrive" for what happens at 12 ns. */
import {
  Interrupt,
  type Phase,
  type Process,
  Simulation,
  type Wait,
} from "../../src/engine/index.ts";

export class Timeline {
  readonly sim: Simulation;
  readonly lines: string[] = [];

  constructor(seed = "timeline") {
    this.sim = new Simulation({ seed });
  }

  note(what: string): void {
    this.lines.push(`${this.sim.nowNs} ${what}`);
  }

  /** Notes `what` at that time and phase, and then does `action`. */
  at(timeNs: number, phase: Phase, what: string, action: () => void = () => {}): number {
    return this.sim.callAt(timeNs, phase, () => {
      this.note(what);
      action();
    });
  }

  /** A process that makes one wait and notes how it ended: with a value, or by an interrupt. */
  waiter(
    name: string,
    wait: (process: Process) => Wait,
    then?: (process: Process) => Wait,
  ): Process {
    const note = (what: string): void => this.note(what);
    return this.sim.spawn(name, function* (process) {
      try {
        const value = yield wait(process);
        note(value === undefined ? name : `${name} ${String(value)}`);
        if (then !== undefined) yield then(process);
      } catch (error) {
        if (!(error instanceof Interrupt)) throw error;
        note(`${name} interrupted: ${error.message}`);
      }
      return name;
    });
  }

  /** Runs until nothing is pending. @returns what happened */
  run(): readonly string[] {
    this.sim.run(Infinity);
    return this.lines;
  }
}
