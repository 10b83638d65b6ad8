/**
 * Reading what pods and nodes say about scheduling: tolerations and taints, affinity, spread constraints,
 * priorities.
 *
 * Owns: these fields of PodSpec and Node, and PriorityClass objects with what admission makes of them.
 * Refuses to own: what the scheduler does with them (kubernetes/scheduler).
 */
import { z } from "zod";
import { seconds } from "../../engine/index.ts";
import type { Affinity, TopologySpreadConstraint } from "../../kubernetes/api/scheduling.ts";
import type { Taint, Toleration } from "../../kubernetes/api/taints.ts";
import type { LabelSelector, PodSpec } from "../../kubernetes/api/types.ts";
import type { FileMistakes } from "../mistakes.ts";
import { boolean, integer, isRecord, read, text, word } from "../schema/reading.ts";
import {
  metadataSchema,
  type ManifestContext,
  type ManifestObjects,
  type PriorityClassDraft,
} from "./objects.ts";
import { selectorSchema } from "./selector.ts";

const effect = word("NoSchedule", "PreferNoSchedule", "NoExecute");
const weight = integer("a weight", 1, 100);
const anyText = text("text");

export const taintSchema = z.object({
  key: text("a label key"),
  value: anyText.optional(),
  effect,
});

const nodeTerm = z.object({
  matchExpressions: z
    .array(
      z.object({
        key: text("a label key"),
        operator: word("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"),
        values: z.array(anyText).optional(),
      }),
    )
    .optional(),
});

const podTerm = z.object({
  labelSelector: selectorSchema.optional(),
  namespaces: z.array(text("a namespace")).optional(),
  topologyKey: text("a label key"),
});

const podTerms = z.object({
  requiredDuringSchedulingIgnoredDuringExecution: z.array(podTerm).optional(),
  preferredDuringSchedulingIgnoredDuringExecution: z
    .array(z.object({ weight, podAffinityTerm: podTerm }))
    .optional(),
});

const affinitySchema = z.object({
  nodeAffinity: z
    .object({
      requiredDuringSchedulingIgnoredDuringExecution: z
        .object({ nodeSelectorTerms: z.array(nodeTerm).min(1) })
        .optional(),
      preferredDuringSchedulingIgnoredDuringExecution: z
        .array(z.object({ weight, preference: nodeTerm }))
        .optional(),
    })
    .optional(),
  podAffinity: podTerms.optional(),
  podAntiAffinity: podTerms.optional(),
});

const count = integer("a count", 1, 2 ** 31 - 1);
const preemptionPolicy = word("PreemptLowerPriority", "Never");
const priority = integer("a priority", -(2 ** 31), 2 ** 31 - 1);

/** The fields of a PodSpec. */
export const schedulingFields = {
  tolerations: z
    .array(
      z.object({
        key: anyText.optional(),
        operator: word("Exists", "Equal").optional(),
        value: anyText.optional(),
        effect: effect.optional(),
        tolerationSeconds: integer("seconds", 0, 9_007_199).optional(),
      }),
    )
    .optional(),
  affinity: affinitySchema.optional(),
  topologySpreadConstraints: z
    .array(
      z.object({
        maxSkew: count,
        topologyKey: text("a label key"),
        whenUnsatisfiable: word("DoNotSchedule", "ScheduleAnyway"),
        labelSelector: selectorSchema.optional(),
        minDomains: count.optional(),
      }),
    )
    .optional(),
  priority: priority.optional(),
  priorityClassName: text("the name of a PriorityClass").optional(),
  preemptionPolicy: preemptionPolicy.optional(),
};

const fieldsSchema = z.object(schedulingFields);
type Written = z.output<typeof fieldsSchema>;

type Scheduling = Pick<
  PodSpec,
  | "tolerations"
  | "affinity"
  | "topologySpreadConstraints"
  | "priority"
  | "priorityClassName"
  | "preemptionPolicy"
>;

/** Selects nothing, as an absent selector does. */
const NOTHING: LabelSelector = {
  matchLabels: {},
  matchExpressions: [{ key: "", operator: "Exists", values: [] }],
};

/** Only what was written: a spec without these fields has none of them. */
export function buildScheduling(written: Written, mistakes: FileMistakes): Scheduling {
  const { tolerations, affinity, topologySpreadConstraints: constraints } = written;
  if (written.priority !== undefined && written.priorityClassName !== undefined) {
    mistakes.add(["priority"], "beside priorityClassName", "one of the two");
  }
  return {
    ...(tolerations === undefined
      ? {}
      : {
          tolerations: tolerations.map((each, index) =>
            buildToleration(each, mistakes.within(["tolerations", index])),
          ),
        }),
    ...(affinity === undefined ? {} : { affinity: buildAffinity(affinity) }),
    ...(constraints === undefined
      ? {}
      : { topologySpreadConstraints: constraints.map(buildConstraint) }),
    ...(written.priority === undefined ? {} : { priority: written.priority }),
    ...(written.priorityClassName === undefined
      ? {}
      : { priorityClassName: written.priorityClassName }),
    ...(written.preemptionPolicy === undefined
      ? {}
      : { preemptionPolicy: written.preemptionPolicy }),
  };
}

