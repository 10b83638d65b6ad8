/**
 * From what was read to a complete scenario.
 *
 * Owns: putting the parts together, and the checks that need several of them. Reports everything it
 * finds; the result counts only when there was no mistake. Refuses to own: files and the engine.
 */
import { RandomStreams, type DurationNs } from "../engine/index.ts";
import {
  familyOf,
  type EndpointSlice,
  type Node,
  type Pod,
  type Service,
  type Workload,
} from "../kubernetes/api/types.ts";
import { parsePrefix, type Prefix } from "../network/address.ts";
import { allocateServices } from "./allocate.ts";
import { resolveCalls } from "./calls.ts";
import { checkRoom, resolveNodes } from "./cluster.ts";
import { resolveDocker } from "./docker.ts";
import { faultsOf, type Ignore } from "./faultsOf.ts";
import { dnsAddress } from "./manifests/coredns.ts";
import { admitPriorities } from "./manifests/scheduling.ts";
import { checkCIDRs } from "./manifests/kubeProxy.ts";
import { ownersOf, type ManifestObjects, type Placed } from "./manifests/objects.ts";
import { describeValue, nearest, type FileMistakes, type Path } from "./mistakes.ts";
import { profileOfVersion, type Profile } from "./profile.ts";
import type { ResolvedCluster, ResolvedScenario } from "./resolved.ts";
import { overrideProfile } from "./schema/profile.ts";
import type { ClusterPart, DnsPart, ScenarioParts } from "./schema/scenario.ts";
import {
  checkSelectors,
  keptEndpoints,
  podKinds,
  withListenedPorts,
  type KeptEndpoints,
  type PodKind,
} from "./services.ts";
import { remarkLookups } from "./lookups.ts";
import { remarkImages } from "./serverImages.ts";
import { parseThreshold, THRESHOLD_ALLOWED, unknownClient, type Threshold } from "./thresholds.ts";
import { clientLabels, resolveClients, resolveServers, type KnownNames } from "./targets.ts";

/** What a scenario gets from outside its file. */
export interface Surroundings {
  readonly name: string;
  readonly description: string;
  readonly file: string | null;
  readonly env: Readonly<Record<string, string>>;
  readonly defaultProfile: Profile;
}

/** undefined when a part that all else needs had mistakes. */
export function resolveScenario(
  parts: ScenarioParts,
  objects: ManifestObjects,
  surroundings: Surroundings,
  mistakes: FileMistakes,
): ResolvedScenario | undefined {
  const { defaultProfile, description, ...own } = surroundings;
  const profile = resolveProfile(parts, objects, defaultProfile, mistakes);
  checkUnique(objects);
  checkAutoscalers(objects);
  admitPriorities(objects);
  const { run, cluster } = parts;
  // Without the cluster's ranges nothing can be allocated, but names can still be checked.
  const streams = new RandomStreams(run?.seed ?? "1");
  const services = allocateServices(
    objects.services,
    cluster?.serviceCIDR.split(",") ?? null,
    streams,
    mistakes,
  );
  const ignore: Ignore = (object, own, path, reason) => {
    objects.ignored.push({ object, place: own.place(path), reason });
  };
  const kept = keptEndpoints(objects, services, (object, own, reason) =>
    ignore(object, own, [], reason),
  );
  if (cluster !== undefined && cluster.dns === undefined) listWithoutDns(objects, ignore);
  const kinds = [...podKinds(objects), ...clientKinds(parts)];
  checkSelectors(objects, (service, path, reason) =>
    ignore(`Service ${service.object.metadata.name}`, service.mistakes, path, reason),
  );
  if (run !== undefined) checkWindows(run.duration, run.window, mistakes);
  const durationNs = run?.duration ?? Number.MAX_SAFE_INTEGER;
  const placed = resolveServers(parts.servers, objects, mistakes);
  const zone = cluster?.dns === undefined ? null : profile.kubernetes.dns.zone;
  const known = knownNames(parts, objects, services, mistakes);
  const { servers, calls } = resolveCalls(placed, known, zone, mistakes);
  const clients = resolveClients(parts.clients, known, { durationNs, zone }, mistakes);
  const faults = faultsOf(parts, known, kinds, ignore, mistakes);
  remarkImages(placed, objects, faults.faults, ignore, mistakes);
  const thresholds = resolveThresholds(parts, clients, calls, mistakes);
  const resolved =
    cluster === undefined
      ? undefined
      : resolveCluster(
          parts,
          cluster,
          objects,
          ignore,
          { nodes: known.nodes ?? [], services, ...kept },
          mistakes,
        );
  if (resolved === undefined || run === undefined) return undefined;
  remarkLookups(resolved.services, clients, zone, ignore, mistakes);
  return {
    ...own,
    description: run.description ?? description,
    ...timesOf(run),
    cluster: { ...resolved, servers },
    docker: known.docker,
    clients,
    ...(calls.length > 0 && { calls }),
    ...faults,
    profile,
    thresholds,
    ignored: objects.ignored,
  };
}

