/**
 * The faults of a scenario: those that are written, and those that chaos draws.
 *
 * Owns: what their names are looked up in, and what is late. Chaos' faults come last, read by the same rules as if an
 * author had written them there: pasted behind the others they are the same faults.
 */
import type { WorkloadName } from "../faults/workload.ts";
import { objectKey, ZONE_LABEL } from "../kubernetes/api/types.ts";
import { drawChaos } from "./chaos.ts";
import { checkContainerName } from "./docker.ts";
import type { ChaosTargets } from "./faults/contract.ts";
import { hostNames } from "./faults/hostNames.ts";
import { readFaults, resolveFaults, type FaultSurroundings } from "./faults/index.ts";
import { nearest, type FileMistakes, type Path } from "./mistakes.ts";
import type { ResolvedScenario } from "./resolved.ts";
import type { ScenarioParts } from "./schema/scenario.ts";
import type { PodKind } from "./services.ts";
import { checkPodSelector, findWorkload, reference, type KnownNames } from "./targets.ts";
import { formatDuration } from "./units.ts";

/** Lists what was read and has no effect. */
export type Ignore = (object: string, own: FileMistakes, path: Path, reason: string) => void;

export function faultsOf(
  parts: ScenarioParts,
  known: KnownNames,
  kinds: readonly PodKind[],
  ignore: Ignore,
  mistakes: FileMistakes,
): Pick<ResolvedScenario, "faults" | "drawnFaults"> {
  const { run, chaos } = parts;
  const durationNs = run?.duration ?? Number.MAX_SAFE_INTEGER;
  const hasDns = parts.cluster === undefined || parts.cluster.dns !== undefined;
  const named = surroundings(known, kinds, { durationNs, hasDns });
  const late: Parameters<typeof resolveFaults>[3] = ({ kind, atNs }, path) => {
    const reason = `begins at ${formatDuration(atNs)}, the run ends at ${formatDuration(durationNs)}`;
    ignore(`fault ${kind}`, mistakes, path, reason);
  };
  const written = resolveFaults(parts.faults, named, mistakes, late);
  if (chaos === undefined || run === undefined) return { faults: written };
  const drawnFaults = drawChaos(
    chaos,
    { seed: run.seed, durationNs },
    targets(known, hasDns),
    mistakes,
  );
  const drawn = resolveFaults(readFaults(drawnFaults, mistakes, "chaos"), named, mistakes, late);
  return { faults: [...written, ...drawn], drawnFaults };
}

function surroundings(
  { docker, nodes, services, allHosts, allContainers, objects }: KnownNames,
  kinds: readonly PodKind[],
  run: Pick<FaultSurroundings, "durationNs" | "hasDns">,
): FaultSurroundings {
  return {
    ...run,
    checkPods(pods, own) {
      // A workload that could not be read may be the one that is meant.
      if (objects.complete.workloads) checkPodSelector(pods, kinds, own);
    },
    workload: (text, allowed, own) => workloadNamed(text, allowed, objects, own),
    podsOf(text, own) {
      const object = findWorkload(text, objects, own)?.object;
      if (object === undefined) return null;
      const { namespace, labels } = object.metadata;
      return { namespace, selector: object.kind === "Pod" ? labels : object.spec.template.labels };
    },
    endpoints: (name, own) => endpointsNamed(name, objects, services, own),
    checkContainer(name, own) {
      if (allContainers) checkContainerName(name, docker, own);
    },
    hosts: hostNames(nodes, allHosts ? docker.hosts.map(({ name }) => name) : null),
  };
}

function targets({ nodes, objects, docker }: KnownNames, hasDns: boolean): ChaosTargets {
  const zones = nodes?.map(({ metadata }) => metadata.labels[ZONE_LABEL]) ?? [];
  const workload = (
    object: (typeof objects.deployments | typeof objects.replicaSets)[number]["object"],
  ): ChaosTargets["workloads"][number] => ({
    reference: reference(object.kind === "Deployment" ? "deploy" : "rs", object.metadata),
    kind: object.kind,
    namespace: object.metadata.namespace,
    selector: object.spec.template.labels,
    replicas: object.spec.replicas,
  });
  return {
    nodes: nodes?.map(({ metadata }) => metadata.name) ?? [],
    zones: [...new Set(zones.filter((zone) => zone !== undefined))],
    workloads: [...objects.deployments, ...objects.replicaSets].map(({ object }) =>
      workload(object),
    ),
    containers: docker.containers.map(({ name }) => name),
    hasDns,
  };
}

/** An Endpoints object of a Service without a selector: of the others the controller is the keeper. */
function endpointsNamed(
  name: string,
  objects: KnownNames["objects"],
  services: KnownNames["services"],
  mistakes: FileMistakes | undefined,
): string | null {
  const key = name.includes("/") ? name : `default/${name}`;
  const bare = new Set(services.filter(({ spec }) => spec.selector === null).map(objectKey));
  const kept = objects.endpoints.map(({ object }) => objectKey(object));
  const known = kept.filter((each) => bare.has(each));
  if (known.includes(key)) return key;
  const names = known.map((each) => each.replace(/^default\//, ""));
  const allowed = `Endpoints of a Service without a selector: ${names.join(", ") || "there are none"}`;
  mistakes?.add([], `no Endpoints "${name}"`, allowed, nearest(name, names));
  return null;
}

function workloadNamed(
  text: string,
  kinds: readonly string[],
  objects: KnownNames["objects"],
  mistakes: FileMistakes | undefined,
): WorkloadName | null {
  const found = findWorkload(text, objects, mistakes);
  if (found === null) return null;
  const { kind, metadata } = found.object;
  if (kinds.includes(kind)) return { kind, key: objectKey({ metadata }), text };
  mistakes?.add([], `${text} is a ${kind}`, `a ${kinds.join(" or a ")}`);
  return null;
}
