/**
 * Taints of nodes and tolerations of pods: who bears what, and for how long.
 *
 * Owns: their shapes and the rules between them. Refuses to own: who taints a node (nodeLifecycle.ts), and what
 * comes of it (the scheduler, taintEviction.ts). Source: component-helpers scheduling/corev1; timings §5.
 */
import { seconds, type DurationNs, type SimTimeNs } from "../../engine/index.ts";

export type TaintEffect = "NoSchedule" | "PreferNoSchedule" | "NoExecute";

export interface Taint {
  readonly key: string;
  readonly value: string;
  readonly effect: TaintEffect;
  readonly timeAddedNs: SimTimeNs | null;
}

export interface Toleration {
  /** null with operator Exists: every key. */
  readonly key: string | null;
  readonly operator: "Exists" | "Equal";
  readonly value: string;
  /** null: every effect. */
  readonly effect: TaintEffect | null;
  /** Of NoExecute taints: how long they are borne; null: for ever. */
  readonly tolerationNs: DurationNs | null;
}

export const TAINT_NOT_READY = "node.kubernetes.io/not-ready";
export const TAINT_UNREACHABLE = "node.kubernetes.io/unreachable";
export const TAINT_UNSCHEDULABLE = "node.kubernetes.io/unschedulable";
export const TAINT_MEMORY_PRESSURE = "node.kubernetes.io/memory-pressure";
export const TAINT_DISK_PRESSURE = "node.kubernetes.io/disk-pressure";
export const TAINT_PID_PRESSURE = "node.kubernetes.io/pid-pressure";

/** Admission plugin DefaultTolerationSeconds: --default-not-ready-toleration-seconds and its twin (timings §5). */
const DEFAULT_TOLERATION_NS = seconds(300);

const DEFAULTS: readonly Toleration[] = [TAINT_NOT_READY, TAINT_UNREACHABLE].map((key) => ({
  key,
  operator: "Exists",
  value: "",
  effect: "NoExecute",
  tolerationNs: DEFAULT_TOLERATION_NS,
}));

/** The pod's own tolerations, and the defaults of admission for what it says nothing of. */
export function tolerationsOf(own: readonly Toleration[] = []): readonly Toleration[] {
  const missing = DEFAULTS.filter(
    ({ key }) => !own.some((each) => bears(each, { key: key!, effect: "NoExecute" })),
  );
  return own.length === 0 ? DEFAULTS : [...own, ...missing];
}

/** What every pod of a DaemonSet bears for ever (timings §3). */
const OF_DAEMONS: readonly Toleration[] = (
  [
    [TAINT_NOT_READY, "NoExecute"],
    [TAINT_UNREACHABLE, "NoExecute"],
    [TAINT_DISK_PRESSURE, "NoSchedule"],
    [TAINT_MEMORY_PRESSURE, "NoSchedule"],
    [TAINT_PID_PRESSURE, "NoSchedule"],
    [TAINT_UNSCHEDULABLE, "NoSchedule"],
  ] as const
).map(([key, effect]) => ({ key, operator: "Exists", value: "", effect, tolerationNs: null }));

/** AddOrUpdateDaemonPodTolerations: these, whatever the template says of the same taints. */
export function daemonTolerations(own: readonly Toleration[] = []): readonly Toleration[] {
  const others = own.filter(
    ({ key, effect, operator }) =>
      operator !== "Exists" ||
      !OF_DAEMONS.some((each) => each.key === key && each.effect === effect),
  );
  return [...others, ...OF_DAEMONS];
}

/** The first of these taints, with one of these effects, that nothing bears. */
export function untolerated(
  taints: readonly Taint[],
  tolerations: readonly Toleration[],
  ...effects: readonly TaintEffect[]
): Taint | undefined {
  return taints.find((taint) => effects.includes(taint.effect) && !isTolerated(tolerations, taint));
}

function bears(
  toleration: Toleration,
  { key, effect }: { readonly key: string; readonly effect: TaintEffect },
): boolean {
  if (toleration.effect !== null && toleration.effect !== effect) return false;
  return toleration.key === null || toleration.key === key;
}

export function tolerates(toleration: Toleration, taint: Taint): boolean {
  if (!bears(toleration, taint)) return false;
  return toleration.operator === "Exists" || toleration.value === taint.value;
}

export function isTolerated(tolerations: readonly Toleration[], taint: Taint): boolean {
  return tolerations.some((each) => tolerates(each, taint));
}

/**
 * How long a pod may stay under these NoExecute taints.
 * @returns null: for ever; 0: not at all
 */
export function toleratedNs(
  tolerations: readonly Toleration[],
  taints: readonly Taint[],
): DurationNs | null {
  let leastNs: DurationNs | null = null;
  for (const taint of taints) {
    const matching = tolerations.filter((each) => tolerates(each, taint));
    if (matching.length === 0) return 0;
    for (const { tolerationNs } of matching) {
      if (tolerationNs !== null) leastNs = Math.min(leastNs ?? Infinity, tolerationNs);
    }
  }
  return leastNs;
}

/** The taints with `key` and `effect` replaced by `taint`, or taken away. */
export function withTaint(
  taints: readonly Taint[] | undefined,
  keys: readonly string[],
  effect: TaintEffect,
  taint: Taint | null,
): readonly Taint[] {
  const others = (taints ?? []).filter(
    (each) => each.effect !== effect || !keys.includes(each.key),
  );
  return taint === null ? others : [...others, taint];
}
