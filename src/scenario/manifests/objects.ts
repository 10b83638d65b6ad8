/**
 * What reading manifests gives: objects of the model, each with its place.
 *
 * Owns: the shapes that pass from reading to resolving, and the metadata and labels that all kinds
 * share. Refuses to own: any single kind.
 */
import { z } from "zod";
import type { Taint } from "../../kubernetes/api/taints.ts";
import type {
  Deployment,
  Endpoints,
  EndpointSlice,
  HorizontalPodAutoscaler,
  IpFamily,
  Labels,
  ObjectMeta,
  Pod,
  PodDisruptionBudget,
  ReplicaSet,
  Service,
  Workload,
} from "../../kubernetes/api/types.ts";
import type { OtherWorkload } from "../../kubernetes/controllers/rested.ts";
import type { LivePod } from "../../kubernetes/controllers/livePods.ts";
import type { FileMistakes, Path } from "../mistakes.ts";
import type { Profile } from "../profile.ts";
import { isRecord, scalar, text } from "../schema/reading.ts";

/** An object and where to report what is wrong with it. */
export interface Placed<T> {
  readonly object: T;
  readonly mistakes: FileMistakes;
}

/** What a Service asks of the API server, beside what it says of itself. */
export interface ServiceWishes {
  readonly ipFamilyPolicy: "SingleStack" | "PreferDualStack" | "RequireDualStack" | null;
  readonly ipFamilies: readonly IpFamily[];
  /** As many as were written, in order; "None" alone for a headless Service. */
  readonly clusterIPs: readonly string[];
  readonly allocatesNodePorts: boolean;
  /** Address for its load balancer, or null. */
  readonly loadBalancerIP: string | null;
}

/** A Service as written: null ports are still to be allocated, and so is what it wishes for. */
export type ServiceDraft = Service & { readonly wishes: ServiceWishes };

/** A Node as written; null is for resolve to choose. */
export interface NodeDraft {
  readonly metadata: ObjectMeta;
  readonly podCIDR: string | null;
  readonly internalIP: string | null;
  readonly unschedulable: boolean;
  readonly taints?: readonly Taint[];
  readonly cpuMillis: number | null;
  readonly memoryBytes: number | null;
  readonly maxPods: number | null;
}

export interface Ignored {
  readonly object: string;
  readonly place: string;
  readonly reason: string;
}

/** A PriorityClass as written. */
export interface PriorityClassDraft {
  readonly name: string;
  readonly value: number;
  readonly isDefault: boolean;
  readonly preemptionPolicy: "PreemptLowerPriority" | "Never";
}

export interface ManifestObjects {
  readonly deployments: Placed<Deployment>[];
  readonly replicaSets: Placed<ReplicaSet>[];
  readonly workloads: Placed<OtherWorkload>[];
  readonly budgets: Placed<PodDisruptionBudget>[];
  readonly autoscalers: Placed<HorizontalPodAutoscaler>[];
  readonly pods: Placed<Pod>[];
  /** Of a live cluster: pods that another object made, and where they are. */
  readonly livePods: Placed<LivePod>[];
  readonly services: Placed<ServiceDraft>[];
  readonly endpointSlices: Placed<EndpointSlice>[];
  readonly endpoints: Placed<Endpoints>[];
  readonly nodes: Placed<NodeDraft>[];
  readonly priorityClasses: Placed<PriorityClassDraft>[];
  /** What kube-proxy's own configuration makes of the profile; null without one. */
  kubeProxy: ((profile: Profile) => Profile) | null;
  readonly ignored: Ignored[];
  /** False once an object of the sort could not be read: then a missing name may be that one's. */
  readonly complete: { workloads: boolean; services: boolean };
}

/** Everything that makes pods from a template. */
export function ownersOf({
  deployments,
  replicaSets,
  workloads,
}: Pick<ManifestObjects, "deployments" | "replicaSets" | "workloads">): Placed<Workload>[] {
  return [...deployments, ...replicaSets, ...workloads];
}

/** What the reader of one kind gets; it returns false when the object could not be read. */
export interface ManifestContext {
  readonly value: Record<string, unknown>;
  readonly mistakes: FileMistakes;
  readonly objects: ManifestObjects;
  /** "Deployment default/nginx". */
  readonly title: string;
  /** Lists something that is valid and has no effect here. */
  readonly ignore: (path: Path, reason: string) => void;
}

const NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const LABEL_NAME = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;

/** A name of most objects: an RFC 1123 subdomain. */
export const objectName = text(
  "a name of lower-case letters, digits, '-' and '.', at most 253 characters",
  NAME,
  253,
);

/** A name of Services, namespaces, ports and containers: an RFC 1123 label. */
export const labelName = text(
  "a name of lower-case letters, digits and '-', at most 63 characters",
  /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/,
  63,
);

/** Kubernetes: apimachinery validation IsQualifiedName. */
export function isLabelKey(key: string): boolean {
  const slash = key.indexOf("/");
  const prefix = slash < 0 ? null : key.slice(0, slash);
  const name = key.slice(slash + 1);
  const isPrefixValid = prefix === null || (prefix.length <= 253 && NAME.test(prefix));
  return isPrefixValid && name.length <= 63 && LABEL_NAME.test(name);
}

/** Kubernetes: apimachinery validation IsValidLabelValue. */
export function isLabelValue(value: string): boolean {
  return value === "" || (value.length <= 63 && LABEL_NAME.test(value));
}

const labelValue: z.ZodType<string> = scalar(
  "text of at most 63 letters, digits, '-', '_' and '.', that begins and ends with a letter or digit",
  (input) => (typeof input === "string" && isLabelValue(input) ? { value: input } : null),
  (input) => (typeof input === "number" || typeof input === "boolean" ? `"${input}"` : null),
);

const labelKey = z.string().refine(isLabelKey, {
  params: {
    found: "not a label key",
    allowed: "[prefix/]name with a name of at most 63 characters",
  },
});

export const labels: z.ZodType<Labels> = z.record(labelKey, labelValue);

const annotations: z.ZodType<Labels> = z.record(
  z.string(),
  scalar("text", (input) => (typeof input === "string" ? { value: input } : null)),
);

export const metadataSchema = z.object({
  name: objectName,
  namespace: labelName.optional(),
  labels: labels.optional(),
  annotations: annotations.optional(),
});

/** Metadata of an object that the cluster holds before the run begins. */
export function startMeta(
  kind: string,
  written: z.output<typeof metadataSchema>,
  defaultNamespace = "default",
): ObjectMeta {
  const namespace = written.namespace ?? defaultNamespace;
  return {
    namespace,
    name: written.name,
    uid: `${kind.toLowerCase()}/${namespace}/${written.name}`,
    labels: written.labels ?? {},
    annotations: written.annotations ?? {},
    resourceVersion: 0,
    creationTimestampNs: 0,
    deletionTimestampNs: null,
    deletionGracePeriodNs: null,
    ownerUid: null,
  };
}

/** "ReplicaSet web-5d8" when another object made this one, else null. */
export function ownerOf(value: Record<string, unknown>): string | null {
  const metadata = value["metadata"];
  const owners: unknown = isRecord(metadata) ? metadata["ownerReferences"] : undefined;
  const first: unknown = Array.isArray(owners) ? owners[0] : undefined;
  return isRecord(first) ? `${String(first["kind"])} ${String(first["name"])}` : null;
}
