/**
 * `answer(question)`: what `sim answer` gives, as a value.
 *
 * Owns: the door. What is behind it is loaded when it is first asked.
 */
import type { StopSignal } from "../library/options.ts";
import type { Answer, AnswerOptions } from "./answer.ts";
import type { QuestionName } from "./questions/index.ts";

export interface AskOptions extends AnswerOptions {
  /** Ends it early: the promise rejects with the signal's reason. */
  readonly signal?: StopSignal | undefined;
}

/**
 * Answers a question about a cluster by replications of runs, one after another in this process. The same question,
 * options and seed give what `sim answer` prints with `-o json`.
 *
 * @example
 * ```ts
 * import { answer } from "podstorm";
 *
 * const { figures } = await answer("maxsurge", { rate: 40, nodes: 2, replications: 2 });
 * console.log(figures[0].mean! > 0);
 * ```
 *
 * Output:
 *
 * ```text
 * true
 * ```
 *
 * @throws {@link UserError} for a question, a Deployment or an option that there is not, and for manifests that cannot
 * be read
 */
export async function answer(question: QuestionName, options: AskOptions = {}): Promise<Answer> {
  const { signal = new AbortController().signal, ...asked } = options;
  const { answerInProcess } = await import("./inProcess.ts");
  return answerInProcess(question, asked, signal);
}
