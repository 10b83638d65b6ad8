/**
 * What a scenario names in the cluster: workloads, Services and pods.
 *
 * Owns: reading references such as "svc/nginx:8080" and "prod/deploy/web", building clients and
 * servers whose names exist, and looking up the pods that a fault selects. Refuses to own: their other fields (schema/scenario.ts).
 */
import type { DurationNs } from "../engine/index.ts";
import { linuxProfile } from "../network/profile.ts";
import type { Labels, Service, ServicePort } from "../kubernetes/api/types.ts";
import type { ManifestObjects } from "./manifests/objects.ts";
import { describeValue, nearest, type FileMistakes } from "./mistakes.ts";
import type { ResolvedClient, ResolvedServer } from "./resolved.ts";
import type { ClientPart, ScenarioParts, TargetPart } from "./schema/scenario.ts";
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
const WORKLOAD_KINDS: Readonly<Record<string, "deployments" | "replicaSets" | "pods">> = {
  deploy: "deployments",
  deployment: "deployments",
  rs: "replicaSets",
  replicaset: "replicaSets",
  po: "pods",
  pod: "pods",
};

export function resolveServers(
  parts: ScenarioParts["servers"],
  objects: ManifestObjects,
  mistakes: FileMistakes,
): ResolvedServer[] {
  const known = Object.entries({
    deploy: objects.deployments,
    rs: objects.replicaSets,
    pod: objects.pods,
  }).flatMap(([kind, list]) => list.map(({ object }) => reference(kind, object.metadata)));
  const taken = new Set<string>();
  return parts.flatMap(({ value, path, reference: text }) => {
    const parsed = parseReference(text);
    const list = parsed === null ? undefined : WORKLOAD_KINDS[parsed.kind];
    const found =
      parsed === null || list === undefined || parsed.port !== null
        ? undefined
        : objects[list].find(
            ({ object: { metadata } }) =>
              metadata.namespace === parsed.namespace && metadata.name === parsed.name,
          );
    if (found === undefined) {
      const allowed = `one of ${known.join(", ") || "the manifests' workloads: there are none"}`;
      if (objects.complete.workloads) {
        mistakes.add(path, `no workload ${describeValue(text)}`, allowed, nearest(text, known));
      }
      return [];
    }
    const { namespace, name } = found.object.metadata;
    const workload = `${namespace}/${name}`;
    if (taken.has(workload)) {
      mistakes.add(path, `a second server for ${workload}`, "one for each workload");
    }
    taken.add(workload);
    return value === undefined ? [] : [{ ...value, workload }];
  });
}

function reference(kind: string, { namespace, name }: { namespace: string; name: string }): string {
  return `${namespace === "default" ? "" : `${namespace}/`}${kind}/${name}`;
}

export function resolveClients(
  parts: ScenarioParts["clients"],
  services: readonly Service[],
  objects: ManifestObjects,
  durationNs: DurationNs,
  mistakes: FileMistakes,
): ResolvedClient[] {
  const names = new Set<string>();
  return parts.flatMap(({ value, path, to }) => {
    const at = to === undefined || to.via === "clusterIP" ? ["to"] : ["to", "service"];
    const target =
      to === undefined
        ? null
        : resolveTarget(to, services, objects, mistakes.within([...path, ...at]));
    if (value === undefined) return [];
    checkClient(value, names, mistakes.within(path));
    if (target?.protocol === "UDP" && value.requestSize > MAX_DATAGRAM_BYTES) {
      const found = `${value.requestSize} bytes to a UDP port`;
      const allowed = `at most ${MAX_DATAGRAM_BYTES}: a request is one datagram`;
      mistakes.add([...path, "requestSize"], found, allowed);
    }
    return target === null ? [] : [buildClient(value, target, durationNs)];
  });
}

function checkClient(value: ClientPart, names: Set<string>, mistakes: FileMistakes): void {
  if (names.has(value.name)) {
    mistakes.add(["name"], `a second client "${value.name}"`, "unique names");
  }
  names.add(value.name);
  if (value.stop !== undefined && value.stop <= value.start) {
    mistakes.add(["stop"], "not after start", "a duration above start");
  }
  if (value.from.kind === "outside" && value.to.via === "clusterIP") {
    const found = "a ClusterIP, which nothing outside the cluster can reach";
    const allowed = "nodePort(...), externalIP(...) or loadBalancer(...) of it, or from: pods(...)";
    mistakes.add(["to"], found, allowed);
  }
}

/** Labels of the pods that a client runs in. */
export function clientLabels({ name, from }: ClientPart): Labels {
  return from.kind === "pod" ? { "podstorm.dev/client": name, ...from.labels } : {};
}

function buildClient(
  value: ClientPart,
  to: ResolvedClient["to"],
  durationNs: DurationNs,
): ResolvedClient {
  const { from, load, connections, retries } = value;
  return {
    name: value.name,
    from: {
      kind: from.kind,
      replicas: from.replicas,
      labels: clientLabels(value),
    },
    to,
    load:
      load.kind === "openLoop"
        ? { kind: "openLoop", rate: load.rate, process: load.arrivals }
        : { kind: "closedLoop", users: load.users, thinkTime: load.thinkTime },
    connections:
      connections.kind === "perRequest"
        ? { kind: "perRequest" }
        : { kind: "keepAlive", poolSize: connections.poolSize ?? null },
    requestBytes: value.requestSize,
    timeoutNs: value.timeout,
    retries: {
      maxAttempts: retries.attempts,
      initialBackoffNs: retries.initialBackoff,
      backoffFactor: retries.backoffFactor,
      maxBackoffNs: retries.maxBackoff,
      jitter: retries.jitter,
    },
    startNs: value.start,
    stopNs: Math.min(value.stop ?? durationNs, durationNs),
  };
}

function resolveTarget(
  { reference: text, via }: TargetPart,
  services: readonly Service[],
  objects: ManifestObjects,
  mistakes: FileMistakes,
): ResolvedClient["to"] | null {
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
    const kind = service.spec.type === "ExternalName" ? "an ExternalName" : "a headless Service";
    const found = `${key} is ${kind}, which only DNS leads to: DNS is not modelled yet`;
    mistakes.add([], found, "a Service with a ClusterIP");
    return null;
  }
  const port = portOf(service, parsed.port, text, mistakes);
  if (port === null) return null;
  checkVia(via, service, port, mistakes);
  return { service: key, port: port.port, protocol: port.protocol, via };
}

/** Reports a way to the Service that it does not have. */
function checkVia(
  via: TargetPart["via"],
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
