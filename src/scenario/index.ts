/**
 * What the rooms above need of this one: loading, listing, and a user's mistakes.
 *
 * Owns: the room's door for the command line. Building a model is compile.ts, the words for authors
 * are ../index.ts.
 */
export { listScenarios, type ListedScenario } from "./list.ts";
export { loadScenario, type LoadOptions } from "./load.ts";
export { formatMistakes, UserError, type Mistake } from "./mistakes.ts";
export type { ResolvedScenario } from "./resolved.ts";
