/**
 * What a question is about: somebody's manifests, one Deployment of them and the Service in front of it.
 *
 * Owns: finding the two, and the mistakes in naming them. Refuses to own: reading manifests, and what is assumed where
 * they are silent (scenario/import).
 */
import {
  importCluster,
  readStdin,
  selects,
  type DraftWishes,
  type Imported,
} from "../scenario/import/index.ts";
import { count, counted } from "../output/index.ts";
import { nearest, optionMistake, UserError } from "../scenario/index.ts";
import type { ScenarioInput } from "../scenario/language/scenario.ts";
import { BUILT_IN, BUILT_IN_NODES, BUILT_IN_RATE, builtInManifest } from "./builtin.ts";
import { at, type Data, type Subject, type Target } from "./draft.ts";

export interface ClusterOptions {
  /** Manifests: files, folders or "-"; none: the built-in cluster. */
  readonly filename?: readonly string[] | undefined;
  /** NAME or NAMESPACE/NAME of the Deployment; default: that behind the Service which requests come to first. */
  readonly deploy?: string | undefined;
  /** Requests per second. */
  readonly rate?: number | undefined;
  readonly nodes?: number | undefined;
  readonly zones?: number | undefined;
  /** Services besides those of the manifests. */
  readonly services?: number | undefined;
}

export interface Found {
  readonly subject: Subject;
  /** What was read, for a reader. */
  readonly source: string;
  readonly assumed: readonly string[];
}

/**
 * @param fillsWith Services that the built-in cluster has besides its own, where the options do not say
 * @throws UserError for manifests that cannot be read, and for a Deployment that is not among them or has no Service
 */
export function clusterOf(options: ClusterOptions, fillsWith: number): Found {
  const { filename, deploy, services } = options;
  const read = readerOf(options);
  let imported = read(deploy);
  let deployment = chosen(imported, deploy);
  if (deployment === null) {
    // Requests come to something else first: the first Deployment that can be called.
    const other = callable(imported)[0];
    if (other === undefined) throw noneCallable();
    imported = read(keyOf(other));
    deployment = other;
  }
  const { draft, objects, scenario } = imported;
  const entry = draft.entry!;
  const wanted = keyOf(deployment);
  const index = (kind: string, key: string) =>
    objects.findIndex((each) => each["kind"] === kind && keyOf(each) === key);
  const deploymentAt = index("Deployment", wanted);
  const serviceAt = index("Service", entry.service.key);
  const filler = services ?? (filename === undefined ? fillsWith : 0);
  const own = targetOf(objects[deploymentAt]!, objects[serviceAt]!, entry.target, scenario);
  const target = { ...own, filler };
  const more = filler === 0 ? [] : [`${count(filler)} Services more, which nobody calls`];
  const assumed = filename === undefined ? builtInAssumed(draft.assumptions) : draft.assumptions;
  return {
    subject: {
      scenario: imported.written as ScenarioInput,
      objects,
      deploymentAt,
      serviceAt,
      target,
      rate: draft.rate,
    },
    source:
      filename === undefined
        ? `the built-in cluster: ${counted(target.nodes, "node")}, ${BUILT_IN}`
        : filename.join(", "),
    assumed: [...assumed, ...more],
  };
}

/** Of the built-in cluster nothing is assumed but how long requests take. */
function builtInAssumed(assumptions: readonly string[]): readonly string[] {
  return assumptions.filter((each) => each.includes("at a time"));
}

function readerOf({ filename, rate, nodes, zones }: ClusterOptions): (deploy?: string) => Imported {
  const text = new TextEncoder().encode(builtInManifest);
  const builtIn = filename === undefined;
  let stdin: Uint8Array | undefined;
  const bytes = () => (stdin ??= builtIn ? text : readStdin());
  const wishes: DraftWishes = {
    zones,
    nodes: nodes ?? (builtIn ? BUILT_IN_NODES : undefined),
    rate: rate ?? (builtIn ? BUILT_IN_RATE : undefined),
  };
  return (deployment) => importCluster(filename ?? ["-"], bytes, { ...wishes, deployment });
}

/** null: nobody says which, and what requests come to first is none. */
function chosen(imported: Imported, deploy: string | undefined): Data | null {
  const all = imported.objects.filter(({ kind }) => kind === "Deployment");
  const { entry } = imported.draft;
  if (deploy === undefined) {
    return all.find((each) => entry !== null && isBehind(entry.service.value, each)) ?? null;
  }
  const named = all.filter((each) => [keyOf(each), nameOf(each)].includes(deploy));
  const option = `--deploy ${deploy.slice(0, 80)}`;
  const listed = (list: readonly Data[]) => list.map(shown).slice(0, 40).join(", ");
  if (named.length === 0) {
    if (all.length === 0) throw noneCallable();
    const meant = nearest(deploy, all.map(shown));
    const found = "no such Deployment in what was read";
    throw new UserError([optionMistake(option, found, `one of ${listed(all)}`, meant)]);
  }
  if (named.length > 1) {
    const found = `${named.length} Deployments of that name`;
    throw new UserError([optionMistake(option, found, `one of ${named.map(keyOf).join(", ")}`)]);
  }
  if (entry !== null) return named[0]!;
  const found = "no Service with a TCP port and an address of its own selects its pods";
  const allowed = listed(callable(imported));
  const rest = allowed === "" ? "a Deployment with a Service" : `one of ${allowed}`;
  throw new UserError([optionMistake(option, found, rest)]);
}

/** Deployments with a Service. */
function callable({ objects }: Imported): Data[] {
  const services = objects.filter(({ kind }) => kind === "Service");
  return objects
    .filter(({ kind }) => kind === "Deployment")
    .filter((each) => services.some((service) => isBehind(service, each)));
}

function noneCallable(): UserError {
  const found = "no Deployment with a Service in what was read";
  return new UserError([optionMistake("-f", found, "manifests with one, or no -f at all")]);
}

function isBehind(service: Data, deployment: Data): boolean {
  const { selector, clusterIP, type } = specOf(service);
  const { labels } = at(structuredClone(deployment), "spec", "template", "metadata");
  return (
    namespaceOf(service) === namespaceOf(deployment) &&
    clusterIP !== "None" &&
    type !== "ExternalName" &&
    selects((selector ?? null) as Data | null, (labels ?? {}) as Data)
  );
}

function targetOf(
  deployment: Data,
  service: Data,
  address: string,
  scenario: Imported["scenario"],
): Omit<Target, "filler"> {
  const namespace = namespaceOf(deployment);
  const name = nameOf(deployment);
  const { type = "ClusterIP" } = specOf(service);
  return {
    workload: namespace === "default" ? `deploy/${name}` : `${namespace}/deploy/${name}`,
    service: address,
    serviceKey: keyOf(service),
    namespace,
    name,
    replicas: Number(specOf(deployment)["replicas"] ?? 1),
    nodes: scenario.cluster.nodes.length,
    services: scenario.cluster.services.length,
    type: type as Target["type"],
  };
}

function specOf(object: Data): Data {
  return (object["spec"] ?? {}) as Data;
}

function nameOf(object: Data): string {
  return String((object["metadata"] as Data)["name"]);
}

function namespaceOf(object: Data): string {
  return String((object["metadata"] as Data)["namespace"] ?? "default");
}

function keyOf(object: Data): string {
  return `${namespaceOf(object)}/${nameOf(object)}`;
}

/** As `--deploy` takes it. */
function shown(object: Data): string {
  return namespaceOf(object) === "default" ? nameOf(object) : keyOf(object);
}
