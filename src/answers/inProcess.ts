/**
 * An answer in this process: its trials one after another, in one thread.
 *
 * Owns: joining trials to the question. Refuses to own: threads (cli/threads.ts).
 */
import type { StopSignal } from "../library/options.ts";
import { answerBy, type Answer, type AnswerOptions } from "./answer.ts";
import type { Measures } from "./contract.ts";
import { Trials } from "./trial.ts";

/** @throws as `answer` does */
export function answerInProcess(
  question: string,
  options: AnswerOptions,
  signal: StopSignal,
): Promise<Answer> {
  return answerBy(question, options, (base) => {
    const trials = new Trials(base, signal);
    return async (settings, from, to) => {
      const measures: Measures[] = [];
      for (let replication = from; replication < to; replication++) {
        measures.push(await trials.run(settings, replication));
      }
      return measures;
    };
  });
}
