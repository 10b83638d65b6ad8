/**
 * Law 3, convergence: when nothing is under way any more, every node's rules are what the pods ask for.
 *
 * Owns: the endpoints of a Service as computed from its pods, not from any slice, and their comparison
 * with each node's rules, by the node's place where a policy or a distribution asks for it. While something
 * is under way there is nothing to compare. Not judged: Services of topology-mode Auto, and those to which
 * users add slices of their own.
 */
import {
  familyOf,
  MANAGED_BY_LABEL,
  objectKey,
  SLICE_CONTROLLER,
  ZONE_LABEL,
  type IpFamily,
  type Node,
  type Pod,
  type Service,
  type ServicePort,
} from "../../../kubernetes/api/types.ts";
import { PodLabelIndex } from "../../../kubernetes/api/selectorIndex.ts";
import { usesTopologyMode } from "../../../kubernetes/controllers/topologyHints.ts";
import { TransportProtocol } from "../../../network/nat.ts";
import type { BrokenLaw } from "../../../observe/report.ts";
import type { LawContext } from "./contract.ts";

/** Nodes times Services that are compared at most; beyond it every second node, third node, ... is. */
const PAIRS_MAX = 1_000_000;

export function* convergence(context: LawContext): Generator<BrokenLaw> {
  const { cluster } = context;
  if (!cluster.isQuiet) return;
  const kept = [...cluster.api.list("EndpointSlice")].filter(
    ({ metadata }) => metadata.labels[MANAGED_BY_LABEL] !== SLICE_CONTROLLER,
  );
  const keptByUsers = new Set(kept.map((slice) => slice.service));
  const pods = new PodLabelIndex();
  for (const pod of cluster.api.list("Pod")) if (hasEndpoint(pod)) pods.set(pod);
  const nodes = new Map([...cluster.api.list("Node")].map((node) => [node.metadata.name, node]));
  const services = [...cluster.api.list("Service")];
  const step = Math.max(1, Math.ceil((services.length * cluster.proxies.length) / PAIRS_MAX));
  for (const service of services) {
    if (service.spec.selector === null || service.spec.clusterIP === "None") continue;
    if (usesTopologyMode(service.metadata)) continue;
    const own = pods.podsOf(service.metadata.namespace, service.spec.selector);
    // Endpoints that a user keeps beside them are in no pod.
    if (keptByUsers.has(objectKey(service))) continue;
    for (const clusterIP of service.spec.clusterIPs ?? [service.spec.clusterIP])
      for (const port of service.spec.ports)
        yield* compare(service, clusterIP, port, own, { ...context, nodes, step });
  }
}

interface Fleet {
  readonly nodes: ReadonlyMap<string, Node>;
  /** Every second node, third node, ... is looked at. */
  readonly step: number;
}

function* compare(
  service: Service,
  clusterIP: string,
  port: ServicePort,
  pods: readonly Pod[],
  { cluster, network, nowNs, nodes, step }: LawContext & Fleet,
): Generator<BrokenLaw> {
  const address = network.addresses.intern(clusterIP);
  const isPrimary = clusterIP === service.spec.clusterIP;
  const isLocal = service.spec.internalTrafficPolicy === "Local";
  /** Nodes of one place see the same, and nodes that share a version of the rules hold the same. */
  const wantedAt = new Map<string, string>();
  const heldBy = new Map<unknown, string>();
  for (let index = 0; index < cluster.proxies.length; index += step) {
    const node = nodes.get(network.hosts[index]!.name)!;
    const place = placeOf(service, node);
    let wanted = wantedAt.get(place);
    if (wanted === undefined) {
      const visible = visibleFrom(service, node, pods, nodes);
      wanted = wantedEndpoints(service, port, familyOf(clusterIP), visible);
      wantedAt.set(place, wanted);
    }
    const proxier = cluster.proxies[index]!.of(network.addresses.family(address));
    const protocol = TransportProtocol[port.protocol];
    const rules = proxier?.table.atAddress(address, protocol, port.port)?.rules;
    let held = heldBy.get(rules);
    if (held === undefined) {
      const endpoints = (isLocal ? rules?.local : rules?.cluster) ?? [];
      held = endpoints.map(({ text }) => text).join(" ");
      heldBy.set(rules, held);
    }
    if (held === wanted) continue;
    yield {
      law: "3 convergence",
      entity: `node/${node.metadata.name}`,
      atNs: nowNs,
      detail: `${objectKey(service)}:${port.port}${isPrimary ? "" : ` at ${clusterIP}`} has [${wanted}], the node has programmed [${held}]`,
    };
  }
}

/** What of a node decides which endpoints it may use. */
function placeOf({ spec }: Service, { metadata }: Node): string {
  if (spec.internalTrafficPolicy === "Local") return metadata.name;
  if (spec.trafficDistribution === "PreferSameNode") return metadata.name;
  return spec.trafficDistribution ? (metadata.labels[ZONE_LABEL] ?? "") : "";
}

/**
 * The pods that a node may use: its own by policy Local; by trafficDistribution those of its node, else of
 * its zone, else all.
 */
function visibleFrom(
  { spec }: Service,
  { metadata }: Node,
  pods: readonly Pod[],
  nodes: ReadonlyMap<string, Node>,
): readonly Pod[] {
  const onNode = pods.filter((pod) => pod.spec.nodeName === metadata.name);
  if (spec.internalTrafficPolicy === "Local") return onNode;
  if (!spec.trafficDistribution) return pods;
  const ready = pods.filter((pod) => isReady(spec, pod));
  const own = onNode.filter((pod) => isReady(spec, pod));
  if (spec.trafficDistribution === "PreferSameNode" && own.length > 0) return own;
  const zoneOf = (pod: Pod): string | undefined =>
    nodes.get(pod.spec.nodeName!)?.metadata.labels[ZONE_LABEL];
  const inZone = ready.filter((pod) => zoneOf(pod) === metadata.labels[ZONE_LABEL]);
  const isHinted = ready.every((pod) => zoneOf(pod) !== undefined);
  return isHinted && inZone.length > 0 ? inZone : pods;
}

function hasEndpoint({ spec, status }: Pod): boolean {
  const isOver = status.phase === "Succeeded" || status.phase === "Failed";
  return status.podIPs.length > 0 && spec.nodeName !== null && !isOver;
}

function ends({ metadata }: Pod): boolean {
  return metadata.deletionTimestampNs !== null;
}

function isReady({ publishNotReadyAddresses }: Service["spec"], pod: Pod): boolean {
  return publishNotReadyAddresses || (pod.status.ready.status && !ends(pod));
}

/** The ready ones; if there are none, those that terminate and still serve. In the order of their text. */
function wantedEndpoints(
  { spec }: Service,
  port: ServicePort,
  family: IpFamily,
  pods: readonly Pod[],
): string {
  const ready = pods.filter((pod) => isReady(spec, pod));
  const chosen =
    ready.length > 0 ? ready : pods.filter((pod) => ends(pod) && pod.status.ready.status);
  const texts = chosen.flatMap((pod) => {
    const number = targetPortOf(port, pod);
    const address = pod.status.podIPs.find((each) => familyOf(each) === family);
    if (number === null || address === undefined) return [];
    return [family === "IPv4" ? `${address}:${number}` : `[${address}]:${number}`];
  });
  return [...new Set(texts)].sort().join(" ");
}

function targetPortOf({ targetPort }: ServicePort, { spec }: Pod): number | null {
  if (typeof targetPort === "number") return targetPort;
  const ports = spec.containers.flatMap((container) => container.ports);
  return ports.find(({ name }) => name === targetPort)?.containerPort ?? null;
}
