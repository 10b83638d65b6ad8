/**
 * A thread that runs trials of an answer, one after the other, as it is told their settings.
 *
 * Owns: the thread's side of threads.ts for `sim answer`.
 */
import { isMainThread, parentPort, workerData } from "node:worker_threads";
import type { Measures, Settings, TrialBase } from "../answers/index.ts";
import type { ThreadReply } from "./threads.ts";

export interface TrialTask {
  readonly settings: Settings;
  readonly replication: number;
}

function listen(port: NonNullable<typeof parentPort>, base: TrialBase): void {
  // A thread is ended from outside.
  const trials = import("../answers/index.ts").then(
    ({ Trials }) => new Trials(base, new AbortController().signal),
  );
  port.on("message", ({ settings, replication }: TrialTask) => {
    void trials
      .then((each) => each.run(settings, replication))
      .then((done) => port.postMessage({ done } satisfies ThreadReply<Measures>))
      .catch((error: unknown) => {
        const { name, message } = error instanceof Error ? error : new Error(String(error));
        port.postMessage({ name, error: message } satisfies ThreadReply<Measures>);
      });
  });
}

if (!isMainThread && parentPort !== null) listen(parentPort, workerData as TrialBase);