function timesOf(run: NonNullable<ScenarioParts["run"]>) {
  return {
    seed: run.seed,
    durationNs: run.duration,
    coldStart: run.coldStart,
    ...(run.startsAt !== undefined && { epochSeconds: run.startsAt }),
    windowNs: run.window,
  };
}

function resolveThresholds(
  parts: ScenarioParts,
  clients: readonly { readonly name: string }[],
  calls: readonly { readonly name: string }[],
  mistakes: FileMistakes,
): Threshold[] {
  const names = [...clients, ...calls].map(({ name }) => name);
  // Of a client with a mistake of its own the name is not known.
  const isComplete = clients.length === parts.clients.length;
  return parts.thresholds.flatMap((text, index) => {
    const parsed =
      typeof text === "string"
        ? parseThreshold(text)
        : { problem: describeValue(text), allowed: THRESHOLD_ALLOWED, suggestion: null };
    const wrong = "problem" in parsed ? parsed : isComplete ? unknownClient(parsed, names) : null;
    if (wrong !== null) {
      mistakes.add(["thresholds", index], wrong.problem, wrong.allowed, wrong.suggestion);
    }
    return "problem" in parsed ? [] : [parsed];
  });
}

function resolveProfile(
  { profile, cluster }: ScenarioParts,
  { kubeProxy }: ManifestObjects,
  defaultProfile: Profile,
  mistakes: FileMistakes,
): Profile {
  // kube-proxy's own configuration comes before what the scenario says.
  const standard = profileOfVersion(defaultProfile, profile);
  const { name, ...constants } = kubeProxy?.(standard) ?? standard;
  const overridden = overrideProfile(constants, profile, mistakes);
  const resolved = {
    name,
    ...overridden,
    kubernetes: withDns(overridden.kubernetes, cluster?.dns),
  };
  checkCIDRs(resolved, mistakes);
  const { version, kubeProxy: proxy } = resolved.kubernetes;
  if (version === "1.28" && proxy.mode === "nftables") {
    const path = ["profile", "kubernetes", "kubeProxy", "mode"];
    mistakes.add(
      path,
      '"nftables" in Kubernetes 1.28',
      "iptables, ipvs or ebpf; nftables came with 1.29",
    );
  }
  return resolved;
}

/** Services that nothing but DNS leads to. */
function listWithoutDns({ services }: ManifestObjects, ignore: Ignore): void {
  for (const { object, mistakes } of services) {
    const { metadata, spec } = object;
    const what =
      spec.type === "ExternalName"
        ? "an ExternalName is an alias in DNS"
        : spec.clusterIP === "None"
          ? "a headless Service is reached by DNS"
          : null;
    if (what === null) continue;
    ignore(`Service ${metadata.name}`, mistakes, [], `${what}, which this cluster has not`);
  }
}

