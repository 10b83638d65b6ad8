/** Hosts by name, by zone, or all outside: targets of the faults of machines and of the lines between them. */
import type { z } from "zod";
import type { HostGroup } from "../../faults/hosts.ts";
import type { StruckNodes } from "../../faults/struckNodes.ts";
import type { FileMistakes } from "../mistakes.ts";
import type { SchemaWords } from "../schema/words.ts";
import type { ChaosDraw, FaultSurroundings, FaultTargets } from "./contract.ts";

/**
 * "node-1", "docker-1", "zone/zone-1" for the nodes of a zone, "outside" for all hosts outside, or several of
 * these.
 */
export type HostsInput = string | string[];

/** "node-1", "zone/zone-1", or several of these. */
export type NodesInput = string | string[];

type Hosts = z.ZodType<readonly string[]>;

export function hostList({ scalar }: SchemaWords, what: string): Hosts {
  return scalar(what, (input) => {
    const names: unknown = typeof input === "string" ? [input] : input;
    if (!Array.isArray(names) || names.length === 0) return null;
    return names.every((name) => typeof name === "string") ? { value: names as string[] } : null;
  });
}

export const HOSTS_ALLOWED = 'hosts such as "node-1", "zone/zone-1", "outside", or a list of them';
export const NODES_ALLOWED = 'nodes such as "node-1" or "zone/zone-1", or a list of them';

/** `nodes: ...`: the cluster's machines. */
export const nodeTargets: FaultTargets<{ nodes: Hosts }> = {
  fields: (words) => ({ nodes: hostList(words, NODES_ALLOWED) }),
  check: ({ nodes }, { hosts }, mistakes) => void hosts(nodes, "nodes", mistakes.within(["nodes"])),
};

/** `nodes: ...`, or `workload: ...` for one that runs a pod of it. */
export interface StruckNodesInput {
  /** Either this or `workload`. */
  nodes?: NodesInput;
  /** "deploy/web": one node that runs a pod of it, drawn when the time has come. */
  workload?: string;
}

export const struckTargets: FaultTargets<{
  nodes: z.ZodOptional<Hosts>;
  workload: z.ZodOptional<z.ZodType<string>>;
}> = {
  fields: (words) => ({
    nodes: hostList(words, NODES_ALLOWED).optional(),
    workload: words.text('a workload such as "deploy/web"').optional(),
  }),
  check: ({ nodes, workload }, { hosts, podsOf }, mistakes) => {
    if ((nodes === undefined) === (workload === undefined)) {
      const found = nodes === undefined ? "neither nodes nor workload" : "both nodes and workload";
      mistakes.add([], found, "one of the two");
    }
    if (nodes !== undefined) hosts(nodes, "nodes", mistakes.within(["nodes"]));
    if (workload !== undefined) podsOf(workload, mistakes.within(["workload"]));
  },
};

/** null where that has been found wrong before. */
export function struckNodes(
  {
    nodes = [],
    workload,
  }: {
    readonly nodes?: readonly string[] | undefined;
    readonly workload?: string | undefined;
  },
  { hosts, podsOf }: FaultSurroundings,
): StruckNodes | null {
  return workload === undefined ? hosts(nodes, "nodes") : podsOf(workload);
}

/** `hosts: ...`: those with connection tracking, nodes and Docker hosts. */
export const trackedTargets: FaultTargets<{ hosts: Hosts }> = {
  fields: (words) => ({ hosts: hostList(words, NODES_ALLOWED) }),
  check: ({ hosts: names }, { hosts }, mistakes) =>
    void hosts(names, "tracked", mistakes.within(["hosts"])),
};

/** `from: ..., to: ...`: the lines between two sets of hosts. */
export const lineTargets: FaultTargets<{ from: Hosts; to: z.ZodOptional<Hosts> }> = {
  fields: (words) => ({
    from: hostList(words, HOSTS_ALLOWED),
    to: hostList(words, HOSTS_ALLOWED).optional(),
  }),
  check: (line, surroundings, mistakes) => void resolveLine(line, surroundings, mistakes),
};

export function resolveLine(
  line: { readonly from: readonly string[]; readonly to?: readonly string[] | undefined },
  { hosts }: FaultSurroundings,
  mistakes: FileMistakes | undefined,
): { from: HostGroup; to: HostGroup | null } {
  return {
    from: hosts(line.from, "any", mistakes?.within(["from"])),
    to: line.to === undefined ? null : hosts(line.to, "any", mistakes?.within(["to"])),
  };
}

/** A node or a zone against all others or against another; null where there is but one node. */
export function drawLine({
  nodes,
  zones,
  below,
  pick,
}: ChaosDraw): { from: string; to?: string; oneWay: boolean } | null {
  if (nodes.length < 2) return null;
  const oneWay = below(3) === 0;
  const sides = zones.length > 1 && below(2) === 0 ? zones.map((zone) => `zone/${zone}`) : nodes;
  const from = pick(sides);
  if (below(2) === 0) return { from, oneWay };
  return { from, to: pick(sides.filter((side) => side !== from)), oneWay };
}

/** One node for a while; null where there is none. */
export function drawNode(
  { nodes, pick, between }: ChaosDraw,
  lowMs: number,
  highMs: number,
): { nodes: string; for: `${number}ms` } | null {
  return nodes.length === 0 ? null : { nodes: pick(nodes), for: between(lowMs, highMs) };
}
