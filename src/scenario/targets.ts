/**
 * What a scenario names in the cluster: workloads, Services and pods.
 *
 * Owns: reading references such as "svc/nginx:8080" and "prod/deploy/web", building clients and
 * servers whose names exist, and looking up the pods that a fault selects. Refuses to own: their other fields (schema/scenario.ts).
 */
import type { DurationNs } from "../engine/index.ts";
import {
  familyOf,
  objectKey,
  type IpFamily,
  type Labels,
  type Node,
  type Pod,
  type Service,
  type ServicePort,
  type Workload,
} from "../kubernetes/api/types.ts";
import { linuxProfile } from "../network/profile.ts";
import { podsOf } from "./cluster.ts";
import { checkHost, resolveDockerTarget } from "./docker.ts";
import { ownersOf, type ManifestObjects, type Placed } from "./manifests/objects.ts";
import { describeValue, nearest, type FileMistakes, type Path } from "./mistakes.ts";
import { refuseWithoutAddress, resolveName, resolverOf, type NameRules } from "./names.ts";
import type { ResolvedClient, ResolvedDocker, ResolvedServer } from "./resolved.ts";
import type {
  ClientPart,
  ScenarioParts,
  ServiceTargetPart,
  TargetPart,
} from "./schema/scenario.ts";
import { kindsMatching, knownLabels, type PodKind } from "./services.ts";

const MAX_DATAGRAM_BYTES = linuxProfile.udp.maxPayloadBytes;

interface Reference {
  readonly namespace: string;
  readonly kind: string;
  readonly name: string;
  readonly port: string | null;
}

/** "[namespace/]kind/name[:port]". */
function parseReference(text: string): Reference | null {
  const match = /^(?:([a-z0-9-]+)\/)?([a-z]+)\/([a-z0-9.-]+)(?::([a-z0-9-]+))?$/.exec(text);
  if (match === null || text.length > 512) return null;
  const [, namespace = "default", kind = "", name = "", port = null] = match;
  return { namespace, kind, name, port };
}

/** kubectl's short names. */
const WORKLOAD_KINDS: Readonly<Record<string, (Workload | Pod)["kind"]>> = {
  deploy: "Deployment",
  deployment: "Deployment",
  rs: "ReplicaSet",
  replicaset: "ReplicaSet",
  rc: "ReplicationController",
  replicationcontroller: "ReplicationController",
  sts: "StatefulSet",
  statefulset: "StatefulSet",
  ds: "DaemonSet",
  daemonset: "DaemonSet",
  job: "Job",
  cj: "CronJob",
  cronjob: "CronJob",
  po: "Pod",
  pod: "Pod",
};

export function resolveServers(
  parts: ScenarioParts["servers"],
  objects: ManifestObjects,
  mistakes: FileMistakes,
): { server: ResolvedServer; reference: string; path: Path }[] {
  const taken = new Set<string>();
  return parts.flatMap(({ value, path, reference: text }) => {
    const found = findWorkload(text, objects, mistakes.within(path));
    if (found === null) return [];
    const { namespace, name } = found.object.metadata;
    const workload = `${namespace}/${name}`;
    if (taken.has(workload)) {
      mistakes.add(path, `a second server for ${workload}`, "one for each workload");
    }
    taken.add(workload);
    const server = value === undefined ? undefined : { ...value, workload };
    return server === undefined ? [] : [{ server, reference: text, path }];
  });
}

/** The workload that a reference names; null after having reported that there is none. */
export function findWorkload(
  text: string,
  objects: ManifestObjects,
  mistakes: FileMistakes | undefined,
): Placed<Workload | Pod> | null {
  const parsed = parseReference(text);
  const kind = parsed === null ? undefined : WORKLOAD_KINDS[parsed.kind];
  const all: readonly Placed<Workload | Pod>[] = [...ownersOf(objects), ...objects.pods];
  const found =
    parsed === null || kind === undefined || parsed.port !== null
      ? undefined
      : all.find(
          ({ object: { kind: own, metadata } }) =>
            own === kind &&
            metadata.namespace === parsed.namespace &&
            metadata.name === parsed.name,
        );
  if (found !== undefined) return found;
  const known = all.map(({ object }) => reference(shortName(object.kind), object.metadata));
  const allowed = `one of ${known.join(", ") || "the manifests' workloads: there are none"}`;
  if (objects.complete.workloads) {
    // A namespace left out, or the kind of kubectl's NAMESPACE/NAME, is more probable than a letter.
    const bare = text.slice(text.indexOf("/") + 1);
    const elsewhere = known.find((each) => each.endsWith(`/${text}`) || each.endsWith(`/${bare}`));
    mistakes?.add(
      [],
      `no workload ${describeValue(text)}`,
      allowed,
      elsewhere ?? nearest(text, known),
    );
  }
  return null;
}

