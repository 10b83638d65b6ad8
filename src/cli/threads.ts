/**
 * Replications on several threads.
 *
 * Owns: the threads, who runs which replication, and that all end when one fails or the user interrupts.
 * Refuses to own: a replication (replicationThread.ts). Which thread runs which changes no byte of any.
 */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { Summary } from "../output/index.ts";
import type { ReplicationRequest } from "./dependencies.ts";
import { UserErrorText, type ThreadAnswer } from "./replicationThread.ts";

export async function replicate(
  request: ReplicationRequest,
  signal: AbortSignal,
  done: () => void,
): Promise<readonly Summary[]> {
  const summaries: Summary[] = [];
  let next = 0;
  const workers = Array.from(
    { length: Math.min(request.jobs, request.replications) },
    () => new Worker(new URL("replicationThread.js", import.meta.url), { workerData: request }),
  );
  const work = async (worker: Worker): Promise<void> => {
    while (next < request.replications) {
      const replication = next++;
      // A thread, not a window: there is no origin.
      // oxlint-disable-next-line unicorn/require-post-message-target-origin
      worker.postMessage(replication);
      const [answer] = (await once(worker, "message", { signal })) as [ThreadAnswer];
      if ("error" in answer) throw new UserErrorText(answer.name, answer.error);
      summaries[replication] = answer.summary;
      done();
    }
  };
  try {
    await Promise.all(workers.map((worker) => work(worker)));
    return summaries;
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}
