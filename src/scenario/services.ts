/**
 * Services against the rest of the cluster.
 *
 * Owns: checking that each selects pods that have the ports it sends to, and giving those without a
 * selector the slices that the user keeps for them. Refuses to own: one Service by itself
 * (manifests/service.ts), and its addresses (allocate.ts).
 */
import { isMirrored, SKIP_MIRROR_LABEL } from "../kubernetes/controllers/mirroring.ts";
import {
  matchesLabels,
  objectKey,
  type ContainerPort,
  type Endpoints,
  type EndpointSlice,
  type Labels,
  type PodSpec,
  type Service,
} from "../kubernetes/api/types.ts";
import {
  ownersOf,
  type ManifestObjects,
  type Placed,
  type ServiceDraft,
} from "./manifests/objects.ts";
import { nearest, type FileMistakes } from "./mistakes.ts";

/** Pods of one kind that a Service may select. */
export interface PodKind {
  readonly title: string;
  readonly namespace: string;
  readonly labels: Labels;
  /** null: pods of a client, which listen on nothing. */
  readonly spec: PodSpec | null;
}

export function podKinds(objects: ManifestObjects): PodKind[] {
  const made = ownersOf(objects).map(({ object }) => ({
    title: `${object.kind} ${object.metadata.name}`,
    namespace: object.metadata.namespace,
    labels: object.spec.template.labels,
    spec: object.spec.template.spec,
  }));
  const bare = objects.pods.map(({ object }) => ({
    title: `Pod ${object.metadata.name}`,
    namespace: object.metadata.namespace,
    labels: object.metadata.labels,
    spec: object.spec,
  }));
  return [...made, ...bare];
}

export function kindsMatching(
  kinds: readonly PodKind[],
  namespace: string,
  labels: Labels,
): PodKind[] {
  return kinds.filter((kind) => kind.namespace === namespace && matchesLabels(labels, kind.labels));
}

/** Kinds under each of their labels: of thousands few have to be compared with a selector. */
export function kindsByPair(kinds: readonly PodKind[]): Map<string, PodKind[]> {
  const byPair = new Map<string, PodKind[]>();
  for (const kind of kinds) {
    for (const pair of Object.entries(kind.labels)) {
      const key = pair.join("=");
      const known = byPair.get(key);
      if (known === undefined) byPair.set(key, [kind]);
      else known.push(kind);
    }
  }
  return byPair;
}

/** Labels that some pods have, for telling what a selector could have said. */
export function knownLabels(kinds: readonly PodKind[], namespace: string): string[] {
  const own = kinds.filter((kind) => kind.namespace === namespace);
  const texts = own.flatMap(({ labels }) => Object.entries(labels).map(([k, v]) => `${k}=${v}`));
  return [...new Set(texts)];
}

const IGNORED_WORKLOAD = /^CronJob /;

/** The workloads whose pods are not there because their kind is ignored. */
function ignoredWorkloads({ ignored }: ManifestObjects): string {
  const titles = ignored.map(({ object }) => object).filter((each) => IGNORED_WORKLOAD.test(each));
  const shown = [...new Set(titles)].slice(0, 3).join(", ");
  return shown === "" ? "" : ` (ignored: ${shown})`;
}

/** Reports a Service that selects nothing, or sends to a port that its pods do not have. */
export function checkSelectors(
  objects: ManifestObjects,
  ignore: (service: Placed<ServiceDraft>, path: (string | number)[], reason: string) => void,
): void {
  // A workload that could not be read may be the one that is meant.
  if (!objects.complete.workloads) return;
  const kinds = podKinds(objects);
  const byPair = kindsByPair(kinds);
  for (const service of objects.services) {
    const { metadata, spec } = service.object;
    if (spec.selector === null) continue;
    const [pair] = Object.entries(spec.selector);
    const near = pair === undefined ? kinds : (byPair.get(pair.join("=")) ?? []);
    const matching = kindsMatching(near, metadata.namespace, spec.selector);
    if (matching.length === 0) {
      const known = knownLabels(kinds, metadata.namespace);
      const written = Object.entries(spec.selector).map(([k, v]) => `${k}=${v}`);
      const allowed = `labels of pods in namespace ${metadata.namespace}: ${known.join(", ") || "there are none"}`;
      const meant = nearest(written[0] ?? "", known);
      const found = `${written.join(",")} matches no pod${ignoredWorkloads(objects)}`;
      service.mistakes.add(["spec", "selector"], found, allowed, meant);
      continue;
    }
    for (const [index, { targetPort, protocol }] of spec.ports.entries()) {
      const ports = matching.flatMap(
        ({ spec: pod }) => pod?.containers.flatMap((c) => c.ports) ?? [],
      );
      const path = ["spec", "ports", index, "targetPort"];
      if (typeof targetPort === "string") {
        checkNamedPort(targetPort, ports, service.mistakes, path);
      } else if (
        // Clients of a headless Service dial pods themselves: nothing translates the port.
        spec.clusterIP !== "None" &&
        ports.length > 0 &&
        !hasPort(ports, targetPort, protocol)
      ) {
        const reason = `no container declares port ${targetPort}/${protocol}: connections are refused`;
        ignore(service, path, reason);
      }
    }
  }
}

