/**
 * A program that runs for a while and exits: what an init container or a Job's pod does.
 *
 * Owns: how long it runs and its exit code. Refuses to own: what it would do meanwhile: it takes no CPU
 * that counts, and listens on nothing.
 */
import { createDistribution, Phase, sampleNs, type DistributionSpec } from "../engine/index.ts";
import { EXIT_KILLED, type Program, type ProgramContext, type Signal } from "./program.ts";

export interface TaskOptions {
  readonly duration: DistributionSpec;
  readonly exitCode: number;
}

/** Exit code of a process that SIGTERM ended: 128 + 15. */
const EXIT_TERMINATED = 143;

export class Task implements Program {
  readonly #context: ProgramContext;
  #ended = false;

  constructor(context: ProgramContext, { duration, exitCode }: TaskOptions) {
    this.#context = context;
    const { programs, name } = context;
    const stream = programs.sim.streams.get(`task/${name}`);
    const endNs = programs.sim.nowNs + sampleNs(createDistribution(duration), stream);
    programs.completeAt(endNs, programs.add(this, context), 0, exitCode);
  }

  timer(_what: number, exitCode: number): void {
    this.#end(exitCode);
  }

  signal(signal: Signal): void {
    this.#end(signal === "SIGKILL" ? EXIT_KILLED : EXIT_TERMINATED);
  }

  crash(exitCode: number): void {
    this.#end(exitCode);
  }

  #end(exitCode: number): void {
    if (this.#ended) return;
    this.#ended = true;
    const { programs, exited } = this.#context;
    programs.sim.callAfter(0, Phase.complete, () => exited(exitCode));
  }
}
