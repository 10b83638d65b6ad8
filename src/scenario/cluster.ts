/**
 * Nodes, and room for the pods on them.
 *
 * Owns: names, addresses and pod ranges of the nodes, and the checks that the cluster can hold what the
 * manifests ask for. Refuses to own: where a pod goes (the scheduler).
 */
import { Address4, Address6 } from "ip-address";
import {
  ZONE_LABEL,
  type Container,
  type Node,
  type Pod,
  type PodSpec,
  type Workload,
} from "../kubernetes/api/types.ts";
import { isEligible } from "../kubernetes/controllers/daemonset.ts";
import { parsePrefix, parsePrefixes, type Prefix } from "../network/address.ts";
import {
  ownersOf,
  startMeta,
  type ManifestObjects,
  type NodeDraft,
  type Placed,
} from "./manifests/objects.ts";
import type { FileMistakes, Path } from "./mistakes.ts";
import type { ClusterPart } from "./schema/scenario.ts";

/** Nodes of a cluster whose scenario names no number. */
const DEFAULT_NODES = 3;
/** Defaults of kube-controller-manager --node-cidr-mask-size-ipv4 and -ipv6. */
const NODE_MASK = { 4: 24, 6: 64 } as const;

/** Mistakes go to `mistakes` (about the scenario) or to the Node's own file. */
export function resolveNodes(
  cluster: ClusterPart,
  drafts: readonly Placed<NodeDraft>[],
  mistakes: FileMistakes,
): Node[] {
  const prefixes = {
    podCIDR: parsePrefixes(cluster.podCIDR),
    serviceCIDR: parsePrefixes(cluster.serviceCIDR),
    nodeCIDR: parsePrefixes(cluster.nodeCIDR),
  };
  const within = mistakes.within(["cluster"]);
  checkApart(prefixes, within);
  checkFamilies(prefixes, within);
  const generated = cluster.nodes ?? (drafts.length > 0 ? 0 : DEFAULT_NODES);
  if (generated + drafts.length === 0) mistakes.add(["cluster", "nodes"], "0", "at least one node");
  const ranges = prefixes.podCIDR.map((pods) => podRanges(pods, drafts));
  const addresses = prefixes.nodeCIDR.map((hosts) => hostAddresses(hosts, drafts));
  const nodes: Node[] = [];
  for (const { object, mistakes: own } of drafts) {
    checkDraft(object, prefixes.podCIDR[0]!, own);
    nodes.push(buildNode(object, cluster, ranges, addresses, nodes, own, []));
  }
  for (let number = 1; number <= generated; number++) {
    const name = `node-${number}`;
    const zone = cluster.zones === undefined ? null : `zone-${((number - 1) % cluster.zones) + 1}`;
    const draft: NodeDraft = { ...EMPTY_DRAFT, metadata: nodeMeta(name, zone) };
    nodes.push(buildNode(draft, cluster, ranges, addresses, nodes, mistakes, ["cluster", "nodes"]));
    if (nodes.at(-1)?.spec.podCIDRs.includes("") === true) break;
  }
  return nodes;
}

const EMPTY_DRAFT = {
  podCIDR: null,
  internalIP: null,
  unschedulable: false,
  cpuMillis: null,
  memoryBytes: null,
  maxPods: null,
};

function nodeMeta(name: string, zone: string | null) {
  const labels = {
    "kubernetes.io/hostname": name,
    "kubernetes.io/os": "linux",
    ...(zone === null ? {} : { [ZONE_LABEL]: zone }),
  };
  return startMeta("Node", { name, labels }, "");
}

