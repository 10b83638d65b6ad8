/**
 * The kinds of object that the simulator reads, one reader each.
 *
 * Owns: Deployment, ReplicaSet, Pod, Node and Namespace with the defaults of Kubernetes; Service stands
 * in service.ts. Refuses to own: what several objects must agree on (resolve.ts, services.ts).
 */
import { z } from "zod";
import { seconds } from "../../engine/index.ts";
import {
  matchesSelector,
  type LabelSelector,
  type PodSpec,
  type PodTemplate,
} from "../../kubernetes/api/types.ts";
import { noDeploymentStatus } from "../../kubernetes/controllers/rollout.ts";
import {
  isRecord,
  boolean,
  bytes,
  cpuMillis,
  integer,
  read,
  scalar,
  text,
  word,
} from "../schema/reading.ts";
import { metadataSchema, ownerOf, startMeta, type ManifestContext } from "./objects.ts";
import { ipAddress } from "./addresses.ts";
import { buildTaints, taintSchema } from "./scheduling.ts";
import { selectorSchema } from "./selector.ts";
import { buildPodSpec, noticePodSpec, podSpecSchema, templateSchema, wholeSeconds } from "./pod.ts";

/** The greatest number of pods of one workload: more than the largest clusters run. */
const MOST_REPLICAS = 150_000;
export const replicas = integer("a number of pods", 0, MOST_REPLICAS);

export const intOrPercent: z.ZodType<number | string> = scalar(
  'a whole number from 0 or a percentage such as "25%"',
  (input) => {
    const isCount = typeof input === "number" && Number.isInteger(input) && input >= 0;
    const isPercentage = typeof input === "string" && /^\d{1,3}%$/.test(input);
    return isCount || isPercentage ? { value: input as number | string } : null;
  },
);

const deploymentSchema = z.object({
  metadata: metadataSchema,
  spec: z.object({
    replicas: replicas.optional(),
    selector: selectorSchema,
    template: templateSchema,
    minReadySeconds: wholeSeconds.optional(),
    progressDeadlineSeconds: wholeSeconds.optional(),
    revisionHistoryLimit: integer("a number of revisions", 0, 2 ** 31 - 1).optional(),
    paused: boolean.optional(),
    strategy: z
      .object({
        type: word("RollingUpdate", "Recreate").optional(),
        rollingUpdate: z
          .object({ maxSurge: intOrPercent.optional(), maxUnavailable: intOrPercent.optional() })
          .optional(),
      })
      .optional(),
  }),
});

const replicaSetSchema = z.object({
  metadata: metadataSchema,
  spec: z.object({
    replicas: replicas.optional(),
    selector: selectorSchema,
    template: templateSchema,
    minReadySeconds: wholeSeconds.optional(),
  }),
});

const podSchema = z.object({ metadata: metadataSchema, spec: podSpecSchema });

const nodeSchema = z.object({
  metadata: metadataSchema,
  spec: z
    .object({
      podCIDR: text("a CIDR").optional(),
      unschedulable: boolean.optional(),
      taints: z.array(taintSchema).optional(),
    })
    .optional(),
  status: z
    .object({
      addresses: z.array(z.object({ type: text("text"), address: text("text") })).optional(),
      allocatable: capacity().optional(),
      capacity: capacity().optional(),
    })
    .optional(),
});

function capacity() {
  const podCount = scalar("a number of pods", (input) => {
    const value = Number(input);
    return Number.isInteger(value) && value >= 0 && value <= 10_000 ? { value } : null;
  });
  return z.object({
    cpu: cpuMillis.optional(),
    memory: bytes.optional(),
    pods: podCount.optional(),
  });
}

