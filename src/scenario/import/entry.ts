/**
 * Where requests come in.
 *
 * Owns: which Service outsiders are assumed to call, and why it is thought so. It is told, with the other ways in.
 */
import { nameTargetOf, targetOf, type Calls, type GuessedCall, type PodIndex } from "./calls.ts";
import { listAt, recordAt, textAt } from "./json.ts";
import { referenceTo, type Subject } from "./subject.ts";

/** Where requests come in. */
export interface Entry {
  readonly service: Subject;
  /** "svc/web:80". */
  readonly target: string;
  readonly via: "clusterIP" | "name" | "nodePort" | "loadBalancer";
  readonly why: string;
}

/** Names that a shop's front door has. */
const FRONT = /front|gateway|ingress|web(?!hook)|www|edge|proxy|\bui\b|portal|productpage|vote/;
/** Names of what the cluster itself or its watchers call. */
const ASIDE = /webhook|admission|metrics|monitor|exporter/;
/** Names of programs that do nothing but call. */
const LOAD_GENERATOR = /load-?(gen|test|bot|runner)|locust|vegeta|traffic-?gen|(^|-)(k6|bot)(-|$)/;

export function isLoadGenerator({ name }: Subject): boolean {
  return LOAD_GENERATOR.test(name);
}

/**
 * Services that requests from outside may come to, the most likely first.
 * @param ingresses say where requests come in, though they are no part of the scenario
 * @param deployment NAME or NAMESPACE/NAME: only what leads to it
 */
export function entriesOf(
  all: readonly Subject[],
  index: PodIndex,
  ingresses: readonly Subject[],
  { calls }: Calls,
  deployment: string | undefined,
): Entry[] {
  const isMeant = ({ kind, name, key }: Subject): boolean =>
    deployment === undefined ||
    (kind === "Deployment" && (name === deployment || key === deployment));
  const callersOf = new Map<Subject, GuessedCall[]>();
  for (const call of calls) callersOf.set(call.to, [...(callersOf.get(call.to) ?? []), call]);
  const signs: Signs = {
    routed: ingressBackends(ingresses),
    callersOf,
    callers: new Set(calls.map(({ from }) => from)),
  };
  const ranked = all.flatMap((service) => {
    const behind = index.behind(service);
    if (!behind.some(isMeant)) return [];
    const port = signs.routed.get(service.key) ?? null;
    const name = nameTargetOf(service, port, index);
    const target = targetOf(service, port) ?? name;
    if (target === null) return [];
    const [rank, why] = rankOf(service, behind, signs);
    const via = target === name ? "name" : wayInto(service);
    return [{ rank, entry: { service, target, via, why } satisfies Entry }];
  });
  const sorted = ranked.toSorted((a, b) => a.rank - b.rank);
  return sorted.filter(({ rank }, index) => index === 0 || rank < 3).map(({ entry }) => entry);
}

function wayInto({ value }: Subject): Entry["via"] {
  const type = textAt(value, "spec", "type");
  return type === "LoadBalancer" ? "loadBalancer" : type === "NodePort" ? "nodePort" : "clusterIP";
}

interface Signs {
  readonly routed: ReadonlyMap<string, number | null>;
  readonly callersOf: ReadonlyMap<Subject, readonly GuessedCall[]>;
  readonly callers: ReadonlySet<Subject>;
}

/** How likely a Service is the front door: the lower the more. */
function rankOf(
  service: Subject,
  behind: readonly Subject[],
  signs: Signs,
): readonly [rank: number, why: string] {
  const [rank, why] = signOf(service, behind, signs);
  const isSystem = /^(kube-|.*-system$|monitoring$|istio-)/.test(service.namespace);
  const isAside = ASIDE.test(service.name) || behind.every(isLoadGenerator);
  const front = FRONT.test(service.name) ? 0 : 0.5;
  return [rank + front + (isSystem ? 10 : 0) + (isAside ? 5 : 0), why];
}

function signOf(
  service: Subject,
  behind: readonly Subject[],
  { routed, callersOf, callers }: Signs,
): readonly [number, string] {
  const own = callersOf.get(service) ?? [];
  const generator = own.find(({ from }) => isLoadGenerator(from));
  const via = wayInto(service);
  if (via === "loadBalancer") return [0, "the load balancer's Service"];
  if (routed.has(service.key)) return [1, "which an Ingress leads to"];
  if (via === "nodePort") return [2, "which has a node port"];
  if (generator !== undefined && own.every(({ from }) => isLoadGenerator(from))) {
    return [3, `which ${referenceTo(generator.from)} calls`];
  }
  if (own.length === 0 && behind.some((each) => callers.has(each))) {
    return [4, "which calls others and nobody calls"];
  }
  if (FRONT.test(service.name)) return [5, "by its name"];
  return [own.length === 0 ? 6 : 7, "the first of what was read"];
}

/** Services that Ingresses lead to, and by which port. */
function ingressBackends(ingresses: readonly Subject[]): Map<string, number | null> {
  const found = new Map<string, number | null>();
  for (const ingress of ingresses) {
    const { value } = ingress.raw;
    const paths = listAt(value, "spec", "rules").flatMap((rule) => listAt(rule, "http", "paths"));
    const backends = [
      recordAt(value, "spec", "defaultBackend"),
      recordAt(value, "spec", "backend"),
      ...paths.map((each) => recordAt(each, "backend")),
    ];
    for (const backend of backends) {
      const name = textAt(backend, "service", "name") ?? textAt(backend, "serviceName");
      const port = recordAt(backend, "service", "port")?.["number"] ?? backend?.["servicePort"];
      if (name === null) continue;
      found.set(`${ingress.namespace}/${name}`, typeof port === "number" ? port : null);
    }
  }
  return found;
}
