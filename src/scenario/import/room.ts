/**
 * Nodes for what was read: how many there have to be, and what they have to offer.
 *
 * Owns: counting pods and what they request, and the assumption that follows. Refuses to own: where a pod goes
 * (the scheduler).
 */
import { parseBytes, parseCpuMillis } from "../units.ts";
import { isRecord } from "../schema/reading.ts";
import { listAt, recordAt, type RawValue } from "./json.ts";
import type { Subject } from "./subject.ts";

/** Of a node nobody has said anything about: the scenario language's own default. */
const SHAPE = { cpuMillis: 4000, memoryBytes: 16 * 2 ** 30, pods: 110 };
const LEAST_NODES = 3;
/** The largest cluster that Kubernetes is made for (kubernetes.io, "Considerations for large clusters"). */
export const MOST_NODES = 5000;
export const MOST_PODS = 150_000;
/** Part of a node that pods are counted on: the rest is for surges of rollouts. */
const FILLED = 0.7;

export interface Room {
  /** Nodes beside those that were read. */
  readonly nodes: number;
  /** What they offer, where that is more than the default. */
  readonly shape: { readonly cpu?: number; readonly memory?: string };
}

interface Demand {
  pods: number;
  cpuMillis: number;
  memoryBytes: number;
  /** The most that one pod asks for. */
  mostCpuMillis: number;
  mostMemoryBytes: number;
}

/** @param clientPods pods that clients run in */
export function roomFor(
  workloads: readonly Subject[],
  nodes: readonly Subject[],
  clientPods: number,
  wanted: number | null,
): Room {
  const demand: Demand = {
    pods: clientPods,
    cpuMillis: 0,
    memoryBytes: 0,
    mostCpuMillis: 0,
    mostMemoryBytes: 0,
  };
  const daemons: Demand = { ...demand, pods: 0 };
  for (const each of workloads) add(each.kind === "DaemonSet" ? daemons : demand, each);
  const shape = shapeFor(demand, daemons);
  const has = { cpuMillis: 0, memoryBytes: 0, pods: 0 };
  for (const node of nodes) {
    const offered = offeredBy(node);
    has.cpuMillis += Math.max(0, offered.cpuMillis - daemons.cpuMillis);
    has.memoryBytes += Math.max(0, offered.memoryBytes - daemons.memoryBytes);
    has.pods += Math.max(0, offered.pods - daemons.pods);
  }
  const offers = nodes.map(offeredBy);
  const isFitting = (field: "cpuMillis" | "memoryBytes", one: number): boolean =>
    offers.some((each) => each[field] >= one);
  const needed = (field: keyof typeof has): number => {
    const own = (shape[field] - daemons[field]) * FILLED;
    return Math.max(0, Math.ceil((demand[field] - has[field]) / Math.max(own, 1)));
  };
  const misfit =
    nodes.length > 0 &&
    !(
      isFitting("cpuMillis", demand.mostCpuMillis) &&
      isFitting("memoryBytes", demand.mostMemoryBytes)
    );
  const least = nodes.length > 0 ? (misfit ? 1 : 0) : LEAST_NODES;
  const most = Math.max(least, needed("pods"), needed("cpuMillis"), needed("memoryBytes"));
  const count = wanted ?? Math.min(MOST_NODES, most);
  return {
    nodes: count,
    shape: {
      ...(shape.cpuMillis > SHAPE.cpuMillis && { cpu: shape.cpuMillis / 1000 }),
      ...(shape.memoryBytes > SHAPE.memoryBytes && {
        memory: `${Math.ceil(shape.memoryBytes / 2 ** 30)}Gi`,
      }),
    },
  };
}

function add(demand: Demand, workload: Subject): void {
  const pods = podsOf(workload);
  const { cpuMillis, memoryBytes } = requestsOf(workload);
  demand.pods += pods;
  demand.cpuMillis += pods * cpuMillis;
  demand.memoryBytes += pods * memoryBytes;
  demand.mostCpuMillis = Math.max(demand.mostCpuMillis, cpuMillis);
  demand.mostMemoryBytes = Math.max(demand.mostMemoryBytes, memoryBytes);
}

/** A node that holds the largest pod beside its daemons. */
function shapeFor(demand: Demand, daemons: Demand): typeof SHAPE {
  const cpuMillis = demand.mostCpuMillis + daemons.cpuMillis;
  const memoryBytes = demand.mostMemoryBytes + daemons.memoryBytes;
  return {
    ...SHAPE,
    cpuMillis: Math.max(SHAPE.cpuMillis, Math.ceil(cpuMillis / 1000) * 1000),
    memoryBytes: Math.max(SHAPE.memoryBytes, memoryBytes),
  };
}

/** Pods of a workload at a time; of a DaemonSet, on one node. */
export function podsOf({ kind, value }: Subject): number {
  if (kind === "Pod" || kind === "DaemonSet") return 1;
  const path = kind === "CronJob" ? ["spec", "jobTemplate", "spec"] : ["spec"];
  const spec = recordAt(value, ...path) ?? {};
  const count = spec[kind === "Job" || kind === "CronJob" ? "parallelism" : "replicas"];
  return typeof count === "number" ? count : 1;
}

function requestsOf(workload: Subject): { cpuMillis: number; memoryBytes: number } {
  let cpuMillis = 0;
  let memoryBytes = 0;
  for (const container of listAt(workload.podSpec(), "containers").filter(isRecord)) {
    const requests = recordAt(container, "resources", "requests") ?? {};
    const limits = recordAt(container, "resources", "limits") ?? {};
    cpuMillis += cpuOf(requests["cpu"] ?? limits["cpu"]) ?? 0;
    memoryBytes += bytesOf(requests["memory"] ?? limits["memory"]) ?? 0;
  }
  return { cpuMillis, memoryBytes };
}

function offeredBy({ value }: Subject): typeof SHAPE {
  const spec: RawValue = recordAt(value, "spec") ?? {};
  if (spec["unschedulable"] === true) return { cpuMillis: 0, memoryBytes: 0, pods: 0 };
  const offered = recordAt(value, "status", "allocatable") ?? recordAt(value, "status", "capacity");
  return {
    cpuMillis: cpuOf(offered?.["cpu"]) ?? SHAPE.cpuMillis,
    memoryBytes: bytesOf(offered?.["memory"]) ?? SHAPE.memoryBytes,
    pods: Number(offered?.["pods"] ?? SHAPE.pods),
  };
}

/** null where nothing, or nothing that can be understood, is written. */
export function cpuOf(value: unknown): number | null {
  if (typeof value !== "string" && typeof value !== "number") return null;
  const parsed = parseCpuMillis(value);
  return "value" in parsed ? parsed.value : null;
}

function bytesOf(value: unknown): number | null {
  if (typeof value !== "string" && typeof value !== "number") return null;
  const parsed = parseBytes(value);
  return "value" in parsed ? parsed.value : null;
}