/** The shortest of a kind's names, but "pod" for a Pod. */
function shortName(kind: (Workload | Pod)["kind"]): string {
  return kind === "Pod"
    ? "pod"
    : Object.keys(WORKLOAD_KINDS).find((name) => WORKLOAD_KINDS[name] === kind)!;
}

export function reference(
  kind: string,
  { namespace, name }: { namespace: string; name: string },
): string {
  return `${namespace === "default" ? "" : `${namespace}/`}${kind}/${name}`;
}

/** What clients may name. */
export interface KnownNames {
  readonly services: readonly Service[];
  readonly objects: ManifestObjects;
  /** null when they could not be read. */
  readonly nodes: readonly Node[] | null;
  readonly docker: ResolvedDocker;
  /** The Docker hosts of the scenario could be read, if there are any. */
  readonly allHosts: boolean;
  /** Every container of the scenario could be read. */
  readonly allContainers: boolean;
}

export function resolveClients(
  parts: ScenarioParts["clients"],
  known: KnownNames,
  { durationNs, zone }: { readonly durationNs: DurationNs; readonly zone: string | null },
  mistakes: FileMistakes,
): ResolvedClient[] {
  const names = new Set<string>();
  return parts.flatMap(({ value, path, to }) => {
    const own = mistakes.within(path);
    const resolver = (value?.resolver ?? null) as ClientPart["resolver"] | null;
    const rules = { zone, search: resolver?.search ?? [], ndots: resolver?.ndots ?? 0 };
    const target = to === undefined ? null : targetOf(to, value?.from, known, own, rules);
    if (value === undefined) return [];
    checkClient(value, names, own);
    if (target !== null) {
      checkDatagram(value, target, own);
      checkFamily(value, target, known, own);
    }
    const from = originOf(value, known, own);
    return target === null || from === null
      ? []
      : [buildClient(value, from, target, durationNs, zone)];
  });
}

function targetOf(
  to: TargetPart,
  from: ClientPart["from"] | undefined,
  known: KnownNames,
  mistakes: FileMistakes,
  rules: NameRules,
): ResolvedClient["to"] | null {
  if (!("reference" in to)) return resolveDockerTarget(to, from, known, mistakes.within(["to"]));
  checkNode(to.node, known.nodes, mistakes.within(["to", "node"]));
  return resolveTarget(to, known.services, known.objects, mistakes.within(placeOf(to)), rules);
}

/** Where the name stands in what was written. */
function placeOf({ via }: ServiceTargetPart): string[] {
  if (via === "clusterIP" || via === "dns") return ["to"];
  return ["to", via === "lookup" ? "name" : "service"];
}

function checkNode(
  name: string | null,
  nodes: readonly Node[] | null,
  mistakes: FileMistakes,
): void {
  const known = nodes?.map(({ metadata }) => metadata.name);
  if (name === null || known === undefined || known.includes(name)) return;
  const allowed = `one of ${known.join(", ") || "the cluster's nodes: there are none"}`;
  mistakes.add([], `no node ${name}`, allowed, nearest(name, known));
}

/** Where a client runs; null after mistakes. */
function originOf(
  value: ClientPart,
  { objects, nodes, docker, allHosts }: KnownNames,
  mistakes: FileMistakes,
): ResolvedClient["from"] | null {
  const { from } = value;
  const labels = clientLabels(value);
  switch (from.kind) {
    case "pod":
      checkNode(from.node ?? null, nodes, mistakes.within(["from", "node"]));
      return { kind: "pod", replicas: from.replicas, labels, at: from.node ?? null };
    case "outside":
      return { kind: "outside", replicas: from.replicas, labels, at: null };
    case "sidecar": {
      const own = mistakes.within(["from", "workload"]);
      const found = findWorkload(from.workload, objects, own);
      if (found === null) return null;
      const { object } = found;
      const replicas = object.kind === "Pod" ? 1 : podsOf(object, nodes ?? []);
      checkUsers(value, replicas, mistakes);
      const { namespace, name } = object.metadata;
      return { kind: "sidecar", replicas, labels, at: `${namespace}/${name}` };
    }
    case "host":
    case "container": {
      if (allHosts) checkHost(from.host, docker, mistakes.within(["from", "host"]));
      const replicas = from.kind === "host" ? 1 : from.replicas;
      return { kind: from.kind, replicas, labels, at: from.host };
    }
  }
}

/** Pods of a workload come and go: each has the same number of users. */
function checkUsers({ load }: ClientPart, replicas: number, mistakes: FileMistakes): void {
  if (load.kind !== "closedLoop" || replicas === 0 || load.users % replicas === 0) return;
  const found = `${load.users}, which do not divide evenly over ${replicas} pods`;
  mistakes.add(["load", "users"], found, `a multiple of ${replicas}`);
}

