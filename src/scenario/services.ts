/**
 * Services against the rest of the cluster.
 *
 * Owns: giving Services their ClusterIPs and node ports, and checking that each selects pods that have
 * the ports it sends to. Refuses to own: one Service by itself (manifests/service.ts).
 */
import type { RandomStreams } from "../engine/index.ts";
import { ClusterIpAllocator } from "../kubernetes/allocators/cluster-ip.ts";
import { NodePortAllocator } from "../kubernetes/allocators/node-port.ts";
import {
  matchesLabels,
  type ContainerPort,
  type Labels,
  type PodSpec,
  type Service,
} from "../kubernetes/api/types.ts";
import type { ManifestObjects, Placed, ServiceDraft } from "./manifests/objects.ts";
import { nearest, type FileMistakes } from "./mistakes.ts";

/**
 * Services with everything allocated. What a Service asks for is taken first, then the rest in the
 * order of the manifests, so that a run does not depend on luck.
 */
export function allocateServices(
  drafts: readonly Placed<ServiceDraft>[],
  serviceCIDR: string,
  streams: RandomStreams,
  mistakes: FileMistakes,
): Service[] {
  const addresses = new ClusterIpAllocator(serviceCIDR, streams.get("kubernetes/cluster-ip"));
  const ports = new NodePortAllocator(streams.get("kubernetes/node-port"));
  const owners = new Map<string | number, string>();
  takeAddressOfKubernetes(addresses, owners);
  for (const draft of drafts) takeWritten(draft, addresses, ports, owners, serviceCIDR);
  return drafts.map(({ object }) => {
    const clusterIP = object.spec.clusterIP || addresses.takeNext();
    if (clusterIP === null) {
      mistakes.add(
        ["cluster", "serviceCIDR"],
        "used up",
        "a wider range: every Service needs an address",
      );
    }
    const needsPorts = object.spec.type === "NodePort" || object.spec.type === "LoadBalancer";
    const allocated = object.spec.ports.map((port) => ({
      ...port,
      nodePort: port.nodePort ?? (needsPorts ? ports.takeNext() : null),
    }));
    return { ...object, spec: { ...object.spec, clusterIP: clusterIP ?? "", ports: allocated } };
  });
}

/** The API server's own Service holds the first address of the range in every cluster. */
function takeAddressOfKubernetes(
  addresses: ClusterIpAllocator,
  owners: Map<string | number, string>,
): void {
  const first = addresses.addressAt(0);
  addresses.take(first);
  owners.set(first, "default/kubernetes");
}

function takeWritten(
  { object, mistakes }: Placed<ServiceDraft>,
  addresses: ClusterIpAllocator,
  ports: NodePortAllocator,
  owners: Map<string | number, string>,
  serviceCIDR: string,
): void {
  const name = `${object.metadata.namespace}/${object.metadata.name}`;
  const { clusterIP } = object.spec;
  if (clusterIP !== "") {
    const refusal = addresses.take(clusterIP);
    const found =
      refusal === "taken" ? `${clusterIP} is taken by Service ${owners.get(clusterIP)}` : clusterIP;
    if (refusal !== null) {
      mistakes.add(["spec", "clusterIP"], found, `a free address of ${serviceCIDR}`);
    } else owners.set(clusterIP, name);
  }
  const own = new Set<string>();
  for (const [index, { nodePort, protocol }] of object.spec.ports.entries()) {
    if (nodePort === null) continue;
    const path = ["spec", "ports", index, "nodePort"];
    // One Service may use one number for several protocols; two Services may not.
    const isOwnOtherProtocol = owners.get(nodePort) === name && !own.has(`${nodePort}/${protocol}`);
    own.add(`${nodePort}/${protocol}`);
    if (ports.take(nodePort) === null) owners.set(nodePort, name);
    else if (!isOwnOtherProtocol) {
      const found = `${nodePort} is taken by Service ${owners.get(nodePort)}`;
      mistakes.add(path, found, "a node port from 30000 to 32767 that no other Service has");
    }
  }
}

/** Pods of one kind that a Service may select. */
export interface PodKind {
  readonly title: string;
  readonly namespace: string;
  readonly labels: Labels;
  /** null: pods of a client, which listen on nothing. */
  readonly spec: PodSpec | null;
}

export function podKinds({ deployments, replicaSets, pods }: ManifestObjects): PodKind[] {
  const made = [...deployments, ...replicaSets].map(({ object }) => ({
    title: `${object.kind} ${object.metadata.name}`,
    namespace: object.metadata.namespace,
    labels: object.spec.template.labels,
    spec: object.spec.template.spec,
  }));
  const bare = pods.map(({ object }) => ({
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

/** Labels that some pods have, for telling what a selector could have said. */
export function knownLabels(kinds: readonly PodKind[], namespace: string): string[] {
  const own = kinds.filter((kind) => kind.namespace === namespace);
  const texts = own.flatMap(({ labels }) => Object.entries(labels).map(([k, v]) => `${k}=${v}`));
  return [...new Set(texts)];
}

/** Reports a Service that selects nothing, or sends to a port that its pods do not have. */
export function checkSelectors(
  objects: ManifestObjects,
  ignore: (service: Placed<ServiceDraft>, path: (string | number)[], reason: string) => void,
): void {
  // A workload that could not be read may be the one that is meant.
  if (!objects.complete.workloads) return;
  const kinds = podKinds(objects);
  for (const service of objects.services) {
    const { metadata, spec } = service.object;
    const matching = kindsMatching(kinds, metadata.namespace, spec.selector ?? {});
    if (matching.length === 0) {
      const known = knownLabels(kinds, metadata.namespace);
      const written = Object.entries(spec.selector ?? {}).map(([k, v]) => `${k}=${v}`);
      const allowed = `labels of pods in namespace ${metadata.namespace}: ${known.join(", ") || "there are none"}`;
      const meant = nearest(written[0] ?? "", known);
      const found = `${written.join(",")} matches no pod`;
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
      } else if (ports.length > 0 && !hasPort(ports, targetPort, protocol)) {
        const reason = `no container declares port ${targetPort}/${protocol}: connections are refused`;
        ignore(service, path, reason);
      }
    }
  }
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
    .filter((service) => matchesLabels(service.spec.selector ?? {}, labels))
    .flatMap((service) => service.spec.ports);
  const ports = new Map<string, ContainerPort>();
  for (const { targetPort, protocol } of targets) {
    if (typeof targetPort !== "number") continue;
    const port = { name: null, containerPort: targetPort, hostPort: null, protocol };
    ports.set(`${targetPort}/${protocol}`, port);
  }
  return { ...spec, containers: [{ ...first, ports: [...ports.values()] }, ...others] };
}
