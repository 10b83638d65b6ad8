/**
 * From manifest files to the objects of the cluster.
 *
 * Owns: files, documents, lists, the table of kinds, and the listing of everything that has no effect.
 * Refuses to own: the fields of a kind (kinds.ts, service.ts).
 */
import { readFileSync } from "node:fs";
import {
  FileMistakes,
  describeValue,
  nearest,
  pathText,
  type Mistake,
  type Path,
} from "../mistakes.ts";
import { isRecord } from "../schema/reading.ts";
import { readAutoscaler } from "./autoscaler.ts";
import { readEndpoints, readEndpointSlice } from "./endpoints.ts";
import { checkFieldNames, fieldsByKind } from "./fields.ts";
import { readDeployment, readNamespace, readNode, readPod, readReplicaSet } from "./kinds.ts";
import { readConfigMap, readKubeProxyConfiguration } from "./kubeProxy.ts";
import type { ManifestContext, ManifestObjects } from "./objects.ts";
import { readPriorityClass } from "./scheduling.ts";
import { readService } from "./service.ts";
import {
  readCronJob,
  readDaemonSet,
  readJob,
  readPodDisruptionBudget,
  readReplicationController,
  readStatefulSet,
} from "./workloads.ts";
import { readYaml, type YamlDocument } from "./yaml.ts";

/** The kinds that are read: one line each. */
const readers: Readonly<
  Record<
    string,
    {
      readonly apiVersion: string;
      /** Still served, and read alike. */
      readonly olderVersions?: readonly string[];
      readonly read: (context: ManifestContext) => boolean;
    }
  >
> = {
  Deployment: { apiVersion: "apps/v1", read: readDeployment },
  ReplicaSet: { apiVersion: "apps/v1", read: readReplicaSet },
  ReplicationController: { apiVersion: "v1", read: readReplicationController },
  StatefulSet: { apiVersion: "apps/v1", read: readStatefulSet },
  DaemonSet: { apiVersion: "apps/v1", read: readDaemonSet },
  Job: { apiVersion: "batch/v1", read: readJob },
  CronJob: { apiVersion: "batch/v1", read: readCronJob },
  PodDisruptionBudget: { apiVersion: "policy/v1", read: readPodDisruptionBudget },
  HorizontalPodAutoscaler: {
    apiVersion: "autoscaling/v2",
    olderVersions: ["autoscaling/v1"],
    read: readAutoscaler,
  },
  Pod: { apiVersion: "v1", read: readPod },
  Service: { apiVersion: "v1", read: readService },
  EndpointSlice: { apiVersion: "discovery.k8s.io/v1", read: readEndpointSlice },
  Endpoints: { apiVersion: "v1", read: readEndpoints },
  Node: { apiVersion: "v1", read: readNode },
  Namespace: { apiVersion: "v1", read: readNamespace },
  PriorityClass: { apiVersion: "scheduling.k8s.io/v1", read: readPriorityClass },
  ConfigMap: { apiVersion: "v1", read: readConfigMap },
  KubeProxyConfiguration: {
    apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
    read: readKubeProxyConfiguration,
  },
};

/** Why well-known kinds have no effect. */
const REASONS: Readonly<Record<string, string>> = {
  Secret: "secrets have no effect on the simulated network",
  ServiceAccount: "access control is not simulated",
  Role: "access control is not simulated",
  RoleBinding: "access control is not simulated",
  ClusterRole: "access control is not simulated",
  ClusterRoleBinding: "access control is not simulated",
  PersistentVolume: "storage is not simulated",
  PersistentVolumeClaim: "storage is not simulated",
  StorageClass: "storage is not simulated",
  Event: "a record of the past",
};

const NOT_YET = new Set([
  "NetworkPolicy",
  "Ingress",
  "Gateway",
  "HTTPRoute",
  "LimitRange",
  "ResourceQuota",
]);

/** Kinds that hold no pods: a missing workload is none of these. */
const NO_WORKLOADS = new Set([
  "PodDisruptionBudget",
  "HorizontalPodAutoscaler",
  "Service",
  "EndpointSlice",
  "Endpoints",
  "Node",
  "PriorityClass",
  "Namespace",
  "ConfigMap",
  "KubeProxyConfiguration",
]);

const REMOVED_VERSIONS = new Set(["extensions/v1beta1", "apps/v1beta1", "apps/v1beta2"]);
const DEEPEST_LIST = 4;

const UNREADABLE: Readonly<Record<string, string>> = {
  ENOENT: "no such file",
  EISDIR: "is a folder, not a file",
  EACCES: "cannot be read: permission denied",
};

export function noObjects(): ManifestObjects {
  return {
    deployments: [],
    replicaSets: [],
    workloads: [],
    budgets: [],
    autoscalers: [],
    pods: [],
    livePods: [],
    services: [],
    endpointSlices: [],
    endpoints: [],
    nodes: [],
    priorityClasses: [],
    kubeProxy: null,
    ignored: [],
    complete: { workloads: true, services: true },
  };
}

