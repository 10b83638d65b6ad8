/**
 * The scenario room for those above it: reading and validating scenarios, and compiling them.
 *
 * Owns: the room's door. The words for authors are ../index.ts.
 */
export { listScenarios, type ListedScenario } from "./list.ts";
export { loadDefinition, loadScenario, type DefinitionOptions, type LoadOptions } from "./load.ts";
export { parseThreshold } from "./thresholds.ts";
export { formatMistakes, nearest, optionMistake, UserError, type Mistake } from "./mistakes.ts";
export type { ResolvedScenario } from "./resolved.ts";
export { validateScenario } from "./validate.ts";
