/** The words for faults, by kind: one line each. A scenario gets them from "podstorm". */
export { resetPods, type ResetPodsInput } from "./resetPods.ts";
