/** resetPods(...): deletes, crashes or kills some of the pods that match, once or as a storm. */
import type { ResetPodsSpec } from "../../faults/resetPods.ts";
import type { Duration } from "../language/scenario.ts";
import { faultWord, type FaultWord } from "./contract.ts";
import { podsNamed, workloadPods, type WorkloadPodsInput } from "./podTargets.ts";

/** All are scheduled when the run begins. */
const MOST_RESETS = 1_000_000;

export interface ResetPodsInput extends WorkloadPodsInput {
  /** Share of the matching pods, above 0 up to 1. Either this or `count`. */
  fraction?: number;
  /** Number of the matching pods. Either this or `fraction`. */
  count?: number;
  /**
   * As `kubectl delete pod`, as a crash in place, as a forced delete, as `kill -9` of the main process, as the kernel kills it for its memory, or by the
   * eviction API. Default
   * "delete".
   */
  how?: ResetPodsSpec["how"];
  at: Duration;
  /** From one reset to the next; needed when `times` is above 1. */
  every?: Duration;
  /** Default 1, or until the end of the run when `every` is given. */
  times?: number;
}

/** Deletes, crashes or kills some of the pods that match a selector, once or again and again. */
export const resetPods: FaultWord<"resetPods", ResetPodsInput, ResetPodsSpec> = faultWord(
  "resetPods",
  {
    targets: workloadPods,
    options: ({ number, integer, word, duration, positiveDuration }) => ({
      fraction: number("a share above 0 up to 1", (n) => n > 0 && n <= 1).optional(),
      count: integer("pods", 1, 1_000_000).optional(),
      how: word("delete", "crash", "kill", "sigkill", "oom", "evict").default("delete"),
      at: duration,
      every: positiveDuration.optional(),
      times: integer("resets", 1, MOST_RESETS).optional(),
    }),
    chaos: ({ workloads, pick, below }) => {
      if (workloads.length === 0) return null;
      const { selector, namespace } = pick(workloads);
      return {
        selector,
        namespace,
        ...pick([{ count: 1 + below(3) }, { fraction: (1 + below(4)) / 4 }]),
        how: pick(["delete", "crash", "kill", "sigkill", "oom", "evict"] as const),
      };
    },
    resolve({ fraction, count, how, at, every, times: wanted, ...named }, surroundings, mistakes) {
      const { durationNs } = surroundings;
      if ((fraction === undefined) === (count === undefined)) {
        const found =
          fraction === undefined ? "neither fraction nor count" : "both fraction and count";
        mistakes.add([], found, "one of the two");
        return null;
      }
      const untilEnd = every === undefined ? 1 : Math.ceil((durationNs - at) / every);
      const times = wanted ?? Math.max(1, untilEnd);
      if (times > MOST_RESETS) {
        mistakes.add(["every"], `${times} resets until the end`, `at most ${MOST_RESETS} resets`);
        return null;
      }
      if (times > 1 && every === undefined) {
        mistakes.add(["every"], "missing", `the time from one of the ${times} resets to the next`);
      }
      const amount =
        count === undefined
          ? { kind: "fraction" as const, fraction: fraction ?? 1 }
          : { kind: "count" as const, count };
      const pods = podsNamed(named, surroundings);
      if (pods === null) return null;
      return { kind: "resetPods", ...pods, how, amount, atNs: at, everyNs: every ?? 0, times };
    },
  },
);
