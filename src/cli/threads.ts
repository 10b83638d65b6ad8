/**
 * Work on several threads.
 *
 * Owns: the threads, who does which task, and that all end when one fails or the user interrupts. Refuses to own: a
 * task (replicationThread.ts, answerThread.ts). Which thread does which changes no byte of any.
 */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { Answer, AnswerOptions, Measures } from "../answers/index.ts";
import type { Summary } from "../output/index.ts";
import type { TrialTask } from "./answerThread.ts";
import type { ReplicationTask, ThreadScenario } from "./replicationThread.ts";
import type { ReplicationRequest } from "./dependencies.ts";

/** What a thread says of a task. */
export type ThreadReply<Done> =
  { readonly done: Done } | { readonly name: string; readonly error: string };

/** An error of a thread, by the name that says whose it is (faults.ts). */
export class UserErrorText extends Error {
  constructor(name: string, message: string) {
    super(message);
    this.name = name;
  }
}

/** Threads that all begin with the same data, and take tasks in the order in which they are given. */
class Threads<Task, Done> {
  readonly #workers: readonly Worker[];
  readonly #idle: Worker[];
  readonly #waiting: ((worker: Worker) => void)[] = [];
  readonly #signal: AbortSignal;

  /** @param script beside this file, without its ending */
  constructor(script: string, workerData: unknown, threads: number, signal: AbortSignal) {
    const url = new URL(`${script}.js`, import.meta.url);
    this.#workers = Array.from({ length: threads }, () => new Worker(url, { workerData }));
    this.#idle = [...this.#workers];
    this.#signal = signal;
  }

  /** @throws what the task threw, by its name; the signal's reason when it was aborted */
  async run(task: Task): Promise<Done> {
    const worker = await this.#free();
    try {
      // A thread, not a window: there is no origin.
      // oxlint-disable-next-line unicorn/require-post-message-target-origin
      worker.postMessage(task);
      const [reply] = (await once(worker, "message", { signal: this.#signal })) as [
        ThreadReply<Done>,
      ];
      if ("error" in reply) throw new UserErrorText(reply.name, reply.error);
      return reply.done;
    } catch (error) {
      throw this.#signal.aborted ? this.#signal.reason : error;
    } finally {
      this.#release(worker);
    }
  }

  async end(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  #free(): Promise<Worker> {
    const worker = this.#idle.pop();
    if (worker !== undefined) return Promise.resolve(worker);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #release(worker: Worker): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#idle.push(worker);
    else next(worker);
  }
}

/**
 * The threads load the scenario while the caller still checks it; what they find wrong with it they would say as
 * well, but the caller's word is the one that is heard.
 * @param done called as each is done, in any order. @returns summaries in the order of the replications
 */
export async function replicate(
  request: ReplicationRequest,
  signal: AbortSignal,
  done: () => void,
): Promise<readonly Summary[]> {
  const { file, overrides, replications, jobs } = request;
  const scenario: ThreadScenario = { file, overrides };
  const threads = new Threads<ReplicationTask, Summary>(
    "replicationThread",
    scenario,
    Math.min(jobs, replications),
    signal,
  );
  try {
    const folder = await request.folder;
    return await Promise.all(
      Array.from({ length: replications }, async (_, replication) => {
        const summary = await threads.run({ replication, folder });
        done();
        return summary;
      }),
    );
  } finally {
    await threads.end();
  }
}

/** @param done called as each trial is done. @throws UserError */
export async function answerOnThreads(
  name: string,
  options: AnswerOptions,
  jobs: number,
  signal: AbortSignal,
  done: () => void,
): Promise<Answer> {
  const { answerBy } = await import("../answers/index.ts");
  let threads: Threads<TrialTask, Measures> | undefined;
  const trialOf = async (task: TrialTask): Promise<Measures> => {
    const measures = await threads!.run(task);
    done();
    return measures;
  };
  try {
    return await answerBy(name, options, (base) => {
      threads = new Threads("answerThread", base, jobs, signal);
      return (settings, from, to) =>
        Promise.all(
          Array.from({ length: to - from }, (_, i) => trialOf({ settings, replication: from + i })),
        );
    });
  } finally {
    await threads?.end();
  }
}
