/**
 * `sim answer`: a question about a cluster, or the list of questions.
 *
 * Owns: the order of these, and the counting on a terminal. Refuses to own: the answer (answers/), arguments
 * (commands/).
 */
import { availableParallelism } from "node:os";
import type { AnswerFormatName, AnswerOptions } from "../answers/index.ts";
import { counted } from "../output/index.ts";
import type { Dependencies } from "./dependencies.ts";
import { wantsColour, type Io } from "./io.ts";

export interface AnswerArguments extends AnswerOptions {
  /** undefined: which there are. */
  readonly question: string | undefined;
  readonly output: AnswerFormatName;
  /** Threads; undefined: one for each core. */
  readonly jobs?: number | undefined;
}

/** @throws UserError, Interrupted */
export async function answerCommand(
  { question, output, jobs = availableParallelism(), ...options }: AnswerArguments,
  io: Io,
  dependencies: Dependencies,
): Promise<void> {
  if (question === undefined) {
    const { questionList } = await import("../answers/index.ts");
    io.stdout.write(questionList());
    return;
  }
  let runs = 0;
  const tell = (line: string): void => {
    if (io.stderr.isTTY === true) io.stderr.write(`\r${line}\u001B[K`);
  };
  try {
    const answer = await dependencies.answer(question, options, jobs, io.signal, () =>
      tell(counted(++runs, "run")),
    );
    const { answerFormats } = await import("../answers/index.ts");
    const width = io.stdout.columns ?? 80;
    const colour = wantsColour(io.stdout, io.env);
    io.stdout.write(answerFormats[output](answer, { width, colour }));
  } finally {
    tell("");
  }
}