function checkClient(value: ClientPart, names: Set<string>, mistakes: FileMistakes): void {
  if (names.has(value.name)) {
    mistakes.add(["name"], `a second client "${value.name}"`, "unique names");
  }
  names.add(value.name);
  if (value.stop !== undefined && value.stop <= value.start) {
    mistakes.add(["stop"], "not after start", "a duration above start");
  }
  if (value.from.kind === "outside" && (value.to.via === "dns" || value.to.via === "lookup")) {
    const found = "a name that only the cluster's own DNS knows of";
    mistakes.add(["to"], found, "from: pods(...)");
  }
  const isInside = value.from.kind === "pod" || value.from.kind === "sidecar";
  if (!isInside && value.to.via === "clusterIP") {
    const found = "a ClusterIP, which nothing outside the cluster can reach";
    const allowed = "nodePort(...), externalIP(...) or loadBalancer(...) of it, or from: pods(...)";
    mistakes.add(["to"], found, allowed);
  }
}

/** Reports a family in which the target, as it is aimed at, has no address. */
function checkFamily(
  { ipFamily }: ClientPart,
  target: ResolvedClient["to"],
  { services, nodes }: KnownNames,
  mistakes: FileMistakes,
): void {
  if (ipFamily === undefined || target.via === "lookup") return;
  const refuse = (found: string, allowed: string): void =>
    mistakes.add(["ipFamily"], found, allowed);
  if (!("service" in target)) {
    if (ipFamily === "IPv6") refuse("IPv6, to a Docker host", '"IPv4"');
    return;
  }
  const service = services.find((each) => objectKey(each) === target.service)!;
  // A node port answers in the Service's families, on the addresses that the nodes have.
  const isAt = new Set(familiesAt(service, target.via));
  // None: that is another mistake, reported where it was made.
  if (isAt.size === 0) return;
  const onNodes = nodes?.every(({ status }) => status.internalIPs.map(familyOf).includes(ipFamily));
  if (target.via === "nodePort" && onNodes === false) isAt.delete(ipFamily);
  if (isAt.has(ipFamily)) return;
  const found = `${ipFamily}, in which ${target.service} has no such address`;
  const dual = "or a Service of both families (ipFamilyPolicy)";
  refuse(found, `${[...isAt].map((each) => `"${each}"`).join(", ") || "no family"}, ${dual}`);
}

/** Families of the addresses by which a client reaches a Service. */
function familiesAt({ spec, status }: Service, via: ServiceTargetPart["via"]): readonly IpFamily[] {
  if (via === "externalIP") return (spec.externalIPs ?? []).map(familyOf);
  if (via === "loadBalancer") return (status?.ingress ?? []).map(({ ip }) => familyOf(ip));
  return spec.ipFamilies ?? [];
}

function checkDatagram(
  { requestSize }: ClientPart,
  target: ResolvedClient["to"],
  mistakes: FileMistakes,
): void {
  const isUdp = "protocol" in target && target.protocol === "UDP";
  if (!isUdp || requestSize <= MAX_DATAGRAM_BYTES) return;
  const found = `${requestSize} bytes to a UDP port`;
  const allowed = `at most ${MAX_DATAGRAM_BYTES}: a request is one datagram`;
  mistakes.add(["requestSize"], found, allowed);
}

/** Labels of the pods that a client runs in. */
export function clientLabels({ name, from }: ClientPart): Labels {
  return from.kind === "pod" ? { "podstorm.dev/client": name, ...from.labels } : {};
}

function buildClient(
  value: ClientPart,
  from: ResolvedClient["from"],
  to: ResolvedClient["to"],
  durationNs: DurationNs,
  zone: string | null,
): ResolvedClient {
  const { load } = value;
  return {
    ...(zone === null ? {} : resolverOf(value, zone)),
    name: value.name,
    from,
    to,
    ...(value.ipFamily === undefined ? {} : { ipFamily: value.ipFamily }),
    load:
      load.kind === "openLoop"
        ? { kind: "openLoop", rate: load.rate, process: load.arrivals }
        : { kind: "closedLoop", users: load.users, thinkTime: load.thinkTime },
    ...callingOf(value),
    startNs: value.start,
    stopNs: Math.min(value.stop ?? durationNs, durationNs),
  };
}

/** How whoever calls does it: a client, or a server. */
export function callingOf({
  connections,
  retries,
  requestSize,
  timeout,
}: Pick<ClientPart, "connections" | "retries" | "requestSize" | "timeout">): Pick<
  ResolvedClient,
  "connections" | "requestBytes" | "timeoutNs" | "retries"