/** Slices and Endpoints that the user keeps: what no selector gives. */
export interface KeptEndpoints {
  readonly endpointSlices: readonly EndpointSlice[];
  readonly endpoints: readonly Endpoints[];
}

/** @param ignore lists an object that no Service looks at */
export function keptEndpoints(
  objects: ManifestObjects,
  services: readonly Service[],
  ignore: (object: string, mistakes: FileMistakes, reason: string) => void,
): KeptEndpoints {
  const byKey = new Map(services.map((service) => [objectKey(service), service]));
  const endpointSlices: EndpointSlice[] = [];
  const endpoints: Endpoints[] = [];
  for (const { object, mistakes } of objects.endpointSlices) {
    const title = `EndpointSlice ${object.metadata.name}`;
    const service = byKey.get(object.service);
    if (service === undefined) ignore(title, mistakes, `no Service ${object.service}`);
    else endpointSlices.push(object);
    const reason = service === undefined ? null : whyUnused(object.ports, service);
    if (reason !== null) ignore(title, mistakes, reason);
  }
  for (const { object, mistakes } of objects.endpoints) {
    const key = objectKey(object);
    const service = byKey.get(key);
    const refusal = whyNotMirrored(service, object);
    if (refusal === null) endpoints.push(object);
    const ports = object.subsets.flatMap((subset) => subset.ports);
    const reason = refusal ?? (service === undefined ? null : whyUnused(ports, service));
    if (reason !== null) ignore(`Endpoints ${object.metadata.name}`, mistakes, reason);
  }
  const backed = new Set([
    ...endpointSlices.map(({ service }) => service),
    ...endpoints.map(objectKey),
  ]);
  for (const { object, mistakes } of objects.services) {
    const isBare = object.spec.selector === null && object.spec.type !== "ExternalName";
    if (!isBare || backed.has(objectKey(object))) continue;
    const reason = "no selector, and no EndpointSlice either: connections are refused";
    ignore(`Service ${object.metadata.name}`, mistakes, reason);
  }
  return { endpointSlices, endpoints };
}

/** kube-proxy joins the ports of slices and of their Service by name: what has no match has no rule. */
function whyUnused(ports: EndpointSlice["ports"], { metadata, spec }: Service): string | null {
  if (spec.clusterIP === "None" || spec.type === "ExternalName") return null;
  const own = new Set(spec.ports.map(({ name }) => name ?? ""));
  const names = new Set(ports.map(({ name }) => name ?? ""));
  const unused = [...names].filter((name) => !own.has(name)).map((name) => `"${name}"`);
  if (unused.length === 0) return null;
  const known = [...own].map((name) => `"${name}"`).join(", ");
  return `no port of Service ${metadata.name} has the name ${unused.join(", ")} (it has ${known}): kube-proxy makes no rule of it`;
}

function whyNotMirrored(service: Service | undefined, object: Endpoints): string | null {
  const isSkipped = object.metadata.labels[SKIP_MIRROR_LABEL] === "true";
  if (isSkipped) return `label ${SKIP_MIRROR_LABEL}`;
  if (!isMirrored(object)) return "an election of leaders: it is not mirrored";
  if (service === undefined) return "no Service of that name";
  if (service.spec.selector === null) return null;
  return "the EndpointSlice controller makes slices of the Service's selector";
}

function checkNamedPort(
  name: string,
  ports: readonly ContainerPort[],
  mistakes: FileMistakes,
  path: (string | number)[],
): void {
  const names = ports.flatMap((port) => (port.name === null ? [] : [port.name]));
  if (names.includes(name)) return;
  const allowed = `a port number or one of the pods' port names: ${names.join(", ") || "there are none"}`;
  mistakes.add(path, `no container has a port "${name}"`, allowed, nearest(name, names));
}

function hasPort(ports: readonly ContainerPort[], port: number, protocol: string): boolean {
  return ports.some((own) => own.containerPort === port && own.protocol === protocol);
}

/**
 * containerPort is only information in Kubernetes: a pod that declares none listens all the same. Its
 * first container is given the ports that the Services in front of it send to.
 */
export function withListenedPorts(
  spec: PodSpec,
  namespace: string,
  labels: Labels,
  services: readonly Service[],
): PodSpec {
  const [first, ...others] = spec.containers;
  if (first === undefined || spec.containers.some(({ ports }) => ports.length > 0)) return spec;
  const targets = services
    .filter((service) => service.metadata.namespace === namespace)
    .filter(({ spec: { selector } }) => selector !== null && matchesLabels(selector, labels))
    .flatMap((service) => service.spec.ports);
  const ports = new Map<string, ContainerPort>();
  for (const { targetPort, protocol } of targets) {
    if (typeof targetPort !== "number") continue;
    const port = { name: null, containerPort: targetPort, hostPort: null, protocol };
    ports.set(`${targetPort}/${protocol}`, port);
  }
  return { ...spec, containers: [{ ...first, ports: [...ports.values()] }, ...others] };
}