/** Everything that clients and faults may name; what could not be read is not missed. */
function knownNames(
  parts: ScenarioParts,
  objects: ManifestObjects,
  services: readonly Service[],
  mistakes: FileMistakes,
): KnownNames {
  const { cluster, docker: part, withoutCluster } = parts;
  const docker = resolveDocker(part ?? undefined, cluster, mistakes);
  const nodes =
    withoutCluster || cluster === undefined ? [] : resolveNodes(cluster, objects.nodes, mistakes);
  return {
    services,
    objects,
    nodes: cluster === undefined ? null : nodes,
    docker,
    allHosts: part !== null,
    allContainers: part === undefined || part?.isWhole === true,
  };
}

/** Windows of a run: each holds a row for each endpoint, and all are kept until the end. */
const MOST_WINDOWS = 1_000_000;

function checkWindows(durationNs: DurationNs, windowNs: DurationNs, mistakes: FileMistakes): void {
  const windows = Math.ceil(durationNs / windowNs);
  if (windows <= MOST_WINDOWS) return;
  mistakes.add(["window"], `${windows} windows in the run`, `at most ${MOST_WINDOWS} windows`);
}

function resolveCluster(
  parts: ScenarioParts,
  cluster: ClusterPart,
  objects: ManifestObjects,
  ignore: Ignore,
  {
    nodes,
    services,
    endpointSlices,
    endpoints,
  }: KeptEndpoints & Pick<ResolvedCluster, "nodes" | "services">,
  mistakes: FileMistakes,
): Omit<ResolvedCluster, "servers"> {
  const clientPods = parts.clients.reduce(
    (sum, { value }) => sum + (value?.from.kind === "pod" ? value.from.replicas : 0),
    0,
  );
  checkRoom(nodes, objects, clientPods, mistakes);
  const withPorts = <T extends Workload>(owner: T): T => {
    const { template } = owner.spec;
    const { namespace } = owner.metadata;
    const spec = withListenedPorts(template.spec, namespace, template.labels, services);
    return { ...owner, spec: { ...owner.spec, template: { ...template, spec } } };
  };
  return {
    nodes,
    network: cluster.network,
    images: cluster.images,
    podCIDR: cluster.podCIDR,
    serviceCIDR: cluster.serviceCIDR,
    deployments: objects.deployments.map(({ object }) => withPorts(object)),
    replicaSets: objects.replicaSets.map(({ object }) => withPorts(object)),
    workloads: objects.workloads.map(({ object }) => withPorts(object)),
    budgets: objects.budgets.map(({ object }) => object),
    autoscalers: objects.autoscalers.map(({ object }) => object),
    pods: objects.pods.map(({ object }): Pod => {
      const { namespace, labels } = object.metadata;
      return { ...object, spec: withListenedPorts(object.spec, namespace, labels, services) };
    }),
    services,
    ...livePodsOf(objects, nodes, ignore),
    endpointSlices,
    endpoints,
    ...(cluster.dns === undefined
      ? {}
      : { dns: { nodeLocal: cluster.dns.nodeLocal, address: dnsAddress(cluster.serviceCIDR) } }),
  };
}

/** Those of them that are on a node of this cluster, with the addresses that its range has. */
function livePodsOf(
  { livePods }: ManifestObjects,
  nodes: readonly Node[],
  ignore: Ignore,
): Pick<ResolvedCluster, "livePods"> {
  if (livePods.length === 0) return {};
  // A node without a range has been reported.
  const ranges = new Map(
    nodes.flatMap(({ metadata, spec }) =>
      spec.podCIDR === "" ? [] : [[metadata.name, parsePrefix(spec.podCIDR)] as const],
    ),
  );
  const found = livePods.flatMap(({ object, mistakes }) => {
    const range = ranges.get(object.nodeName);
    if (range === undefined) {
      ignore(
        `Pod ${object.name}`,
        mistakes,
        ["spec", "nodeName"],
        `no node ${object.nodeName}: its owner's pod is anywhere`,
      );
      return [];
    }
    return [{ ...object, address: isIn(range, object.address) ? object.address : null }];
  });
  const elsewhere = livePods.filter(
    ({ object }) => !isIn(ranges.get(object.nodeName), object.address),
  );
  const first = elsewhere.find(
    ({ object }) => object.address !== null && ranges.has(object.nodeName),
  );
  if (first !== undefined) {
    const reason = `${first.object.address} is in no range of ${first.object.nodeName}: such pods get other addresses (${elsewhere.length} in all)`;
    ignore(`Pod ${first.object.name}`, first.mistakes, ["status", "podIP"], reason);
  }
  return { livePods: found };
}