function buildNode(
  draft: NodeDraft,
  { nodeShape }: ClusterPart,
  ranges: readonly Iterator<string>[],
  addresses: readonly Iterator<string>[],
  others: readonly Node[],
  mistakes: FileMistakes,
  path: Path,
): Node {
  const podCIDRs = ranges.map((each, i) => (i === 0 ? draft.podCIDR : null) ?? next(each));
  const internalIPs = addresses.map((each, i) => (i === 0 ? draft.internalIP : null) ?? next(each));
  if (podCIDRs.includes(null)) {
    const mask = podCIDRs[0] === null ? NODE_MASK[4] : NODE_MASK[6];
    const found = `no /${mask} of the pod CIDR is left for node ${others.length + 1}`;
    mistakes.add(path, found, `at most ${others.length} nodes, or a wider cluster.podCIDR`);
  }
  if (internalIPs.includes(null)) {
    const found = `no address of cluster.nodeCIDR is left for node ${others.length + 1}`;
    mistakes.add(path, found, `at most ${others.length} nodes, or a wider cluster.nodeCIDR`);
  }
  if (others.some(({ metadata }) => metadata.name === draft.metadata.name)) {
    mistakes.add(path, `a second Node ${draft.metadata.name}`, "unique names");
  }
  return {
    kind: "Node",
    metadata: draft.metadata,
    spec: {
      podCIDR: podCIDRs[0] ?? "",
      podCIDRs: podCIDRs.map((each) => each ?? ""),
      unschedulable: draft.unschedulable,
      ...(draft.taints === undefined ? {} : { taints: draft.taints }),
    },
    status: {
      internalIP: internalIPs[0] ?? "",
      internalIPs: internalIPs.map((each) => each ?? ""),
      allocatable: {
        cpuMillis: draft.cpuMillis ?? nodeShape.cpu,
        memoryBytes: draft.memoryBytes ?? nodeShape.memory,
        maxPods: draft.maxPods ?? nodeShape.maxPods,
      },
      ready: { status: true, lastTransitionTimeNs: 0 },
    },
  };
}

function checkDraft(draft: NodeDraft, pods: Prefix, mistakes: FileMistakes): void {
  if (draft.internalIP !== null && !Address4.isValid(draft.internalIP)) {
    mistakes.add(["status", "addresses"], draft.internalIP, "an IPv4 address");
  }
  if (draft.podCIDR === null) return;
  const own = prefixOrNull(draft.podCIDR);
  if (own === null || own.family !== 4 || own.length > 30 || !contains(pods, own)) {
    mistakes.add(["spec", "podCIDR"], draft.podCIDR, `an IPv4 CIDR within ${pods.text}`);
  }
}

/** Reports networks that overlap, by the names of their fields. */
export function checkApart(
  prefixes: Readonly<Record<string, readonly Prefix[]>>,
  mistakes: FileMistakes,
): void {
  const entries = Object.entries(prefixes).flatMap(([name, all]) =>
    all.map((prefix) => [name, prefix] as const),
  );
  for (const [index, [name, prefix]] of entries.entries()) {
    for (const [otherName, other] of entries.slice(0, index)) {
      if (prefix.family !== other.family) continue;
      if (prefix.first <= other.last && other.first <= prefix.last) {
        const found = `${prefix.text} overlaps ${otherName} ${other.text}`;
        mistakes.add([name], found, "networks that do not overlap");
      }
    }
  }
}

/** Pods of two families are on nodes of two families; Services may have two where pods do. */
function checkFamilies(
  {
    podCIDR,
    serviceCIDR,
    nodeCIDR,
  }: Readonly<Record<"podCIDR" | "serviceCIDR" | "nodeCIDR", readonly Prefix[]>>,
  mistakes: FileMistakes,
): void {
  if (podCIDR.length !== nodeCIDR.length) {
    const [path, example] =
      podCIDR.length < nodeCIDR.length
        ? ["podCIDR", "10.244.0.0/16,fd00:10:244::/56"]
        : ["nodeCIDR", "172.18.0.0/16,fc00:f853:ccd:e793::/64"];
    const found = "one family, where pods and nodes need the same";
    mistakes.add([path], found, `two CIDRs, such as "${example}"`);
  } else if (serviceCIDR.length > podCIDR.length) {
    const found = "two families, and pods have one";
    mistakes.add(["serviceCIDR"], found, "an IPv4 CIDR, or a podCIDR of two families");
  }
}

/** The pod ranges of nodes in order, without those that Nodes in manifests hold already. */
function* podRanges(pods: Prefix, drafts: readonly Placed<NodeDraft>[]): Generator<string> {
  const held = drafts.flatMap(({ object }) => prefixOrNull(object.podCIDR ?? "") ?? []);
  const mask = NODE_MASK[pods.family];
  const size = 1n << BigInt((pods.family === 4 ? 32 : 128) - mask);
  for (let first = pods.first; first <= pods.last; first += size) {
    const isHeld = held.some(
      ({ family, first: from, last }) =>
        family === pods.family && first <= last && from < first + size,
    );
    if (!isHeld) yield `${addressText(pods.family, first)}/${mask}`;
  }
}

/** Hosts' addresses in order; .1 is the router's. */
export function* hostAddresses(
  hosts: Prefix,
  drafts: readonly Placed<NodeDraft>[],
): Generator<string> {
  const held = new Set(drafts.map(({ object }) => object.internalIP));
  for (let value = hosts.first + 2n; value < hosts.last; value++) {
    const address = addressText(hosts.family, value);
    if (!held.has(address)) yield address;
  }
}

