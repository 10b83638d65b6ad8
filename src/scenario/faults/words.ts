/** The words for faults, by kind: one line each. A scenario gets them from "podstorm". */
export { resetContainer, type ResetContainerInput } from "./resetContainer.ts";
export { resetPods, type ResetPodsInput } from "./resetPods.ts";
