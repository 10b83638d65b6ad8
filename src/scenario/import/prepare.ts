/**
 * What an import does with each object before anybody judges it.
 *
 * Owns: old versions, kinds that have no effect, what a live cluster holds twice (pods beside the
 * Deployment that makes them), and what the simulated cluster has of its own. Refuses to own: mistakes in
 * an object (repair.ts).
 */
import { isRecord } from "../schema/reading.ts";
import { listAt, recordAt, textAt, valueAt, type RawValue } from "./json.ts";
import { isWorkload, ownerOf, type Subject } from "./subject.ts";
import { modernise } from "./versions.ts";

/** Why well-known kinds have no effect. */
const REASONS: Readonly<Record<string, string>> = {
  Ingress: "no ingress controller is modelled: clients call the Service that it leads to",
  IngressClass: "no ingress controller is modelled",
  Gateway: "no gateway is modelled: clients call the Services behind it",
  HTTPRoute: "no gateway is modelled: clients call the Services behind it",
  VirtualService: "no service mesh is modelled",
  DestinationRule: "no service mesh is modelled",
  ServiceEntry: "no service mesh is modelled",
  Sidecar: "no service mesh is modelled",
  PeerAuthentication: "no service mesh is modelled",
  AuthorizationPolicy: "no service mesh is modelled",
  Secret: "known by name; what it holds was not looked at",
  ConfigMap: "known by name, and for what containers take from it as environment",
  LimitRange: "admission is not modelled",
  ResourceQuota: "admission is not modelled",
  CustomResourceDefinition: "controllers of others are not modelled",
  Kustomization: "no object of the cluster: kustomize build DIR | sim import -f -",
  Config: "no object of the cluster",
};

const STORAGE = /^(PersistentVolume(Claim)?|StorageClass|CSI\w+|Volume\w+)$/;
const ACCESS = /^(ServiceAccount|Role|RoleBinding|ClusterRole|ClusterRoleBinding)$/;
const ADMISSION = /(WebhookConfiguration|AdmissionPolicy(Binding)?|PodSecurityPolicy)$/;

/** Changes the subjects, and drops those that do not go into the scenario. */
export function prepare(subjects: readonly Subject[]): void {
  const nodes = new Set(subjects.filter(({ kind }) => kind === "Node").map(({ name }) => name));
  for (const subject of subjects) {
    const modern = modernise(subject.raw.apiVersion, subject.kind, subject.value);
    if (modern === null) {
      subject.drop(reasonFor(subject));
      continue;
    }
    const { apiVersion, notes } = modern;
    subject.apiVersion = apiVersion;
    subject.value["apiVersion"] = apiVersion;
    if (notes.length > 0) subject.drop(notes.join("; "));
    else prepareOne(subject, nodes);
  }
  keepLast(subjects);
}

function reasonFor({ kind, raw: { apiVersion } }: Subject): string {
  if (Object.hasOwn(REASONS, kind)) return REASONS[kind]!;
  if (STORAGE.test(kind)) return "storage is not simulated";
  if (ACCESS.test(kind)) return "access control is not simulated";
  if (ADMISSION.test(kind)) return "admission is not modelled";
  if (kind === "Event") return "a record of the past";
  const [group = ""] = apiVersion.split("/");
  // Groups of Kubernetes' own have no dot, or end like this.
  return group.includes(".") && !/(^|\.)k8s\.io$/.test(group)
    ? `a custom resource (${apiVersion}): whatever its controller makes of it is not here; kubectl get, where it runs, has it`
    : `a kind the simulator has no use for (${apiVersion})`;
}

function prepareOne(subject: Subject, nodes: ReadonlySet<string>): void {
  nameGenerated(subject);
  const { kind, value } = subject;
  const owner = ownerOf(value);
  if (kind === "Ingress" || kind === "Secret") {
    subject.drop(REASONS[kind]!);
  } else if (kind === "ConfigMap") prepareConfigMap(subject);
  else if (kind === "EndpointSlice" && isMade(value)) {
    subject.dropCounted("slices that a controller made: the simulated one makes its own");
  } else if (kind === "Pod" && owner !== null && isPlaced(value, owner, nodes)) {
    prepareLivePod(subject);
  } else if (owner !== null && kind !== "EndpointSlice") {
    subject.dropCounted(`that another object made (${owner}), and which are made anew`);
  } else if (kind === "Pod") preparePod(subject);
  else if (kind === "Endpoints") prepareEndpoints(subject);
  else if (kind === "Node") prepareNode(subject);
  else if (isApiServers(subject)) {
    subject.dropCounted("of the API server itself: the simulated cluster has its own");
  } else if (kind === "DaemonSet" && subject.key === "kube-system/kube-proxy") {
    subject.drop("every simulated node has a kube-proxy");
  } else {
    selectTemplate(subject);
    noticeHostNetwork(subject);
  }
}

/** Pods of a template have an address of their own here. */
function noticeHostNetwork(subject: Subject): void {
  const spec = subject.podSpec();
  if (spec?.["hostNetwork"] !== true) return;
  delete spec["hostNetwork"];
  for (const container of listAt(spec, "containers").filter(isRecord)) {
    for (const port of listAt(container, "ports").filter(isRecord)) delete port["hostPort"];
  }
  subject.change("hostNetwork is not modelled: its pods get addresses of their own");
}