function addressText(family: 4 | 6, value: bigint): string {
  return (family === 4 ? Address4 : Address6).fromBigInt(value).correctForm();
}

function next(values: Iterator<string>): string | null {
  const { done, value } = values.next();
  return done === true ? null : value;
}

function prefixOrNull(text: string): Prefix | null {
  try {
    return parsePrefix(text);
  } catch {
    return null;
  }
}

function contains(outer: Prefix, inner: Prefix): boolean {
  return inner.family === outer.family && inner.first >= outer.first && inner.last <= outer.last;
}

/** Reports what the nodes together cannot hold. `clientPods`: pods that clients run in. */
export function checkRoom(
  nodes: readonly Node[],
  objects: ManifestObjects,
  clientPods: number,
  mistakes: FileMistakes,
): void {
  const demands = demandsOf(objects, nodes);
  const total = demands.reduce((sum, { pods }) => sum + pods, clientPods);
  const room = nodes.reduce((sum, node) => sum + podRoom(node), 0);
  if (total > room) {
    const where = demands[0]?.mistakes ?? mistakes;
    const found = `${total} pods in all (${clientPods} of clients)`;
    const allowed = `at most ${room} on ${nodes.length} nodes: addresses of each podCIDR and maxPods`;
    if (clientPods === total) mistakes.add(["clients"], found, allowed);
    else where.add(["spec", "replicas"], found, allowed);
  }
  checkResource(nodes, demands, "cpuMillis", (value) => `${value}m CPU`);
  checkResource(nodes, demands, "memoryBytes", (value) => `${value} bytes of memory`);
  for (const { object, mistakes: own } of objects.pods) checkNodeName(object, nodes, own);
}

/** Pods of a workload at a time, surges not counted. */
export function podsOf(owner: Workload, nodes: readonly Node[]): number {
  if (owner.kind === "Job")
    return Math.min(owner.spec.parallelism, owner.spec.completions ?? Infinity);
  if (owner.kind === "CronJob") {
    return Math.min(owner.spec.job.parallelism, owner.spec.job.completions ?? Infinity);
  }
  if (owner.kind !== "DaemonSet") return owner.spec.replicas;
  return nodes.filter((node) => isEligible(owner, node)).length;
}

interface Demand {
  readonly pods: number;
  readonly spec: PodSpec;
  readonly mistakes: FileMistakes;
}

function demandsOf(objects: ManifestObjects, nodes: readonly Node[]): Demand[] {
  const made = ownersOf(objects).map(({ object, mistakes }) => ({
    pods: podsOf(object, nodes),
    spec: object.spec.template.spec,
    mistakes,
  }));
  const bare = objects.pods.map(({ object, mistakes }) => ({
    pods: 1,
    spec: object.spec,
    mistakes,
  }));
  return [...made, ...bare];
}

/** Addresses of the node's range without network, gateway and broadcast address, up to maxPods. */
function podRoom({ spec, status }: Node): number {
  const prefix = prefixOrNull(spec.podCIDR);
  const addresses = prefix === null ? 0 : Number(prefix.last - prefix.first) - 2;
  return spec.unschedulable ? 0 : Math.min(Math.max(0, addresses), status.allocatable.maxPods);
}

function checkResource(
  nodes: readonly Node[],
  demands: readonly Demand[],
  resource: "cpuMillis" | "memoryBytes",
  show: (value: number) => string,
): void {
  const usable = nodes.filter(({ spec }) => !spec.unschedulable);
  const offered = usable.map(({ status }) => status.allocatable[resource]);
  const largest = Math.max(0, ...offered);
  const whole = offered.reduce((sum, value) => sum + value, 0);
  let asked = 0;
  for (const { pods, spec, mistakes } of demands) {
    const each = spec.containers.reduce((sum, c: Container) => sum + c.requests[resource], 0);
    const before = asked;
    asked += each * pods;
    const text = `${pods} pods that request ${show(each)} each`;
    if (pods > 0 && each > largest) mistakes.add(["spec"], text, `at most ${show(largest)} a node`);
    else if (asked > whole && before <= whole) {
      mistakes.add(
        ["spec"],
        `${text}: ${show(asked)} in all`,
        `at most ${show(whole)} on all nodes`,
      );
    }
  }
}

function checkNodeName(pod: Pod, nodes: readonly Node[], mistakes: FileMistakes): void {
  const { nodeName } = pod.spec;
  if (nodeName !== null && !nodes.some(({ metadata }) => metadata.name === nodeName)) {
    mistakes.add(["spec", "nodeName"], `no node ${nodeName}`, "the name of a node of this cluster");
  }
}