/**
 * Reads one file into `objects`.
 * @param shown the file as the user knows it
 * @param unreadable reports a file that cannot be read, where it is named
 */
export function readManifestFile(
  path: string,
  shown: string,
  objects: ManifestObjects,
  sink: Mistake[],
  unreadable: (problem: string) => void,
): void {
  let content: Uint8Array;
  try {
    content = readFileSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reason = UNREADABLE[code ?? ""] ?? `cannot be read (${code ?? "unknown error"})`;
    unreadable(reason);
    markIncomplete(objects, "unknown");
    return;
  }
  readManifestContent(content, shown, objects, sink);
}

/** Reads what a file holds, or would. */
export function readManifestContent(
  content: Uint8Array,
  shown: string,
  objects: ManifestObjects,
  sink: Mistake[],
): void {
  const before = sink.length;
  const documents = readYaml(shown, content, sink);
  if (sink.length > before) markIncomplete(objects, "unknown");
  readManifestObjects(documents, objects);
}

/** Reads what is data already. */
export function readManifestObjects(
  documents: readonly YamlDocument[],
  objects: ManifestObjects,
): void {
  for (const { value, mistakes } of documents) readObject(value, mistakes, objects, 0);
}

function markIncomplete(objects: ManifestObjects, kind: string): void {
  if (!NO_WORKLOADS.has(kind)) objects.complete.workloads = false;
  if (kind === "Service" || kind === "unknown") objects.complete.services = false;
}

function readObject(
  value: unknown,
  mistakes: FileMistakes,
  objects: ManifestObjects,
  depth: number,
): void {
  if (!isRecord(value)) {
    mistakes.add([], describeValue(value), "a Kubernetes object with apiVersion and kind");
    markIncomplete(objects, "unknown");
    return;
  }
  const { apiVersion, kind } = value;
  if (typeof kind !== "string" || typeof apiVersion !== "string") {
    markIncomplete(objects, "unknown");
    if (typeof kind !== "string")
      missing("kind", kind, "the kind of a Kubernetes object", mistakes);
    if (typeof apiVersion !== "string")
      missing("apiVersion", apiVersion, "such as v1 or apps/v1", mistakes);
    return;
  }
  if (kind.endsWith("List") && Array.isArray(value["items"]) && depth < DEEPEST_LIST) {
    for (const [index, item] of value["items"].entries()) {
      readObject(item, mistakes.within(["items", index]), objects, depth + 1);
    }
    return;
  }
  readKind(value, apiVersion, kind, mistakes, objects);
}

function readKind(
  value: Record<string, unknown>,
  apiVersion: string,
  kind: string,
  mistakes: FileMistakes,
  objects: ManifestObjects,
): void {
  const title = titleOf(kind, value);
  const ignore = (path: Path, reason: string) =>
    objects.ignored.push({ object: title, place: mistakes.place(path), reason });
  const reader = Object.hasOwn(readers, kind) ? readers[kind] : undefined;
  if (reader === undefined) {
    const meant = nearest(kind, Object.keys(readers));
    if (meant !== null && readers[meant]?.apiVersion === apiVersion) {
      mistakes.add(["kind"], `unknown kind ${describeValue(kind)}`, null, meant);
      markIncomplete(objects, meant);
    } else ignore([], reasonFor(kind));
  } else if (REMOVED_VERSIONS.has(apiVersion)) {
    mistakes.add(["apiVersion"], `"${apiVersion}" is no longer served`, reader.apiVersion);
    markIncomplete(objects, kind);
  } else if (apiVersion !== reader.apiVersion && !reader.olderVersions?.includes(apiVersion)) {
    ignore(["apiVersion"], `a ${kind} of ${apiVersion} is not modelled`);
  } else {
    const tree = fieldsByKind[kind] ?? {};
    checkFieldNames(value, tree, mistakes, (path) =>
      ignore(path, `unknown field ${pathText(path)}`),
    );
    const isRead = reader.read({ value, mistakes, objects, title, ignore });
    if (!isRead) markIncomplete(objects, kind);
  }
}

function missing(field: string, value: unknown, allowed: string, mistakes: FileMistakes): void {
  mistakes.add([field], value === undefined ? "missing" : describeValue(value), allowed);
}

function reasonFor(kind: string): string {
  if (NOT_YET.has(kind)) return `${kind} is not modelled yet`;
  return Object.hasOwn(REASONS, kind)
    ? String(REASONS[kind])
    : "a kind the simulator has no use for";
}

function titleOf(kind: string, value: Record<string, unknown>): string {
  const metadata = isRecord(value["metadata"]) ? value["metadata"] : {};
  const { name, namespace } = metadata;
  const shown = typeof name === "string" ? name : "(no name)";
  return `${kind} ${typeof namespace === "string" ? `${namespace}/` : ""}${shown}`;
}
