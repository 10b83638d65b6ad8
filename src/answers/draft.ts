/**
 * An experiment on its way: somebody's cluster as data, which a question and its settings write into.
 *
 * Owns: finding what an experiment is about in that data, and copies, so that no run sees another's changes. Refuses to
 * own: where the data comes from (cluster.ts) and what is written (settings.ts, questions/).
 */
import type { ScenarioInput } from "../scenario/language/scenario.ts";
import type { ServerInput } from "../scenario/servers/index.ts";

/** A Kubernetes object as data. */
export type Data = Record<string, unknown>;

/** The Deployment and its Service, by their names in the scenario language. */
export interface Target {
  /** "deploy/web", or "shop/deploy/web". */
  readonly workload: string;
  /** "svc/web:80". */
  readonly service: string;
  /** "default/web", as results call it. */
  readonly serviceKey: string;
  readonly namespace: string;
  readonly name: string;
  readonly replicas: number;
  /** Number of the nodes. */
  readonly nodes: number;
  /** Services of the cluster, without those that are only there for their number. */
  readonly services: number;
  /** Services besides those. */
  readonly filler: number;
  /** Of the Service. */
  readonly type: "ClusterIP" | "NodePort" | "LoadBalancer";
}

/** Somebody's cluster, and what is asked about. Plain data: it is sent to threads. */
export interface Subject {
  /** A scenario without manifests. */
  readonly scenario: ScenarioInput;
  readonly objects: readonly Data[];
  /** Indices of the two objects. */
  readonly deploymentAt: number;
  readonly serviceAt: number;
  readonly target: Target;
  /** Requests per second. */
  readonly rate: number;
}

export interface Draft {
  /** Changed at will, as are the objects. */
  readonly scenario: ScenarioInput;
  readonly objects: Data[];
  readonly deployment: Data;
  readonly service: Data;
  readonly target: Target;
  readonly rate: number;
}

export function draftOf(subject: Subject): Draft {
  const { scenario, objects, deploymentAt, serviceAt, target, rate } = structuredClone(subject);
  const copies = [...objects];
  return {
    scenario,
    objects: copies,
    deployment: copies[deploymentAt]!,
    service: copies[serviceAt]!,
    target,
    rate,
  };
}

/** The mapping at a path of an object; made where there is none. */
export function at(object: Data, ...path: readonly string[]): Data {
  let here = object;
  for (const key of path) {
    const next = here[key];
    if (typeof next === "object" && next !== null) here = next as Data;
    else here = (here[key] = {}) as Data;
  }
  return here;
}

/** The spec of the Deployment's pods. */
export function podSpec({ deployment }: Pick<Draft, "deployment">): Data {
  return at(deployment, "spec", "template", "spec");
}

export function containers(draft: Pick<Draft, "deployment">): Data[] {
  const list = podSpec(draft)["containers"];
  return Array.isArray(list) ? (list as Data[]) : [];
}

/** The entry of `servers` of the Deployment. */
export function server({ scenario, target }: Draft): ServerInput & Data {
  const servers = (scenario.servers ??= {}) as Record<string, ServerInput & Data>;
  return (servers[target.workload] ??= {} as ServerInput & Data);
}

/** Sets a constant of the profile, by its path. */
export function setProfile({ scenario }: Draft, path: readonly string[], value: unknown): void {
  const parents = path.slice(0, -1);
  const profile = (scenario.profile ??= {}) as Data;
  at(profile, ...parents)[path.at(-1)!] = value;
}
