/**
 * The scenario that an import comes to, as data.
 *
 * Owns: what is assumed where manifests are silent: nodes, who calls, how much, how long a request takes.
 * Every assumption is told. Refuses to own: how it is written (text.ts), and what was read (prepare.ts).
 */
import { isRecord } from "../schema/reading.ts";
import { PodIndex, targetOf, type Calls, type GuessedCall } from "./calls.ts";
import { durationText, type Traffic } from "../traffic/contract.ts";
import { listAt, recordAt, textAt } from "./json.ts";
import { rangesFor, type Ranges } from "./networks.ts";
import { forgetNodeRules } from "./places.ts";
import { cpuOf, podsOf, roomFor, type Room } from "./room.ts";
import { isWorkload, referenceTo, type Subject } from "./subject.ts";

/** What the command line says, where it says something. */
export interface DraftWishes {
  readonly nodes?: number | undefined;
  readonly zones?: number | undefined;
  readonly rate?: number | undefined;
  readonly duration?: string | undefined;
  /** In place of the assumed rate. */
  readonly traffic?: Traffic | undefined;
  /** NAME or NAMESPACE/NAME of the Deployment that requests come to first. */
  readonly deployment?: string | undefined;
}

/** Where requests come in. */
export interface Entry {
  readonly service: Subject;
  /** "svc/web:80". */
  readonly target: string;
  readonly via: "clusterIP" | "nodePort" | "loadBalancer";
  readonly why: string;
}

export interface Draft {
  readonly duration: string;
  readonly cluster: {
    readonly nodes?: number;
    readonly zones?: number;
    readonly nodeShape?: Room["shape"];
    readonly dns?: Record<string, never>;
  } & Ranges;
  /** Workloads with calls, or that requests come to first, and what they call. */
  readonly servers: readonly {
    readonly workload: Subject;
    readonly calls: readonly GuessedCall[];
    /** Requests from outside come to it first. */
    readonly isFirst: boolean;
  }[];
  readonly traffic: Traffic | null;
  /** null: nothing that could be called was read. */
  readonly entry: Entry | null;
  /** Other Services that requests may come to. */
  readonly otherEntries: readonly Entry[];
  readonly rate: number;
  readonly assumptions: readonly string[];
}

/** Of the profile's server: what a request takes where nobody says anything. */
const SERVICE_SECONDS = 0.004;
const CONCURRENCY = 8;
const RATE = 100;
const CLIENT_PODS = 2;
/** Part of a workload's capacity that the assumed rate takes at most. */
const BUSY = 0.5;
const ZONES = 3;
const DURATION = "2m";

/** @param ingresses say where requests come in, though they are no part of the scenario */
export function draftOf(
  subjects: readonly Subject[],
  ingresses: readonly Subject[],
  calls: Calls,
  wishes: DraftWishes,
): Draft {
  const assumptions: string[] = [];
  const workloads = subjects.filter(isWorkload);
  const services = subjects.filter(({ kind }) => kind === "Service");
  const index = new PodIndex(workloads);
  const nodes = subjects.filter(({ kind }) => kind === "Node");
  const hasNodes = nodes.length > 0;
  const asksForZones = !hasNodes && forgetNodeRules(workloads, wishes.zones !== undefined);
  const zones = wishes.zones ?? (asksForZones ? ZONES : undefined);
  const room = roomFor(workloads, nodes, CLIENT_PODS, wishes.nodes ?? null);
  const entries = entriesOf(wantedOf(services, index, wishes), index, ingresses, calls);
  const entry = entries[0] ?? null;
  const graph = new Map<Subject, GuessedCall[]>();
  for (const call of calls.calls) graph.set(call.from, [...(graph.get(call.from) ?? []), call]);
  const first = entry === null ? [] : index.behind(entry.service);
  const rate = wishes.rate ?? rateFor(first, graph, index);
  tellNodes(room, hasNodes, zones, asksForZones, assumptions);
  tellTraffic(entry, rate, wishes, assumptions);
  const idle = workloads.filter((each) => graph.has(each) && !index.isServed(each));
  for (const each of idle) {
    const called = graph.get(each)!.map(({ target }) => target);
    assumptions.push(
      `${referenceTo(each)} is behind no Service and calls ${called.join(", ")}: it runs without a request`,
    );
  }
  const named = workloads.filter(
    (each) => first.includes(each) || (graph.has(each) && !idle.includes(each)),
  );
  return {
    duration: wishes.duration ?? durationOf(wishes.traffic),
    cluster: {
      ...((room.nodes > 0 || !hasNodes) && { nodes: room.nodes }),
      ...(zones !== undefined && { zones }),
      ...(Object.keys(room.shape).length > 0 && { nodeShape: room.shape }),
      ...(calls.calls.some(({ target }) => target.startsWith("dns://")) && { dns: {} }),
      ...rangesFor(subjects, room.nodes),
    },
    servers: named.map((workload) => ({
      workload,
      calls: graph.get(workload) ?? [],
      isFirst: first.includes(workload),
    })),
    traffic: wishes.traffic ?? null,
    entry,
    otherEntries: entries.slice(1),
    rate,
    assumptions,
  };
}

