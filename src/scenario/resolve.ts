/**
 * From what was read to a complete scenario.
 *
 * Owns: putting the parts together, and the checks that need several of them. Reports everything it
 * finds; the result counts only when there was no mistake. Refuses to own: files and the engine.
 */
import { RandomStreams } from "../engine/index.ts";
import type { EndpointSlice, Pod, PodTemplate, Service } from "../kubernetes/api/types.ts";
import { allocateServices } from "./allocate.ts";
import { checkRoom, resolveNodes } from "./cluster.ts";
import { resolveFaults, type FaultSurroundings } from "./faults/index.ts";
import type { ManifestObjects, Placed } from "./manifests/objects.ts";
import type { FileMistakes, Path } from "./mistakes.ts";
import type { Profile } from "./profile.ts";
import type { ResolvedCluster, ResolvedScenario } from "./resolved.ts";
import { overrideProfile } from "./schema/profile.ts";
import type { ClusterPart, ScenarioParts } from "./schema/scenario.ts";
import {
  checkSelectors,
  keptEndpoints,
  podKinds,
  withListenedPorts,
  type KeptEndpoints,
  type PodKind,
} from "./services.ts";
import { checkPodSelector, clientLabels, resolveClients, resolveServers } from "./targets.ts";

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
  const { defaultProfile, description, ...named } = surroundings;
  const { name: profileName, ...constants } = defaultProfile;
  const profile: Profile = {
    name: profileName,
    ...overrideProfile(constants, parts.profile, mistakes),
  };
  checkUnique(objects);
  const { run, cluster } = parts;
  // Without the cluster's ranges nothing can be allocated, but names can still be checked.
  const streams = new RandomStreams(run?.seed ?? "1");
  const services = allocateServices(
    objects.services,
    (cluster?.serviceCIDR ?? "10.0.0.0/8").split(","),
    streams,
    mistakes,
  );
  const ignore = (object: string, own: FileMistakes, path: Path, reason: string): void => {
    objects.ignored.push({ object, place: own.place(path), reason });
  };
  const kept = keptEndpoints(objects, services, (object, own, reason) =>
    ignore(object, own, [], reason),
  );
  const kinds = [...podKinds(objects), ...clientKinds(parts)];
  checkSelectors(objects, (service, path, reason) =>
    ignore(`Service ${service.object.metadata.name}`, service.mistakes, path, reason),
  );
  const durationNs = run?.duration ?? Number.MAX_SAFE_INTEGER;
  const servers = resolveServers(parts.servers, objects, mistakes);
  const clients = resolveClients(parts.clients, services, objects, durationNs, mistakes);
  const checkPods: FaultSurroundings["checkPods"] = (pods, own) => {
    // A workload that could not be read may be the one that is meant.
    if (objects.complete.workloads) checkPodSelector(pods, kinds, own);
  };
  const faults = resolveFaults(parts.faults, { durationNs, checkPods }, mistakes);
  const resolved =
    cluster === undefined
      ? undefined
      : resolveCluster(parts, cluster, objects, { services, ...kept }, mistakes);
  if (resolved === undefined || run === undefined) return undefined;
  return {
    ...named,
    description: run.description ?? description,
    seed: run.seed,
    durationNs: run.duration,
    coldStart: run.coldStart,
    windowNs: run.window,
    cluster: { ...resolved, servers },
    clients,
    faults,
    profile,
    ignored: objects.ignored,
  };
}

function resolveCluster(
  parts: ScenarioParts,
  cluster: ClusterPart,
  objects: ManifestObjects,
  { services, endpointSlices, mirrored }: KeptEndpoints & Pick<ResolvedCluster, "services">,
  mistakes: FileMistakes,
): Omit<ResolvedCluster, "servers"> {
  const nodes = resolveNodes(cluster, objects.nodes, mistakes);
  const clientPods = parts.clients
    .filter(({ value }) => value?.from.kind === "pod")
    .reduce((sum, { value }) => sum + (value?.from.replicas ?? 0), 0);
  checkRoom(nodes, objects, clientPods, mistakes);
  const listening = (namespace: string, template: PodTemplate): PodTemplate => ({
    ...template,
    spec: withListenedPorts(template.spec, namespace, template.labels, services),
  });
  return {
    nodes,
    network: cluster.network,
    podCIDR: cluster.podCIDR,
    serviceCIDR: cluster.serviceCIDR,
    deployments: objects.deployments.map(({ object }) => ({
      ...object,
      spec: {
        ...object.spec,
        template: listening(object.metadata.namespace, object.spec.template),
      },
    })),
    replicaSets: objects.replicaSets.map(({ object }) => ({
      ...object,
      spec: {
        ...object.spec,
        template: listening(object.metadata.namespace, object.spec.template),
      },
    })),
    pods: objects.pods.map(({ object }): Pod => {
      const { namespace, labels } = object.metadata;
      return { ...object, spec: withListenedPorts(object.spec, namespace, labels, services) };
    }),
    services,
    endpointSlices,
    mirrored,
  };
}

function clientKinds({ clients }: ScenarioParts): PodKind[] {
  return clients.flatMap(({ value }) =>
    value === undefined || value.from.kind === "outside"
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

/** Two objects of one kind cannot have one name. */
function checkUnique(objects: ManifestObjects): void {
  const { deployments, replicaSets, pods, services, endpointSlices } = objects;
  for (const list of [deployments, replicaSets, pods, services, endpointSlices]) {
    const places = new Map<string, string>();
    for (const { object, mistakes } of list as readonly Placed<Pod | Service | EndpointSlice>[]) {
      const key = `${object.metadata.namespace}/${object.metadata.name}`;
      const first = places.get(key);
      if (first === undefined) places.set(key, mistakes.place());
      else {
        const found = `a second ${object.kind} ${key}; the first is at ${first}`;
        mistakes.add(["metadata", "name"], found, "unique names");
      }
    }
  }
}
