/**
 * StatefulSet, DaemonSet, Job, ReplicationController and PodDisruptionBudget, with the defaults of Kubernetes.
 *
 * Owns: their fields. Refuses to own: Deployment and ReplicaSet (kinds.ts), pod templates (pod.ts).
 */
import { z } from "zod";
import { seconds } from "../../engine/index.ts";
import { noDaemonSetStatus } from "../../kubernetes/controllers/daemonset.ts";
import { noDisruptionStatus } from "../../kubernetes/controllers/disruption.ts";
import { noJobStatus } from "../../kubernetes/controllers/job.ts";
import { noStatefulSetStatus } from "../../kubernetes/controllers/statefulset.ts";
import type { FileMistakes } from "../mistakes.ts";
import { integer, isRecord, read, text, word } from "../schema/reading.ts";
import { buildTemplate, intOrPercent, isOwned, isZero, replicas, templateSpec } from "./kinds.ts";
import { selectorSchema } from "./selector.ts";
import { labels, metadataSchema, startMeta, type ManifestContext } from "./objects.ts";
import { noticePodSpec, templateSchema, wholeSeconds } from "./pod.ts";

const count = integer("a count", 0, 2 ** 31 - 1);

const setSchema = z.object({
  replicas: replicas.optional(),
  selector: selectorSchema,
  template: templateSchema,
  minReadySeconds: wholeSeconds.optional(),
});

const statefulSetSchema = z.object({
  metadata: metadataSchema,
  spec: setSchema.extend({
    serviceName: text("the name of a Service").optional(),
    podManagementPolicy: word("OrderedReady", "Parallel").optional(),
    updateStrategy: z
      .object({
        type: word("RollingUpdate", "OnDelete").optional(),
        rollingUpdate: z.object({ partition: count.optional() }).optional(),
      })
      .optional(),
  }),
});

export function readStatefulSet(context: ManifestContext): boolean {
  const { mistakes, objects } = context;
  const written = readSpec(statefulSetSchema, context);
  if (written === undefined) return false;
  listIgnored(context, {
    volumeClaimTemplates: "volumes are not simulated",
    ordinals: "ordinals begin at 0",
  });
  const { spec } = written;
  const template = buildTemplate(spec.selector, spec.template, mistakes);
  objects.workloads.push({
    mistakes,
    object: {
      kind: "StatefulSet",
      metadata: startMeta("StatefulSet", written.metadata),
      spec: {
        // Defaults here and below: Kubernetes pkg/apis/apps/v1/defaults.go and batch/v1/defaults.go.
        replicas: spec.replicas ?? 1,
        selector: spec.selector,
        template,
        minReadyNs: seconds(spec.minReadySeconds ?? 0),
        ...(spec.serviceName !== undefined && { serviceName: spec.serviceName }),
        podManagementPolicy: spec.podManagementPolicy ?? "OrderedReady",
        updateStrategy: spec.updateStrategy?.type ?? "RollingUpdate",
        partition: spec.updateStrategy?.rollingUpdate?.partition ?? 0,
      },
      status: noStatefulSetStatus(template),
    },
  });
  return true;
}

const daemonSetSchema = z.object({
  metadata: metadataSchema,
  spec: setSchema.omit({ replicas: true }).extend({
    updateStrategy: z
      .object({
        type: word("RollingUpdate", "OnDelete").optional(),
        rollingUpdate: z
          .object({ maxSurge: intOrPercent.optional(), maxUnavailable: intOrPercent.optional() })
          .optional(),
      })
      .optional(),
  }),
});

export function readDaemonSet(context: ManifestContext): boolean {
  const { mistakes, objects } = context;
  const written = readSpec(daemonSetSchema, context);
  if (written === undefined) return false;
  const { spec } = written;
  const { rollingUpdate, type } = spec.updateStrategy ?? {};
  const maxSurge = rollingUpdate?.maxSurge ?? 0;
  const maxUnavailable = rollingUpdate?.maxUnavailable ?? (isZero(maxSurge) ? 1 : 0);
  // ValidateRollingUpdateDaemonSet.
  if (isZero(maxSurge) === isZero(maxUnavailable)) {
    const found = isZero(maxSurge) ? "0 while maxSurge is 0 too" : "set while maxSurge is set";
    const path = ["spec", "updateStrategy", "rollingUpdate", "maxUnavailable"];
    mistakes.add(path, found, "exactly one of maxSurge and maxUnavailable above 0");
  }
  objects.workloads.push({
    mistakes,
    object: {
      kind: "DaemonSet",
      metadata: startMeta("DaemonSet", written.metadata),
      spec: {
        selector: spec.selector,
        template: buildTemplate(spec.selector, spec.template, mistakes),
        minReadyNs: seconds(spec.minReadySeconds ?? 0),
        updateStrategy: type ?? "RollingUpdate",
        maxSurge,
        maxUnavailable,
      },
      status: noDaemonSetStatus,
    },
  });
  return true;
}