/** Services that requests may come to. */
function wantedOf(
  services: readonly Subject[],
  index: PodIndex,
  { deployment }: DraftWishes,
): readonly Subject[] {
  if (deployment === undefined) return services;
  const isMeant = ({ kind, name, key }: Subject): boolean =>
    kind === "Deployment" && (name === deployment || key === deployment);
  return services.filter((each) => index.behind(each).some(isMeant));
}

function tellNodes(
  { nodes, shape }: Room,
  hasNodes: boolean,
  zones: number | undefined,
  asksForZones: boolean,
  assumptions: string[],
): void {
  if (nodes > 0) {
    const { cpu = 4, memory = "16Gi" } = shape;
    const more = hasNodes ? " more" : "";
    assumptions.push(
      `${nodes} node${nodes === 1 ? "" : "s"}${more} of ${cpu} CPUs and ${memory}` +
        (hasNodes
          ? ", as what was read does not fit on the Nodes that were"
          : ": no Node was read"),
    );
  }
  if (zones !== undefined && asksForZones) {
    assumptions.push(`${zones} zones: pods ask to be spread over zones`);
  }
}

function tellTraffic(
  entry: Entry | null,
  rate: number,
  wishes: DraftWishes,
  assumptions: string[],
): void {
  if (entry === null) {
    assumptions.push("no client: no Service with pods and a TCP port was read");
    return;
  }
  const where = `${rate} requests/s to ${entry.target}, ${entry.why}`;
  const isSaid = wishes.rate !== undefined || wishes.traffic !== undefined;
  assumptions.push(isSaid ? `requests go to ${entry.target}, ${entry.why}` : where);
  assumptions.push(
    `${CONCURRENCY} requests at a time in each container, 4 ms of CPU time each on average (exponential)`,
  );
}

function durationOf(traffic: Traffic | undefined): string {
  return traffic === undefined ? DURATION : durationText(traffic.durationNs);
}

/** A rate that no workload on the way is more than half busy with. */
function rateFor(
  first: readonly Subject[],
  graph: ReadonlyMap<Subject, readonly GuessedCall[]>,
  index: PodIndex,
): number {
  const share = new Map<Subject, number>();
  const visit = (subject: Subject, part: number, depth: number): void => {
    share.set(subject, (share.get(subject) ?? 0) + part);
    if (depth > 32 || share.size > 10_000) return;
    for (const { to } of graph.get(subject) ?? []) spread(index.behind(to), part, depth);
  };
  const spread = (behind: readonly Subject[], part: number, depth: number): void => {
    const pods = behind.reduce((sum, each) => sum + podsOf(each), 0);
    if (pods === 0) return;
    for (const each of behind) visit(each, (part * podsOf(each)) / pods, depth + 1);
  };
  spread(first, 1, 0);
  let rate = RATE;
  for (const [subject, part] of share) {
    if (part > 0) rate = Math.min(rate, (BUSY * capacityOf(subject)) / part);
  }
  return Math.max(1, Math.floor(rate));
}

/** Requests per second of all its pods. */
function capacityOf(workload: Subject): number {
  let most = CONCURRENCY / SERVICE_SECONDS;
  const container = listAt(workload.podSpec(), "containers").find(isRecord);
  const limit = cpuOf(recordAt(container, "resources", "limits")?.["cpu"]);
  if (limit !== null) most = Math.min(most, limit / 1000 / SERVICE_SECONDS);
  return most * podsOf(workload);
}

/** Names that a shop's front door has. */
const FRONT = /front|gateway|ingress|web|www|edge|proxy|\bui\b|portal|productpage|vote/;

/** Services that requests from outside may come to, the most likely first. */
function entriesOf(
  all: readonly Subject[],
  index: PodIndex,
  ingresses: readonly Subject[],
  calls: Calls,
): Entry[] {
  const services = all.filter((each) => index.behind(each).length > 0);
  const called = new Set(calls.calls.map(({ to }) => to));
  const callers = new Set(calls.calls.map(({ from }) => from));
  const routed = ingressBackends(ingresses);
  const ranked = services.flatMap((service) => {
    const target = targetOf(service, routed.get(service.key) ?? null);
    if (target === null) return [];
    const type = textAt(service.value, "spec", "type");
    const calling = index.behind(service).some((each) => callers.has(each));
    const [rank, why] =
      type === "LoadBalancer"
        ? [0, "the load balancer's Service"]
        : routed.has(service.key)
          ? [1, "which an Ingress leads to"]
          : type === "NodePort"
            ? [2, "which has a node port"]
            : calling && !called.has(service)
              ? [3, "which calls others and nobody calls"]
              : FRONT.test(service.name)
                ? [4, "by its name"]
                : [called.has(service) ? 6 : 5, "the first of what was read"];
    const isSystem = /^(kube-|.*-system$|monitoring$|istio-)/.test(service.namespace);
    const via =
      type === "LoadBalancer" ? "loadBalancer" : type === "NodePort" ? "nodePort" : "clusterIP";
    const front = FRONT.test(service.name) ? 0 : 0.5;
    return [
      {
        rank: Number(rank) + front + (isSystem ? 10 : 0),
        entry: { service, target, via, why } as Entry,
      },
    ];
  });
  const sorted = ranked.toSorted((a, b) => a.rank - b.rank);
  return sorted.filter(({ rank }, index) => index === 0 || rank < 3).map(({ entry }) => entry);
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
