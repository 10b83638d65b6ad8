/**
 * Objects of older API versions, as the current ones.
 *
 * Owns: which versions a kind has had, and what each meant where it was silent. Source: the Deprecated API
 * Migration Guide (kubernetes.io/docs/reference/using-api/deprecation-guide) and pkg/apis/*\/v1beta1/defaults.go.
 */
import { isRecord } from "../schema/reading.ts";
import { listAt, recordAt, textAt, type RawValue } from "./json.ts";

interface Versions {
  readonly current: string;
  readonly older: readonly string[];
  /** Makes an object of an older version one of the current. @returns what has to be said of it */
  readonly modernise?: (value: RawValue, from: string) => readonly string[];
}

const kinds: Readonly<Record<string, Versions>> = {
  Deployment: {
    current: "apps/v1",
    older: ["extensions/v1beta1", "apps/v1beta1", "apps/v1beta2"],
    modernise: (value, from) => {
      const spec = specOf(value);
      selectTemplate(value);
      delete spec["rollbackTo"];
      if (from === "apps/v1beta2") return [];
      spec["revisionHistoryLimit"] ??= from === "apps/v1beta1" ? 2 : 1000;
      if (from === "apps/v1beta1") return [];
      const strategy = (spec["strategy"] ??= {}) as RawValue;
      if ((strategy["type"] ?? "RollingUpdate") === "RollingUpdate" && isRecord(strategy)) {
        strategy["rollingUpdate"] = {
          maxSurge: 1,
          maxUnavailable: 1,
          ...recordAt(strategy, "rollingUpdate"),
        };
      }
      return [];
    },
  },
  ReplicaSet: {
    current: "apps/v1",
    older: ["extensions/v1beta1", "apps/v1beta2"],
    modernise: (value) => (selectTemplate(value), []),
  },
  DaemonSet: {
    current: "apps/v1",
    older: ["extensions/v1beta1", "apps/v1beta2"],
    modernise: (value, from) => {
      selectTemplate(value);
      const spec = specOf(value);
      delete spec["templateGeneration"];
      if (from === "extensions/v1beta1") spec["updateStrategy"] ??= { type: "OnDelete" };
      return [];
    },
  },
  StatefulSet: {
    current: "apps/v1",
    older: ["apps/v1beta1", "apps/v1beta2"],
    modernise: (value, from) => {
      selectTemplate(value);
      if (from === "apps/v1beta1") specOf(value)["updateStrategy"] ??= { type: "OnDelete" };
      return [];
    },
  },
  Job: { current: "batch/v1", older: ["extensions/v1beta1", "batch/v2alpha1"] },
  CronJob: { current: "batch/v1", older: ["batch/v1beta1", "batch/v2alpha1"] },
  PodDisruptionBudget: {
    current: "policy/v1",
    older: ["policy/v1beta1", "policy/v1alpha1"],
    modernise: (value) => {
      const selector = recordAt(value, "spec", "selector");
      const isEmpty = selector === null || Object.values(selector).every(isEmptyPart);
      return isEmpty ? ["in policy/v1beta1 an empty selector selects no pod"] : [];
    },
  },
  HorizontalPodAutoscaler: {
    current: "autoscaling/v2",
    older: ["autoscaling/v2beta1", "autoscaling/v2beta2", "autoscaling/v1", "extensions/v1beta1"],
    modernise: (value, from) => {
      if (from === "autoscaling/v2beta1") for (const metric of metricsOf(value)) newTarget(metric);
      return [];
    },
  },
  EndpointSlice: {
    current: "discovery.k8s.io/v1",
    older: ["discovery.k8s.io/v1beta1", "discovery.k8s.io/v1alpha1"],
    modernise: (value) => {
      for (const endpoint of listAt(value, "endpoints").filter(isRecord)) {
        const topology = recordAt(endpoint, "topology");
        delete endpoint["topology"];
        const node = textAt(topology, "kubernetes.io/hostname");
        const zone = textAt(topology, "topology.kubernetes.io/zone");
        if (node !== null) endpoint["nodeName"] ??= node;
        if (zone !== null) endpoint["zone"] ??= zone;
      }
      if (value["addressType"] === "IP") value["addressType"] = "IPv4";
      return [];
    },
  },
  PriorityClass: {
    current: "scheduling.k8s.io/v1",
    older: ["scheduling.k8s.io/v1beta1", "scheduling.k8s.io/v1alpha1"],
  },
  Ingress: {
    current: "networking.k8s.io/v1",
    older: ["extensions/v1beta1", "networking.k8s.io/v1beta1"],
  },
  NetworkPolicy: { current: "networking.k8s.io/v1", older: ["extensions/v1beta1"] },
  KubeProxyConfiguration: {
    current: "kubeproxy.config.k8s.io/v1alpha1",
    older: ["componentconfig/v1alpha1"],
  },
};

/** Kinds of the group "" have had one version only. */
const CORE = new Set([
  "Pod",
  "Service",
  "Endpoints",
  "Node",
  "Namespace",
  "ReplicationController",
  "ConfigMap",
  "Secret",
]);

/**
 * Whether a kind of this version is understood: what its current version is, and what has to be said;
 * null for kinds, or groups, that are not. Changes `value`.
 */
export function modernise(
  apiVersion: string,
  kind: string,
  value: RawValue,
): { readonly apiVersion: string; readonly notes: readonly string[] } | null {
  if (CORE.has(kind)) return apiVersion === "v1" ? { apiVersion, notes: [] } : null;
  const known = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
  if (known === undefined) return null;
  if (apiVersion === known.current) return { apiVersion, notes: [] };
  if (!known.older.includes(apiVersion)) return null;
  const notes = known.modernise?.(value, apiVersion) ?? [];
  return { apiVersion: known.current, notes };
}

function specOf(value: RawValue): RawValue {
  const spec = recordAt(value, "spec");
  if (spec !== null) return spec;
  value["spec"] = {};
  return value["spec"] as RawValue;
}

/** Before apps/v1 the selector was that of the template's labels where it was not written. */
function selectTemplate(value: RawValue): void {
  const spec = specOf(value);
  const matchLabels = recordAt(spec, "template", "metadata", "labels");
  if (spec["selector"] === undefined && matchLabels !== null) {
    spec["selector"] = { matchLabels: { ...matchLabels } };
  }
}

function isEmptyPart(part: unknown): boolean {
  if (Array.isArray(part)) return part.length === 0;
  return isRecord(part) && Object.keys(part).length === 0;
}

function metricsOf(value: RawValue): RawValue[] {
  return listAt(value, "spec", "metrics").filter(isRecord);
}

/** autoscaling/v2beta1 wrote the target of a resource beside its name. */
function newTarget(metric: RawValue): void {
  const resource = recordAt(metric, "resource");
  if (resource === null) return;
  const { targetAverageUtilization, targetAverageValue, ...rest } = resource;
  const target =
    targetAverageUtilization === undefined
      ? { type: "AverageValue", averageValue: targetAverageValue }
      : { type: "Utilization", averageUtilization: targetAverageUtilization };
  metric["resource"] = { ...rest, target };
}
