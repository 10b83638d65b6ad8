/**
 * What a server asks others before it answers: stages one after another, the calls of a stage at the same time.
 *
 * Owns: which calls a request makes and whether they all went well. Each target has a client of its own in the
 * server's process (client.ts), with that pod's own connections, deadlines and tries: a call goes by the node's
 * rules like any other request. Refuses to own: what becomes of the request (server.ts).
 *
 * A stage that has failed is waited for to its end, and is the last one.
 */
import type { RandomStream } from "../engine/index.ts";
import { Outcome, type OutcomeCode } from "../observe/observations.ts";
import { LoadClient, type ClientOptions } from "./client.ts";
import { EXIT_KILLED, type ProgramContext } from "./program.ts";

export interface CallsOptions {
  /** The targets. */
  readonly callers: readonly CallerOptions[];
  readonly stages: readonly (readonly CallSpec[])[];
}

export interface CallerOptions {
  readonly client: ClientOptions;
  /** The request goes on when a call of it has failed. */
  readonly isOptional: boolean;
}

export interface CallSpec {
  /** Index of the target. */
  readonly caller: number;
  /** With which the request makes this call at all. */
  readonly probability: number;
}

export class ServerCalls {
  readonly #stages: CallsOptions["stages"];
  readonly #clients: readonly LoadClient[];
  readonly #stream: RandomStream;
  readonly #done: (request: number, hasFailed: boolean) => void;
  /** By request, which the server numbers from 0: the stage it is in, calls that are out, and whether one failed. */
  readonly #stage: number[] = [];
  readonly #pending: number[] = [];
  readonly #failed: number[] = [];

  /** @param done told once for each start(), perhaps before that returns */
  constructor(
    context: ProgramContext,
    { callers, stages }: CallsOptions,
    done: (request: number, hasFailed: boolean) => void,
  ) {
    this.#stages = stages;
    this.#done = done;
    this.#stream = context.programs.sim.streams.get(`server/${context.name}/calls`);
    this.#clients = callers.map(({ client, isOptional }, index) => {
      const own = { ...context, name: `${context.name}/calls/${index}`, exited: nothing };
      return new LoadClient(own, client, (request, outcome) =>
        this.#ended(request, outcome, isOptional),
      );
    });
  }

  start(request: number): void {
    this.#stage[request] = -1;
    this.#pending[request] = 0;
    this.#failed[request] = 0;
    this.#next(request);
  }

  /** The process ends, and its connections with it. */
  end(): void {
    for (const client of this.#clients) client.crash(EXIT_KILLED);
  }

  #next(request: number): void {
    const stage = this.#stages[++this.#stage[request]!];
    if (stage === undefined || this.#failed[request] === 1) {
      this.#done(request, this.#failed[request] === 1);
      return;
    }
    // One more, so that a call that ends at once does not end the stage before the others are made.
    this.#pending[request]!++;
    for (let i = 0; i < stage.length; i++) {
      const { caller, probability } = stage[i]!;
      if (probability < 1 && this.#stream.uniform() >= probability) continue;
      this.#pending[request]!++;
      this.#clients[caller]!.call(request);
    }
    this.#settle(request);
  }

  #ended(request: number, outcome: OutcomeCode, isOptional: boolean): void {
    if (outcome !== Outcome.served && !isOptional) this.#failed[request] = 1;
    this.#settle(request);
  }

  #settle(request: number): void {
    if (--this.#pending[request]! === 0) this.#next(request);
  }
}

function nothing(): void {
  // A client of a process has no process to end.
}
