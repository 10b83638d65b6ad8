/**
 * What the proxiers of one IP family on all nodes begin with.
 *
 * Owns: the rules that a cluster at rest has in force, made once and pointed at by every node.
 */
import { objectKey, type EndpointSlice, type Service } from "../api/types.ts";
import type { TableSize } from "./contract.ts";
import { countEndpoints } from "./ruleDifferences.ts";
import {
  isNodeSpecific,
  sliceFamily,
  tableBase,
  type RuleBuilder,
  type RuleNode,
  type ServicePortRules,
  type TableBase,
} from "./rules.ts";

/** Slices by Service, and the rules made of them. */
export interface ProxyBase {
  readonly family: 4 | 6;
  /** Nothing is programmed yet. */
  readonly isCold: boolean;
  readonly slices: ReadonlyMap<string, readonly EndpointSlice[]>;
  readonly table: TableBase;
  readonly programmed: ReadonlyMap<string, readonly ServicePortRules[]>;
  readonly size: TableSize;
  /** Services of which nodes make different rules: the shared ones are no node's. */
  readonly nodeSpecific: readonly Service[];
}

/** A node that no endpoint is local to. */
const NOWHERE: RuleNode = { name: "", zone: null };

/** The state that every node shares at rest. */
export function proxyBase(
  services: Iterable<Service>,
  slices: Iterable<EndpointSlice>,
  builder: RuleBuilder,
  family: 4 | 6,
): ProxyBase {
  const byService = new Map<string, EndpointSlice[]>();
  for (const slice of slices) {
    if (sliceFamily(slice) !== family) continue;
    const of = byService.get(slice.service);
    if (of === undefined) byService.set(slice.service, [slice]);
    else of.push(slice);
  }
  const programmed = new Map<string, readonly ServicePortRules[]>();
  const all: ServicePortRules[] = [];
  const nodeSpecific: Service[] = [];
  let endpoints = 0;
  for (const service of services) {
    const key = objectKey(service);
    const own = byService.get(key) ?? [];
    if (isNodeSpecific(service, own)) nodeSpecific.push(service);
    const rules = builder.build(service, own, NOWHERE, family);
    programmed.set(key, rules);
    endpoints += countEndpoints(rules);
    all.push(...rules);
  }
  const table = tableBase(all);
  const size = { services: all.length, endpoints };
  return {
    family,
    isCold: all.length === 0,
    slices: byService,
    table,
    programmed,
    size,
    nodeSpecific,
  };
}