export function readDeployment({ value, mistakes, objects, ignore }: ManifestContext): boolean {
  noticePodSpec(templateSpec(value), ["spec", "template", "spec"], ignore);
  const written = read(deploymentSchema, value, mistakes);
  if (written === undefined) return false;
  const { spec } = written;
  const template = buildTemplate(spec.selector, spec.template, mistakes);
  const strategy = spec.strategy?.type ?? "RollingUpdate";
  checkStrategy(spec, mistakes.within(["spec"]));
  objects.deployments.push({
    mistakes,
    object: {
      kind: "Deployment",
      metadata: startMeta("Deployment", written.metadata),
      spec: {
        // Defaults: Kubernetes pkg/apis/apps/v1/defaults.go, SetDefaults_Deployment.
        replicas: spec.replicas ?? 1,
        selector: spec.selector,
        template,
        maxSurge: spec.strategy?.rollingUpdate?.maxSurge ?? "25%",
        maxUnavailable: spec.strategy?.rollingUpdate?.maxUnavailable ?? "25%",
        strategy,
        minReadyNs: seconds(spec.minReadySeconds ?? 0),
        progressDeadlineNs: seconds(spec.progressDeadlineSeconds ?? 600),
        revisionHistoryLimit: spec.revisionHistoryLimit ?? 10,
        paused: spec.paused ?? false,
      },
      status: noDeploymentStatus,
    },
  });
  return true;
}

export function isZero(value: number | string | undefined): boolean {
  return value !== undefined && Number.parseInt(String(value), 10) === 0;
}

/** ValidateDeploymentSpec and ValidateRollingUpdateDeployment (pkg/apis/apps/validation). */
function checkStrategy(
  spec: z.output<typeof deploymentSchema>["spec"],
  mistakes: ManifestContext["mistakes"],
): void {
  const { type, rollingUpdate } = spec.strategy ?? {};
  const within = mistakes.within(["strategy"]);
  if (type === "Recreate" && rollingUpdate !== undefined) {
    within.add(["rollingUpdate"], "with type Recreate", 'type "RollingUpdate", or none of it');
  }
  if (isZero(rollingUpdate?.maxSurge) && isZero(rollingUpdate?.maxUnavailable)) {
    within.add(
      ["rollingUpdate", "maxUnavailable"],
      "0 while maxSurge is 0 too",
      "one of them above 0",
    );
  }
  const most = Number.parseInt(String(rollingUpdate?.maxUnavailable ?? 0), 10);
  if (typeof rollingUpdate?.maxUnavailable === "string" && most > 100) {
    within.add(["rollingUpdate", "maxUnavailable"], `"${most}%"`, "at most 100%");
  }
  const { progressDeadlineSeconds: deadline = 600, minReadySeconds = 0 } = spec;
  if (deadline <= minReadySeconds) {
    mistakes.add(
      ["progressDeadlineSeconds"],
      `${deadline}`,
      `more than minReadySeconds, ${minReadySeconds}`,
    );
  }
}

export function readReplicaSet(context: ManifestContext): boolean {
  const { value, mistakes, objects, ignore } = context;
  if (isOwned(context)) return true;
  noticePodSpec(templateSpec(value), ["spec", "template", "spec"], ignore);
  const written = read(replicaSetSchema, value, mistakes);
  if (written === undefined) return false;
  const { spec } = written;
  objects.replicaSets.push({
    mistakes,
    object: {
      kind: "ReplicaSet",
      metadata: startMeta("ReplicaSet", written.metadata),
      spec: {
        replicas: spec.replicas ?? 1,
        selector: spec.selector,
        template: buildTemplate(spec.selector, spec.template, mistakes),
        minReadyNs: seconds(spec.minReadySeconds ?? 0),
      },
      status: { replicas: 0, readyReplicas: 0, availableReplicas: 0 },
    },
  });
  return true;
}

export function readPod(context: ManifestContext): boolean {
  const { value, mistakes, objects, ignore } = context;
  const owner = ownerOf(value);
  if (owner !== null) return readLivePod(context, owner);
  noticePodSpec(value["spec"], ["spec"], ignore);
  const written = read(podSchema, value, mistakes);
  if (written === undefined) return false;
  objects.pods.push({
    mistakes,
    object: {
      kind: "Pod",
      metadata: startMeta("Pod", written.metadata),
      spec: buildPodSpec(written.spec, mistakes.within(["spec"])),
      status: {
        phase: "Pending",
        podIPs: [],
        ready: { status: false, lastTransitionTimeNs: 0 },
        restartCount: 0,
        observedCauseNs: 0,
      },
    },
  });
  return true;
}

