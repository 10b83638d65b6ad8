/**
 * HorizontalPodAutoscaler of autoscaling/v2 and v1.
 *
 * Owns: its fields with the defaults of Kubernetes, and what may be scaled. CPU utilisation is the one
 * metric; others are listed, and an autoscaler with none but those has no effect.
 */
import { z } from "zod";
import { seconds } from "../../engine/index.ts";
import type { HorizontalPodAutoscaler, ScalingRules } from "../../kubernetes/api/types.ts";
import { integer, number, read, text, word } from "../schema/reading.ts";
import { metadataSchema, startMeta, type ManifestContext } from "./objects.ts";

const replicas = integer("a number of pods from 1", 1, 150_000);
const percent = integer("a percentage from 1", 1, 100_000);

const rulesSchema = z.object({
  stabilizationWindowSeconds: integer("seconds up to an hour", 0, 3600).optional(),
  selectPolicy: word("Max", "Min", "Disabled").optional(),
  policies: z
    .array(
      z.object({
        type: word("Pods", "Percent"),
        value: integer("a number from 1", 1, 150_000),
        periodSeconds: integer("seconds from 1 to 1800", 1, 1800),
      }),
    )
    .min(1)
    .optional(),
  tolerance: number("a number from 0", (value) => value >= 0).optional(),
});

const schema = z.object({
  metadata: metadataSchema,
  spec: z.object({
    scaleTargetRef: z.object({
      kind: word("Deployment", "ReplicaSet", "ReplicationController", "StatefulSet"),
      name: text("the name of a workload"),
    }),
    minReplicas: replicas.optional(),
    maxReplicas: replicas,
    targetCPUUtilizationPercentage: percent.optional(),
    metrics: z
      .array(
        z.object({
          type: text("the type of a metric"),
          resource: z
            .object({
              name: text("the name of a resource"),
              target: z.object({
                type: text("the type of a target"),
                averageUtilization: percent.optional(),
              }),
            })
            .optional(),
        }),
      )
      .optional(),
    behavior: z
      .object({ scaleUp: rulesSchema.optional(), scaleDown: rulesSchema.optional() })
      .optional(),
  }),
});

type Written = z.output<typeof schema>["spec"];

export function readAutoscaler({ value, mistakes, objects, ignore }: ManifestContext): boolean {
  const written = read(schema, value, mistakes);
  if (written === undefined) return false;
  const { spec, metadata } = written;
  const { minReplicas = 1, maxReplicas, scaleTargetRef } = spec;
  if (minReplicas > maxReplicas) {
    mistakes.add(["spec", "maxReplicas"], `${maxReplicas}`, `at least minReplicas, ${minReplicas}`);
  }
  for (const [index] of (spec.metrics ?? []).entries()) {
    if (utilizationOf(spec, index) !== null) continue;
    ignore(["spec", "metrics", index], "only CPU utilisation of pods is modelled");
  }
  const targetUtilization = targetOf(spec);
  if (targetUtilization === null) return true;
  objects.autoscalers.push({
    mistakes,
    object: {
      kind: "HorizontalPodAutoscaler",
      metadata: startMeta("HorizontalPodAutoscaler", metadata),
      spec: {
        scaleTargetRef,
        minReplicas,
        maxReplicas,
        targetUtilization,
        behavior: behaviorOf(spec),
      },
      status: {
        currentReplicas: 0,
        desiredReplicas: 0,
        currentUtilization: null,
        lastScaleTimeNs: null,
      },
    },
  });
  return true;
}

function utilizationOf({ metrics = [] }: Written, index: number): number | null {
  const metric = metrics[index];
  if (metric?.type !== "Resource" || metric.resource?.name !== "cpu") return null;
  return metric.resource.target.averageUtilization ?? null;
}

/** 80 % of CPU where nothing is written; null where only other metrics are. */
function targetOf(spec: Written): number | null {
  if (spec.targetCPUUtilizationPercentage !== undefined) return spec.targetCPUUtilizationPercentage;
  if (spec.metrics === undefined || spec.metrics.length === 0) return 80;
  const targets = spec.metrics.flatMap((_metric, index) => utilizationOf(spec, index) ?? []);
  // The metric that wants most decides: of one metric that is the lowest target.
  return targets.length === 0 ? null : Math.min(...targets);
}

/** GenerateHPAScaleUpRules and GenerateHPAScaleDownRules, pkg/apis/autoscaling/v2/defaults.go. */
function behaviorOf({ behavior }: Written): HorizontalPodAutoscaler["spec"]["behavior"] {
  if (behavior === undefined) return null;
  const period = seconds(15);
  const percentRule = { type: "Percent", value: 100, periodNs: period } as const;
  const podsRule = { type: "Pods", value: 4, periodNs: period } as const;
  return {
    scaleUp: rulesOf(behavior.scaleUp, 0, [podsRule, percentRule]),
    scaleDown: rulesOf(behavior.scaleDown, null, [percentRule]),
  };
}

function rulesOf(
  written: z.output<typeof rulesSchema> | undefined,
  windowNs: number | null,
  policies: ScalingRules["policies"],
): ScalingRules {
  const { stabilizationWindowSeconds, selectPolicy, tolerance } = written ?? {};
  return {
    stabilizationWindowNs:
      stabilizationWindowSeconds === undefined ? windowNs : seconds(stabilizationWindowSeconds),
    selectPolicy: selectPolicy ?? "Max",
    policies:
      written?.policies?.map(({ type, value, periodSeconds }) => ({
        type,
        value,
        periodNs: seconds(periodSeconds),
      })) ?? policies,
    tolerance: tolerance ?? null,
  };
}