function isIn(range: Prefix | undefined, address: string | null): boolean {
  if (range === undefined || address === null || familyOf(address) !== "IPv4") return false;
  const { first } = parsePrefix(`${address}/32`);
  return range.family === 4 && first >= range.first && first <= range.last;
}

/** What the cluster says of its DNS, over the profile. */
function withDns(
  kubernetes: Profile["kubernetes"],
  part: DnsPart | undefined,
): Profile["kubernetes"] {
  if (part === undefined) return kubernetes;
  const { dns } = kubernetes;
  return {
    ...kubernetes,
    dns: {
      ...dns,
      recordTtlNs: part.ttl ?? dns.recordTtlNs,
      cpuPerQueryNs: part.cpuPerQuery ?? dns.cpuPerQueryNs,
      workers: part.workers ?? dns.workers,
      cache: {
        ...dns.cache,
        successTtlNs: part.cache.success ?? dns.cache.successTtlNs,
        denialTtlNs: part.cache.denial ?? dns.cache.denialTtlNs,
      },
      forward: { ...dns.forward, latency: part.upstream ?? dns.forward.latency },
    },
  };
}

function clientKinds({ clients }: ScenarioParts): PodKind[] {
  return clients.flatMap(({ value }) =>
    value?.from.kind !== "pod"
      ? []
      : [
          {
            title: `client ${value.name}`,
            namespace: "default",
            labels: clientLabels(value),
            spec: null,
          },
        ],
  );
}

/** An autoscaler has a workload of its namespace, whose pods say how much CPU they ask for. */
function checkAutoscalers(objects: ManifestObjects): void {
  const owners = ownersOf(objects);
  for (const { object, mistakes } of objects.autoscalers) {
    const { kind, name } = object.spec.scaleTargetRef;
    const { namespace } = object.metadata;
    const target = owners.find(
      ({ object: each }) =>
        each.kind === kind && each.metadata.name === name && each.metadata.namespace === namespace,
    );
    const path: Path = ["spec", "scaleTargetRef", "name"];
    if (target !== undefined) {
      const { containers } = target.object.spec.template.spec;
      const silent = containers.filter(({ requests }) => requests.cpuMillis === 0);
      if (silent.length === 0) continue;
      const names = silent.map((each) => each.name).join(", ");
      mistakes.add(
        path,
        `${kind} ${name} requests no CPU in ${silent.length === 1 ? "container" : "containers"} ${names}`,
        "resources.requests.cpu in each container: utilisation is a share of it",
      );
    } else if (objects.complete.workloads) {
      const known = owners
        .filter(({ object: each }) => each.kind === kind && each.metadata.namespace === namespace)
        .map(({ object: each }) => each.metadata.name);
      const allowed = `a ${kind} of namespace ${namespace}: ${known.join(", ") || "there is none"}`;
      mistakes.add(path, `no ${kind} "${name}"`, allowed, nearest(name, known));
    }
  }
}

/** Two objects of one kind cannot have one name. */
function checkUnique(objects: ManifestObjects): void {
  const all = [
    objects.deployments,
    objects.replicaSets,
    objects.workloads,
    objects.budgets,
    objects.autoscalers,
    objects.pods,
    objects.services,
    objects.endpointSlices,
  ];
  for (const list of all) {
    const places = new Map<string, string>();
    for (const { object, mistakes } of list as readonly Placed<Pod | Service | EndpointSlice>[]) {
      const key = `${object.metadata.namespace}/${object.metadata.name}`;
      const first = places.get(`${object.kind} ${key}`);
      if (first === undefined) places.set(`${object.kind} ${key}`, mistakes.place());
      else {
        const found = `a second ${object.kind} ${key}; the first is at ${first}`;
        mistakes.add(["metadata", "name"], found, "unique names");
      }
    }
  }
}
