/**
 * StatefulSet, DaemonSet, Job, CronJob, ReplicationController and PodDisruptionBudget, with the defaults of Kubernetes.
 *
 * Owns: their fields. Refuses to own: Deployment and ReplicaSet (kinds.ts), pod templates (pod.ts).
 */
import { z } from "zod";
import { seconds } from "../../engine/index.ts";
import { noDaemonSetStatus } from "../../kubernetes/controllers/daemonset.ts";
import { noDisruptionStatus } from "../../kubernetes/controllers/disruption.ts";
import { jobLabels, noJobStatus } from "../../kubernetes/controllers/job.ts";
import { noStatefulSetStatus } from "../../kubernetes/controllers/statefulset.ts";
import type { Job } from "../../kubernetes/api/types.ts";
import { parseSchedule } from "../../kubernetes/cron/schedule.ts";
import type { FileMistakes } from "../mistakes.ts";
import { boolean, integer, isRecord, read, text, word } from "../schema/reading.ts";
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

const jobSpecSchema = z.object({
  parallelism: replicas.optional(),
  completions: replicas.optional(),
  backoffLimit: count.optional(),
  template: templateSchema,
});

const jobSchema = z.object({ metadata: metadataSchema, spec: jobSpecSchema });

const JOB_WITHOUT_EFFECT = {
  activeDeadlineSeconds: "not modelled: a Job has as long as it needs",
  completionMode: "not modelled: completions are not indexed",
  podFailurePolicy: "not modelled: every failure counts",
  successPolicy: "not modelled",
  suspend: "not modelled: the Job runs",
  ttlSecondsAfterFinished: "not modelled: a finished Job stays",
};

/** @param mistakes of what `spec` is a field of */
function buildJobSpec(
  spec: z.output<typeof jobSpecSchema>,
  name: string,
  mistakes: FileMistakes,
): Job["spec"] {
  // What the API server generates, in the names of its labels.
  const selector = { matchLabels: { "job-name": name }, matchExpressions: [] };
  const labelled = {
    ...spec.template,
    metadata: {
      ...spec.template.metadata,
      labels: { ...spec.template.metadata?.labels, ...jobLabels(name) },
    },
  };
  const noDefaults = spec.completions === undefined && spec.parallelism === undefined;
  return {
    parallelism: spec.parallelism ?? 1,
    completions: spec.completions ?? (noDefaults ? 1 : null),
    backoffLimit: spec.backoffLimit ?? 6,
    selector,
    template: buildTemplate(selector, labelled, mistakes, ["OnFailure", "Never"]),
  };
}

export function readJob(context: ManifestContext): boolean {
  const { mistakes, objects } = context;
  if (isOwned(context)) return true;
  const written = readSpec(jobSchema, context);
  if (written === undefined) return false;
  listIgnored(context, JOB_WITHOUT_EFFECT);
  const { spec, metadata } = written;
  objects.workloads.push({
    mistakes,
    object: {
      kind: "Job",
      metadata: startMeta("Job", metadata),
      spec: buildJobSpec(spec, metadata.name, mistakes),
      status: noJobStatus,
    },
  });
  return true;
}

const limit = integer("a number of Jobs", 0, 2 ** 31 - 1);

const cronJobSchema = z.object({
  metadata: metadataSchema,
  spec: z.object({
    schedule: text("a schedule"),
    suspend: boolean.optional(),
    concurrencyPolicy: word("Allow", "Forbid", "Replace").optional(),
    startingDeadlineSeconds: wholeSeconds.optional(),
    successfulJobsHistoryLimit: limit.optional(),
    failedJobsHistoryLimit: limit.optional(),
    jobTemplate: z.object({ metadata: metadataSchema.partial().optional(), spec: jobSpecSchema }),
  }),
});

/** Names of Jobs end in a dash and ten digits. */
const LONGEST_CRON_NAME = 52;
const UTC = new Set(["UTC", "Etc/UTC", "Etc/GMT"]);

export function readCronJob(context: ManifestContext): boolean {
  const { value, mistakes, objects, ignore } = context;
  if (isOwned(context)) return true;
  const at = ["spec", "jobTemplate"];
  const jobTemplate = isRecord(value["spec"]) ? value["spec"]["jobTemplate"] : undefined;
  if (isRecord(jobTemplate)) {
    noticePodSpec(templateSpec(jobTemplate), [...at, "spec", "template", "spec"], ignore);
  }
  const written = read(cronJobSchema, value, mistakes);
  if (written === undefined) return false;
  listIgnored(context, JOB_WITHOUT_EFFECT, at);
  noticeTimeZone(context);
  const { spec, metadata } = written;
  checkCronJob(metadata.name, spec.schedule, mistakes);
  const {
    template,
    selector: _own,
    ...job
  } = buildJobSpec(spec.jobTemplate.spec, metadata.name, mistakes.within(at));
  const deadline = spec.startingDeadlineSeconds;
  objects.workloads.push({
    mistakes,
    object: {
      kind: "CronJob",
      metadata: startMeta("CronJob", metadata),
      spec: {
        // Defaults: Kubernetes pkg/apis/batch/v1/defaults.go, SetDefaults_CronJob.
        schedule: spec.schedule,
        suspend: spec.suspend ?? false,
        concurrencyPolicy: spec.concurrencyPolicy ?? "Allow",
        startingDeadlineNs: deadline === undefined ? null : seconds(deadline),
        successfulJobsHistoryLimit: spec.successfulJobsHistoryLimit ?? 3,
        failedJobsHistoryLimit: spec.failedJobsHistoryLimit ?? 1,
        job,
        // The labels of a Job's pods are its own.
        template: { ...template, labels: spec.jobTemplate.spec.template.metadata?.labels ?? {} },
      },
      status: { active: [], lastScheduleTimeNs: null },
    },
  });
  return true;
}

/** ValidateCronJobCreate. */
function checkCronJob(name: string, schedule: string, mistakes: FileMistakes): void {
  const parsed = parseSchedule(schedule);
  if (typeof parsed === "string") {
    mistakes.add(["spec", "schedule"], parsed, 'five fields such as "*/5 * * * *", or "@hourly"');
  }
  if (name.length > LONGEST_CRON_NAME) {
    const found = `${name.length} characters`;
    mistakes.add(["metadata", "name"], found, `at most ${LONGEST_CRON_NAME}`);
  }
}

function noticeTimeZone({ value, ignore }: ManifestContext): void {
  const zone = isRecord(value["spec"]) ? value["spec"]["timeZone"] : undefined;
  if (zone === undefined || (typeof zone === "string" && UTC.has(zone))) return;
  ignore(["spec", "timeZone"], "schedules are in UTC");
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
  at: readonly string[] = [],
): void {
  const path = [...at, "spec"];
  const spec = path.reduce<unknown>((part, name) => (isRecord(part) ? part[name] : {}), value);
  for (const [field, reason] of Object.entries(reasons)) {
    if (isRecord(spec) && spec[field] !== undefined) ignore([...path, field], reason);
  }
}