const livePodSchema = z.object({
  metadata: metadataSchema,
  spec: z.object({ nodeName: text("the name of a node") }).optional(),
  status: z
    .object({ phase: text("a phase").optional(), podIP: ipAddress.schema.optional() })
    .optional(),
});

/** Owners whose pods a cluster at rest has. */
const RESTED_OWNERS = /^(ReplicaSet|ReplicationController|StatefulSet|DaemonSet) /;

/** Its owner makes its own; where one that runs is, says where the owner's is. */
function readLivePod(context: ManifestContext, owner: string): boolean {
  const { value, mistakes, objects } = context;
  const phase = isRecord(value["status"]) ? (value["status"]["phase"] ?? "Running") : "Running";
  const isPlaced = isRecord(value["spec"]) && value["spec"]["nodeName"] !== undefined;
  if (!RESTED_OWNERS.test(owner) || phase !== "Running" || !isPlaced) return isOwned(context);
  const written = read(livePodSchema, value, mistakes);
  if (written === undefined) return false;
  const { metadata, spec, status } = written;
  objects.livePods.push({
    mistakes,
    object: {
      namespace: metadata.namespace ?? "default",
      name: metadata.name,
      labels: metadata.labels ?? {},
      nodeName: spec?.nodeName ?? "",
      address: status?.podIP ?? null,
    },
  });
  return true;
}

export function readNode({ value, mistakes, objects }: ManifestContext): boolean {
  const written = read(nodeSchema, value, mistakes);
  if (written === undefined) return false;
  const { spec, status } = written;
  const address = status?.addresses?.find(({ type }) => type === "InternalIP")?.address;
  objects.nodes.push({
    mistakes,
    object: {
      metadata: { ...startMeta("Node", { ...written.metadata, namespace: undefined }, "") },
      podCIDR: spec?.podCIDR ?? null,
      internalIP: address ?? null,
      unschedulable: spec?.unschedulable ?? false,
      ...(spec?.taints === undefined ? {} : { taints: buildTaints(spec.taints) }),
      cpuMillis: status?.allocatable?.cpu ?? status?.capacity?.cpu ?? null,
      memoryBytes: status?.allocatable?.memory ?? status?.capacity?.memory ?? null,
      maxPods: status?.allocatable?.pods ?? status?.capacity?.pods ?? null,
    },
  });
  return true;
}

/** Objects name their namespace themselves, so a Namespace has only its name to get wrong. */
export function readNamespace({ value, mistakes }: ManifestContext): boolean {
  return read(z.object({ metadata: metadataSchema }), value, mistakes) !== undefined;
}

/** @param policies the restart policies that the kind allows, the one by default first */
export function buildTemplate(
  selector: LabelSelector,
  written: z.output<typeof templateSchema>,
  mistakes: ManifestContext["mistakes"],
  policies: readonly PodSpec["restartPolicy"][] = ["Always"],
): PodTemplate {
  const template = mistakes.within(["spec", "template"]);
  const own = written.metadata?.labels ?? {};
  const isEmpty =
    Object.keys(selector.matchLabels).length === 0 && selector.matchExpressions.length === 0;
  if (isEmpty) mistakes.add(["spec", "selector"], "empty", "labels of the template");
  else if (!matchesSelector(selector, own)) {
    mistakes.add(["spec", "selector"], "does not match the labels of the template");
  }
  const policy = written.spec.restartPolicy ?? "Always";
  if (!policies.includes(policy)) {
    const allowed = policies.map((each) => `"${each}"`).join(" or ");
    template.add(["spec", "restartPolicy"], `"${policy}"`, allowed);
  }
  return {
    labels: own,
    annotations: written.metadata?.annotations ?? {},
    spec: buildPodSpec(written.spec, template.within(["spec"])),
  };
}

/** Whether another object made this one: a dump of a live cluster holds both. */
export function isOwned({ value, ignore }: ManifestContext): boolean {
  const owner = ownerOf(value);
  if (owner !== null) ignore([], `belongs to ${owner}, which makes its own`);
  return owner !== null;
}

export function templateSpec(value: Record<string, unknown>): unknown {
  const spec = value["spec"];
  const template = isRecord(spec) ? spec["template"] : undefined;
  return isRecord(template) ? template["spec"] : undefined;
}