> {
  return {
    connections:
      connections.kind === "perRequest"
        ? { kind: "perRequest" }
        : { kind: "keepAlive", poolSize: connections.poolSize ?? null },
    requestBytes: requestSize,
    timeoutNs: timeout,
    retries: {
      maxAttempts: retries.attempts,
      initialBackoffNs: retries.initialBackoff,
      backoffFactor: retries.backoffFactor,
      maxBackoffNs: retries.maxBackoff,
      jitter: retries.jitter,
    },
  };
}

export function resolveTarget(
  to: ServiceTargetPart,
  services: readonly Service[],
  objects: ManifestObjects,
  mistakes: FileMistakes,
  rules: NameRules,
): ResolvedClient["to"] | null {
  const { reference: text, via, node } = to;
  if (via === "dns" || via === "lookup") {
    return resolveName(to, { services, objects }, mistakes, rules);
  }
  const parsed = parseReference(text);
  if (parsed === null || !["svc", "service"].includes(parsed.kind)) {
    mistakes.add([], describeValue(text), '"svc/NAME:PORT" or "NAMESPACE/svc/NAME:PORT"');
    return null;
  }
  const key = `${parsed.namespace}/${parsed.name}`;
  const service = services.find((s) => `${s.metadata.namespace}/${s.metadata.name}` === key);
  if (service === undefined) {
    if (!objects.complete.services) return null;
    const known = services.map(({ metadata }) => reference("svc", metadata));
    const allowed = `one of ${known.join(", ") || "the manifests' Services: there are none"}`;
    const meant = nearest(reference("svc", parsed), known);
    mistakes.add([], `no Service ${key}`, allowed, meant);
    return null;
  }
  if (service.spec.clusterIP === "None" || service.spec.type === "ExternalName") {
    refuseWithoutAddress(service, services, rules.zone, mistakes);
    return null;
  }
  const port = portOf(service, parsed.port, text, mistakes);
  if (port === null) return null;
  checkVia(via, service, port, mistakes);
  return { service: key, port: port.port, protocol: port.protocol, via, node };
}

/** Reports a way to the Service that it does not have. */
function checkVia(
  via: ServiceTargetPart["via"],
  { metadata, spec }: Service,
  { nodePort }: ServicePort,
  mistakes: FileMistakes,
): void {
  const lacks = (what: string, allowed: string): void => {
    const key = `${metadata.namespace}/${metadata.name}`;
    mistakes.add([], `Service ${key} is of type ${spec.type} and has no ${what}`, allowed);
  };
  if (via === "nodePort" && nodePort === null) lacks("node port", 'a Service of type "NodePort"');
  if (via === "externalIP" && (spec.externalIPs ?? []).length === 0) {
    lacks("external IP", "a Service with externalIPs");
  }
  if (via === "loadBalancer" && spec.type !== "LoadBalancer") {
    lacks("load balancer", 'a Service of type "LoadBalancer"');
  }
}

function portOf(
  service: Service,
  wanted: string | null,
  text: string,
  mistakes: FileMistakes,
): ServicePort | null {
  const { ports } = service.spec;
  const matching =
    wanted === null
      ? ports
      : ports.filter(({ port, name }) => name === wanted || String(port) === wanted);
  const [only] = matching;
  if (only !== undefined && matching.length === 1) return only;
  const known = ports.map(({ port, name }) => (name === null ? String(port) : `${port} (${name})`));
  if (wanted !== null && only !== undefined) {
    const protocols = matching.map(({ protocol }) => protocol).join(" and ");
    const found = `port ${wanted} of ${service.metadata.name} is of ${protocols}`;
    mistakes.add([], found, `the name of one of the ports ${known.join(", ")}`);
    return null;
  }
  const found =
    wanted === null
      ? `${describeValue(text)} names no port`
      : `no port ${wanted} in ${service.metadata.name}`;
  mistakes.add([], found, `one of the ports ${known.join(", ")}`);
  return null;
}

/** Reports a selector of pods that matches none. */
export function checkPodSelector(
  { selector, namespace }: { readonly selector: Labels; readonly namespace: string },
  kinds: readonly PodKind[],
  mistakes: FileMistakes,
): void {
  if (Object.keys(selector).length === 0) {
    mistakes.add(["selector"], "empty", "at least one label");
  } else if (kindsMatching(kinds, namespace, selector).length === 0) {
    const written = Object.entries(selector).map(([key, value]) => `${key}=${value}`);
    const known = knownLabels(kinds, namespace);
    const allowed = `labels of pods in namespace ${namespace}: ${known.join(", ") || "there are none"}`;
    const found = `${written.join(",")} matches no pod`;
    mistakes.add(["selector"], found, allowed, nearest(written[0] ?? "", known));
  }
}
