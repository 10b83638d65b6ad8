/**
 * The room's door: questions about a cluster, and their answers.
 *
 * Owns: what other rooms may import from answers/.
 */
export { answerBy, type Answer, type AnswerOptions, type Matter } from "./answer.ts";
export type { Figure, Measures } from "./contract.ts";
export { answerFormats, questionList, type AnswerFormatName } from "./formats.ts";
export type { Runner } from "./lab.ts";
export { questions, type QuestionName } from "./questions/index.ts";
export type { Settings } from "./settings.ts";
export { Trials, type TrialBase } from "./trial.ts";
