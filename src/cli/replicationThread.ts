/**
 * A thread that runs replications, one after the other, as it is told their numbers.
 *
 * Owns: the thread's side of threads.ts. It loads the scenario once; the compiler has checked its types before.
 */
import { join } from "node:path";
import { isMainThread, parentPort, workerData } from "node:worker_threads";
import type { Summary } from "../output/index.ts";
import type { ReplicationRequest } from "./dependencies.ts";
import type { RunIo } from "./io.ts";
import type { ThreadReply } from "./threads.ts";

export interface ReplicationTask {
  /** Which, from 0. */
  readonly replication: number;
  /** In which it gets a folder of its own. */
  readonly folder: string;
}

/** What a thread begins with. */
export type ThreadScenario = Pick<ReplicationRequest, "file" | "overrides">;

const silent = { write: () => true };

/** A thread has no terminal, and is ended from outside. */
const io: RunIo = {
  stdout: silent,
  stderr: silent,
  env: {},
  signal: new AbortController().signal,
  nowMs: () => performance.now(),
  date: () => new Date(),
  breathe: () => Promise.resolve(),
};

function listen(port: NonNullable<typeof parentPort>, given: ThreadScenario): void {
  const { file, overrides } = given;
  const loaded = load(given);
  // Whoever started this thread finds the same wrong with the scenario: told only when it is to be run.
  loaded.catch(() => {});
  port.on("message", ({ replication, folder }: ReplicationTask) => {
    void loaded
      .then(async ({ scenario, dependencies, runInto }) => {
        const args = { file, ...overrides, quiet: true, output: "table", replication } as const;
        const dir = join(folder, `replication-${replication}`);
        const { summary } = await runInto(dir, scenario, args, io, dependencies);
        port.postMessage({ done: summary } satisfies ThreadReply<Summary>);
      })
      .catch((error: unknown) => {
        const { name, message } = error instanceof Error ? error : new Error(String(error));
        port.postMessage({ name, error: message } satisfies ThreadReply<Summary>);
      });
  });
}

async function load({ file, overrides }: ThreadScenario) {
  const { realDependencies } = await import("./rooms.ts");
  const { runInto } = await import("./run.ts");
  const { loadScenario } = await import("../scenario/load.ts");
  const scenario = await loadScenario(file, overrides);
  return { scenario, runInto, dependencies: realDependencies() };
}

if (!isMainThread && parentPort !== null) listen(parentPort, workerData as ThreadScenario);
