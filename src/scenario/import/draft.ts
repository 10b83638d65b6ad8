/**
 * The scenario that an import comes to, as data.
 *
 * Owns: what is assumed where manifests are silent: nodes, who calls, how much, how long a request takes.
 * Every assumption is told. Refuses to own: how it is written (text.ts), and what was read (prepare.ts).
 */
import { PodIndex, type Calls, type GuessedCall } from "./calls.ts";
import { durationText, fineDuration, type Traffic } from "../traffic/contract.ts";
import { entriesOf, isLoadGenerator, type Entry } from "./entry.ts";
import { CONCURRENCY, loadOf, serviceNsOf, USUAL_SERVICE_NS, type Load } from "./load.ts";
import { rangesFor, type Ranges } from "./networks.ts";
import { forgetNodeRules } from "./places.ts";
import { roomFor, type Room } from "./room.ts";
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
    /** CPU time of a request, on average. */
    readonly serviceNs: number;
  }[];
  readonly traffic: Traffic | null;
  /** null: nothing that could be called was read. */
  readonly entry: Entry | null;
  /** Other Services that requests may come to. */
  readonly otherEntries: readonly Entry[];
  readonly rate: number;
  readonly assumptions: readonly string[];
}

const CLIENT_PODS = 2;
/** Workloads that one line of the report names. */
const MOST_NAMED = 8;
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
  const entries = entriesOf(services, index, ingresses, calls, wishes.deployment);
  const entry = entries[0] ?? null;
  const graph = new Map<Subject, GuessedCall[]>();
  for (const call of calls.calls) graph.set(call.from, [...(graph.get(call.from) ?? []), call]);
  const first = entry === null ? [] : index.behind(entry.service);
  const load = loadOf(first, graph, index);
  const rate = wishes.rate ?? load.rate;
  tellNodes(room, hasNodes, zones, asksForZones, assumptions);
  tellTraffic(entry, rate, wishes, assumptions);
  tellWhereTheyEnd(first, graph, services, index, assumptions);
  tellSmall(load, assumptions);
  const idle = workloads.filter(
    (each) => graph.has(each) && (!index.isServed(each) || isLoadGenerator(each)),
  );
  for (const each of idle) {
    const called = graph.get(each)!.map(({ target }) => target);
    const what = isLoadGenerator(each) ? "makes load by its name," : "is behind no Service";
    assumptions.push(
      `${referenceTo(each)} ${what} and calls ${called.join(", ")}: it runs without a request`,
    );
  }
  const named = workloads.filter(
    (each) =>
      first.includes(each) || load.small.has(each) || (graph.has(each) && !idle.includes(each)),
  );
  return {
    duration: wishes.duration ?? durationOf(wishes.traffic),
    cluster: {
      ...((room.nodes > 0 || !hasNodes) && { nodes: room.nodes }),
      ...(zones !== undefined && { zones }),
      ...(Object.keys(room.shape).length > 0 && { nodeShape: room.shape }),
      ...(needsDns(calls, entry) && { dns: {} }),
      ...rangesFor(subjects, room.nodes),
    },
    servers: named.map((workload) => ({
      workload,
      calls: graph.get(workload) ?? [],
      isFirst: first.includes(workload),
      serviceNs: serviceNsOf(workload),
    })),
    traffic: wishes.traffic ?? null,
    entry,
    otherEntries: entries.slice(1),
    rate,
    assumptions,
  };
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
  const where = `${rate} ${rate === 1 ? "request" : "requests"}/s to ${entry.target}, ${entry.why}`;
  const isSaid = wishes.rate !== undefined || wishes.traffic !== undefined;
  assumptions.push(isSaid ? `requests go to ${entry.target}, ${entry.why}` : where);
  assumptions.push(
    `${CONCURRENCY} requests at a time in each container, 4 ms of CPU time each on average (exponential)`,
  );
}

function needsDns({ calls }: Calls, entry: Entry | null): boolean {
  return entry?.via === "name" || calls.some(({ target }) => target.startsWith("dns://"));
}

/** A front door that calls nobody, in front of others, is not what its makers meant. */
function tellWhereTheyEnd(
  first: readonly Subject[],
  graph: ReadonlyMap<Subject, unknown>,
  services: readonly Subject[],
  index: PodIndex,
  assumptions: string[],
): void {
  if (first.length === 0 || first.some((each) => graph.has(each))) return;
  const others = services.filter((service) => {
    const behind = index.behind(service);
    return behind.length > 0 && !behind.some((each) => first.includes(each));
  });
  if (others.length === 0) return;
  const names = first.map(referenceTo).join(", ");
  assumptions.push(
    `nothing that was read says whom ${names} calls: requests end there, and the pods of ` +
      `${others.length} other Service${others.length === 1 ? "" : "s"} get none; write \`calls\` where you know them`,
  );
}

function tellSmall({ small }: Load, assumptions: string[]): void {
  if (small.size === 0) return;
  const each = [...small]
    .slice(0, MOST_NAMED)
    .map((workload) => `${referenceTo(workload)} ${fineDuration(serviceNsOf(workload))}`);
  if (small.size > MOST_NAMED) each.push(`... and ${small.size - MOST_NAMED} more`);
  const usual = fineDuration(USUAL_SERVICE_NS);
  assumptions.push(
    `less than ${usual} where the CPU limit says that its work is small: ${each.join(", ")}`,
  );
}

function durationOf(traffic: Traffic | undefined): string {
  return traffic === undefined ? DURATION : durationText(traffic.durationNs);
}