const jobSchema = z.object({
  metadata: metadataSchema,
  spec: z.object({
    parallelism: replicas.optional(),
    completions: replicas.optional(),
    backoffLimit: count.optional(),
    template: templateSchema,
  }),
});

export function readJob(context: ManifestContext): boolean {
  const { mistakes, objects } = context;
  if (isOwned(context)) return true;
  const written = readSpec(jobSchema, context);
  if (written === undefined) return false;
  listIgnored(context, {
    activeDeadlineSeconds: "not modelled: a Job has as long as it needs",
    completionMode: "not modelled: completions are not indexed",
    podFailurePolicy: "not modelled: every failure counts",
    successPolicy: "not modelled",
    suspend: "not modelled: the Job runs",
    ttlSecondsAfterFinished: "not modelled: a finished Job stays",
  });
  const { spec, metadata } = written;
  // What the API server generates, in the names of its labels.
  const own = { "batch.kubernetes.io/job-name": metadata.name, "job-name": metadata.name };
  const selector = { matchLabels: { "job-name": metadata.name }, matchExpressions: [] };
  const labelled = {
    ...spec.template,
    metadata: {
      ...spec.template.metadata,
      labels: { ...spec.template.metadata?.labels, ...own },
    },
  };
  const noDefaults = spec.completions === undefined && spec.parallelism === undefined;
  objects.workloads.push({
    mistakes,
    object: {
      kind: "Job",
      metadata: startMeta("Job", metadata),
      spec: {
        parallelism: spec.parallelism ?? 1,
        completions: spec.completions ?? (noDefaults ? 1 : null),
        backoffLimit: spec.backoffLimit ?? 6,
        selector,
        template: buildTemplate(selector, labelled, mistakes, ["OnFailure", "Never"]),
      },
      status: noJobStatus,
    },
  });
  return true;
}

const controllerSchema = z.object({
  metadata: metadataSchema,
  spec: setSchema.extend({ selector: labels.optional() }),
});

export function readReplicationController(context: ManifestContext): boolean {
  const { mistakes, objects } = context;
  const written = readSpec(controllerSchema, context);
  if (written === undefined) return false;
  const { spec } = written;
  const matchLabels = spec.selector ?? spec.template.metadata?.labels ?? {};
  const selector = { matchLabels, matchExpressions: [] };
  objects.workloads.push({
    mistakes,
    object: {
      kind: "ReplicationController",
      metadata: startMeta("ReplicationController", written.metadata),
      spec: {
        replicas: spec.replicas ?? 1,
        selector,
        template: buildTemplate(selector, spec.template, mistakes),
        minReadyNs: seconds(spec.minReadySeconds ?? 0),
      },
      status: { replicas: 0, readyReplicas: 0, availableReplicas: 0 },
    },
  });
  return true;
}

const budgetSchema = z.object({
  metadata: metadataSchema,
  spec: z.object({
    selector: selectorSchema.optional(),
    minAvailable: intOrPercent.optional(),
    maxUnavailable: intOrPercent.optional(),
    unhealthyPodEvictionPolicy: word("IfHealthyBudget", "AlwaysAllow").optional(),
  }),
});

export function readPodDisruptionBudget({ value, mistakes, objects }: ManifestContext): boolean {
  const written = read(budgetSchema, value, mistakes);
  if (written === undefined) return false;
  const { minAvailable, maxUnavailable, selector, unhealthyPodEvictionPolicy } = written.spec;
  if (minAvailable !== undefined && maxUnavailable !== undefined) {
    mistakes.add(["spec", "maxUnavailable"], "beside minAvailable", "one of the two");
  }
  objects.budgets.push({
    mistakes,
    object: {
      kind: "PodDisruptionBudget",
      metadata: startMeta("PodDisruptionBudget", written.metadata),
      spec: {
        selector: selector ?? { matchLabels: {}, matchExpressions: [] },
        minAvailable: minAvailable ?? null,
        maxUnavailable: maxUnavailable ?? null,
        unhealthyPodEvictionPolicy: unhealthyPodEvictionPolicy ?? "IfHealthyBudget",
      },
      status: noDisruptionStatus,
    },
  });
  return true;
}

/** A workload's own fields, after its pods' parts that have no effect are listed. */
function readSpec<T>(
  schema: z.ZodType<T>,
  { value, mistakes, ignore }: { readonly mistakes: FileMistakes } & ManifestContext,
): T | undefined {
  noticePodSpec(templateSpec(value), ["spec", "template", "spec"], ignore);
  return read(schema, value, mistakes);
}

function listIgnored(
  { value, ignore }: ManifestContext,
  reasons: Readonly<Record<string, string>>,
): void {
  const spec = isRecord(value["spec"]) ? value["spec"] : {};
  for (const [field, reason] of Object.entries(reasons)) {
    if (spec[field] !== undefined) ignore(["spec", field], reason);
  }
}