/** Kubernetes: ValidateTolerations. */
function buildToleration(
  written: NonNullable<Written["tolerations"]>[number],
  mistakes: FileMistakes,
): Toleration {
  const operator = written.operator ?? "Equal";
  const { key = "", tolerationSeconds } = written;
  if (key === "" && operator !== "Exists") {
    mistakes.add(["operator"], "without a key", '"Exists"');
  }
  if (operator === "Exists" && written.value) {
    mistakes.add(["value"], 'beside operator "Exists"', "no value");
  }
  if (tolerationSeconds !== undefined && written.effect !== "NoExecute") {
    mistakes.add(["tolerationSeconds"], "of another effect", 'effect "NoExecute"');
  }
  return {
    key: key === "" ? null : key,
    operator,
    value: written.value ?? "",
    effect: written.effect ?? null,
    tolerationNs: tolerationSeconds === undefined ? null : seconds(tolerationSeconds),
  };
}

function buildAffinity(written: z.output<typeof affinitySchema>): Affinity {
  const { nodeAffinity: node, podAffinity: near, podAntiAffinity: apart } = written;
  const required = node?.requiredDuringSchedulingIgnoredDuringExecution;
  return {
    nodeRequired: required === undefined ? null : required.nodeSelectorTerms.map(buildNodeTerm),
    nodePreferred: (node?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map((each) => ({
      weight: each.weight,
      term: buildNodeTerm(each.preference),
    })),
    podRequired: (near?.requiredDuringSchedulingIgnoredDuringExecution ?? []).map(buildPodTerm),
    podPreferred: preferredPods(near),
    antiRequired: (apart?.requiredDuringSchedulingIgnoredDuringExecution ?? []).map(buildPodTerm),
    antiPreferred: preferredPods(apart),
  };
}

function preferredPods(written: z.output<typeof podTerms> | undefined): Affinity["podPreferred"] {
  return (written?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map((each) => ({
    weight: each.weight,
    term: buildPodTerm(each.podAffinityTerm),
  }));
}

function buildNodeTerm({ matchExpressions = [] }: z.output<typeof nodeTerm>) {
  return matchExpressions.map(({ key, operator, values = [] }) => ({ key, operator, values }));
}

function buildPodTerm({ labelSelector, namespaces, topologyKey }: z.output<typeof podTerm>) {
  return { labelSelector: labelSelector ?? NOTHING, namespaces: namespaces ?? [], topologyKey };
}

function buildConstraint(
  written: NonNullable<Written["topologySpreadConstraints"]>[number],
): TopologySpreadConstraint {
  return {
    ...written,
    labelSelector: written.labelSelector ?? NOTHING,
    minDomains: written.minDomains ?? null,
  };
}

export function buildTaints(written: readonly z.output<typeof taintSchema>[]): Taint[] {
  return written.map((each) => ({ ...each, value: each.value ?? "", timeAddedNs: null }));
}

const priorityClassSchema = z.object({
  metadata: metadataSchema,
  value: priority,
  globalDefault: boolean.optional(),
  preemptionPolicy: preemptionPolicy.optional(),
});

export function readPriorityClass({ value, mistakes, objects }: ManifestContext): boolean {
  const written = read(priorityClassSchema, value, mistakes);
  if (written === undefined) return false;
  objects.priorityClasses.push({
    mistakes,
    object: {
      name: written.metadata.name,
      value: written.value,
      isDefault: written.globalDefault ?? false,
      preemptionPolicy: written.preemptionPolicy ?? "PreemptLowerPriority",
    },
  });
  return true;
}

/** Every cluster has them (pkg/apis/scheduling/types.go). */
const SYSTEM_CLASSES: readonly PriorityClassDraft[] = [
  ["system-cluster-critical", 2_000_000_000],
  ["system-node-critical", 2_000_001_000],
].map(([name, value]) => ({
  name: name as string,
  value: value as number,
  isDefault: false,
  preemptionPolicy: "PreemptLowerPriority",
}));

/** The admission plugin Priority: every pod and template gets the number of its class. */
export function admitPriorities(objects: ManifestObjects): void {
  const classes = [...SYSTEM_CLASSES, ...objects.priorityClasses.map(({ object }) => object)];
  const standard = classes.find(({ isDefault }) => isDefault);
  const byName = new Map(classes.map((each) => [each.name, each]));
  for (const list of Object.values(objects) as unknown[]) {
    if (!Array.isArray(list)) continue;
    for (const { object, mistakes } of list as { object: unknown; mistakes: FileMistakes }[]) {
      for (const spec of podSpecsIn(object)) {
        const { priorityClassName: name } = spec;
        const found = name === undefined ? standard : byName.get(name);
        if (name !== undefined && found === undefined) {
          const known = [...byName.keys()].join(", ");
          mistakes.add(["spec"], `no PriorityClass "${name}"`, known);
        }
        if (found === undefined || spec.priority !== undefined) continue;
        spec.priority = found.value;
        spec.preemptionPolicy ??= found.preemptionPolicy;
      }
    }
  }
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** The spec of a pod, or of a template, as it was just read. */
function podSpecsIn(object: unknown): Writable<PodSpec>[] {
  if (!isRecord(object) || !isRecord(object["spec"])) return [];
  const { spec } = object;
  const template = isRecord(spec["template"]) ? spec["template"]["spec"] : undefined;
  return [spec, template].filter(
    (each): each is Writable<PodSpec> & Record<string, unknown> =>
      isRecord(each) && Array.isArray(each["containers"]),
  );
}