/** What needs no name is given one by the API server. */
function nameGenerated({ value }: Subject): void {
  const metadata = recordAt(value, "metadata");
  if (metadata === null || metadata["name"] !== undefined) return;
  const prefix = textAt(metadata, "generateName");
  if (prefix !== null) metadata["name"] = `${prefix}0`;
}

/** kubectl would refuse such a workload; what is meant is plain. */
function selectTemplate(subject: Subject): void {
  const { kind, value } = subject;
  if (!["Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"].includes(kind)) return;
  const spec = subject.spec();
  const labels = recordAt(value, "spec", "template", "metadata", "labels");
  if (spec["selector"] !== undefined || labels === null) return;
  spec["selector"] = { matchLabels: { ...labels } };
  subject.change("missing: taken from the template's labels", ["spec", "selector"]);
}

function prepareConfigMap(subject: Subject): void {
  const text = textAt(subject.value, "data", "config.conf");
  if (subject.key !== "kube-system/kube-proxy" || text === null) {
    subject.dropCounted(REASONS["ConfigMap"]!);
    return;
  }
  subject.value["data"] = { "config.conf": text };
}

function preparePod(subject: Subject): void {
  const phase = textAt(subject.value, "status", "phase");
  if (phase === "Succeeded" || phase === "Failed") subject.drop(`it has ended (${phase})`);
  else noticeHostNetwork(subject);
}

const RESTED = new Set(["ReplicaSet", "ReplicationController", "StatefulSet", "DaemonSet"]);

/** A pod that runs on a node that was read, and whose owner has it at rest. */
function isPlaced(value: RawValue, owner: string, nodes: ReadonlySet<string>): boolean {
  const phase = textAt(value, "status", "phase") ?? "Running";
  const node = textAt(value, "spec", "nodeName");
  return RESTED.has(owner) && phase === "Running" && node !== null && nodes.has(node);
}

/** What it is made of, its owner says: it only says where. */
function prepareLivePod(subject: Subject): void {
  const { value } = subject;
  const conditions = listAt(value, "status", "conditions").filter(isRecord);
  const ready = conditions.find((each) => each["type"] === "Ready");
  if (ready !== undefined && ready["status"] !== "True") {
    const reason = textAt(ready, "reason") ?? String(ready["status"]);
    subject.change(`it was not ready (${reason}); in the scenario it is`);
  }
  value["spec"] = { nodeName: textAt(value, "spec", "nodeName") };
  value["status"] = { podIP: textAt(value, "status", "podIP") ?? undefined };
}

/** Since v1.33 nothing but a user makes them; before, a controller made one for every Service. */
function prepareEndpoints(subject: Subject): void {
  const made = recordAt(subject.value, "metadata", "annotations");
  const isKept = made?.["endpoints.kubernetes.io/last-change-trigger-time"] === undefined;
  if (isApiServers(subject) || !isKept) {
    subject.dropCounted("Endpoints that a controller made: the simulated one makes slices");
  }
}

function prepareNode(subject: Subject): void {
  const conditions = listAt(subject.value, "status", "conditions").filter(isRecord);
  const ready = conditions.find((each) => each["type"] === "Ready");
  if (ready !== undefined && ready["status"] !== "True") {
    const reason = textAt(ready, "reason") ?? String(ready["status"]);
    subject.change(`it was not ready (${reason}); in the scenario it is`);
  }
  // The node lifecycle controller's own marks of what has just been said.
  const spec = subject.spec();
  const taints = listAt(spec, "taints").filter(
    (each) => !(textAt(each, "key") ?? "").startsWith("node.kubernetes.io/"),
  );
  if (taints.length > 0) spec["taints"] = taints;
  else delete spec["taints"];
}

function isApiServers({ kind, key }: Subject): boolean {
  return (kind === "Service" || kind === "Endpoints") && key === "default/kubernetes";
}

function isMade(value: RawValue): boolean {
  const by = textAt(value, "metadata", "labels", "endpointslice.kubernetes.io/managed-by");
  const service = textAt(value, "metadata", "labels", "kubernetes.io/service-name");
  const namespace = textAt(value, "metadata", "namespace") ?? "default";
  return (
    (by?.endsWith("-controller.k8s.io") ?? false) ||
    `${namespace}/${service}` === "default/kubernetes"
  );
}

/**
 * Of two objects of one name the later one counts, as for `kubectl apply`; but a patch of an overlay, which lies in
 * the same folder, is no object.
 */
function keepLast(subjects: readonly Subject[]): void {
  const later = new Map<string, Subject>();
  for (const subject of subjects.toReversed()) {
    if (subject.isDropped || valueAt(subject.value, ["metadata", "name"]) === undefined) continue;
    const isGlobal = ["Node", "Namespace", "PriorityClass"].includes(subject.kind);
    const key = `${subject.kind} ${isGlobal ? "" : subject.namespace}/${subject.name}`;
    const other = later.get(key);
    if (other === undefined) {
      later.set(key, subject);
    } else if (isPatch(other) && !isPatch(subject)) {
      other.drop(PATCH);
      later.set(key, subject);
    } else subject.drop(isPatch(subject) ? PATCH : "written again further on; the last one counts");
  }
}

const PATCH = "a patch of another object: fill overlays in first, with kustomize build";

/** A workload without containers, or with one that has no image. */
function isPatch(subject: Subject): boolean {
  const spec = subject.podSpec();
  if (spec === null) return isWorkload(subject);
  const containers = listAt(spec, "containers");
  return containers.length === 0 || containers.some((each) => textAt(each, "image") === null);
}
