/**
 * kube-proxy on one node: from its own watches to the rules in force.
 *
 * Owns: tracking what changed, when a sync runs, and that new rules count only at its end. Refuses to
 * own: what rules do to a packet (modes/). What it routes by is what it last programmed, nothing else.
 */
import { Phase, type Simulation } from "../../engine/index.ts";
import type { ApiServer, Informer } from "../api/contract.ts";
import { OverlayMap } from "../api/overlayMap.ts";
import { objectKey, type EndpointSlice, type Service } from "../api/types.ts";
import type { ChangeLedger } from "../ledger.ts";
import type { ProxyMode, SyncWork, TableSize } from "./contract.ts";
import type { KubeProxyProfile } from "./profile.ts";
import {
  isNodeSpecific,
  RuleTable,
  tableBase,
  type RuleBuilder,
  type RuleNode,
  type ServicePortRules,
  type TableBase,
} from "./rules.ts";
import { BoundedFrequencyRunner } from "./runner.ts";

/** What all nodes share when they begin: slices by Service, and the rules made of them. */
export interface ProxyBase {
  readonly slices: ReadonlyMap<string, readonly EndpointSlice[]>;
  readonly table: TableBase;
  readonly programmed: ReadonlyMap<string, readonly ServicePortRules[]>;
  readonly size: TableSize;
  /** Services of which nodes make different rules: the shared ones are no node's. */
  readonly nodeSpecific: readonly Service[];
}

export interface KubeProxyOptions {
  readonly sim: Simulation;
  readonly api: ApiServer;
  readonly profile: KubeProxyProfile;
  readonly mode: ProxyMode;
  readonly node: RuleNode;
  readonly builder: RuleBuilder;
  readonly ledger: ChangeLedger;
  readonly base: ProxyBase;
}

/** What a sync that has started will have put in force when it ends. */
interface Sync {
  readonly key: string;
  readonly rules: readonly ServicePortRules[];
  readonly slices: readonly EndpointSlice[];
}

export class KubeProxy {
  readonly table: RuleTable;
  readonly #options: KubeProxyOptions;
  readonly #services: Informer<"Service">;
  readonly #slices: OverlayMap<string, readonly EndpointSlice[]>;
  readonly #programmed: OverlayMap<string, readonly ServicePortRules[]>;
  /** Slices that the rules in force were made of: what a change is measured against. */
  readonly #inForce: OverlayMap<string, readonly EndpointSlice[]>;
  readonly #pending = new Set<string>();
  readonly #runner: BoundedFrequencyRunner;
  #endpoints: number;
  #fullSyncDue: boolean;
  #lastFullNs = 0;
  /** Syncs done, and the time they took. */
  syncs = 0;
  syncingNs = 0;

  constructor(options: KubeProxyOptions) {
    const { sim, api, profile, node, base } = options;
    this.#options = options;
    this.table = new RuleTable(base.table);
    this.#slices = new OverlayMap(base.slices);
    this.#inForce = new OverlayMap(base.slices);
    this.#programmed = new OverlayMap(base.programmed);
    this.#endpoints = base.size.endpoints;
    this.#fullSyncDue = base.table.servicePorts === 0;
    this.#runner = new BoundedFrequencyRunner(
      sim,
      { minPeriodNs: profile.minSyncPeriodNs, retryNs: profile.syncPeriodNs },
      () => this.#startSync(),
    );
    const watcher = `kube-proxy/${node.name}`;
    this.#services = api.watch("Service", {
      watcher,
      handlers: {
        added: (service) => this.#changed(objectKey(service)),
        updated: (_previous, service) => this.#changed(objectKey(service)),
        deleted: (service) => this.#changed(objectKey(service)),
      },
    });
    const slices = api.watch("EndpointSlice", {
      watcher,
      handlers: {
        added: (slice) => this.#sliceChanged(slice, slice),
        updated: (_previous, slice) => this.#sliceChanged(slice, slice),
        deleted: (slice) => this.#sliceChanged(slice, null),
      },
    });
    if (this.#fullSyncDue) this.#programAll(slices.values());
    else for (const service of base.nodeSpecific) this.#takeOver(service);
  }

  /** All that it has been told is programmed. */
  get isIdle(): boolean {
    return this.#runner.isIdle;
  }

  /** Services and endpoints that the node's tables hold. */
  size(): TableSize {
    return { services: this.table.servicePorts, endpoints: this.#endpoints };
  }

  /** At rest: this node's own rules of a Service of which each node makes its own. */
  #takeOver(service: Service): void {
    const { builder, node } = this.#options;
    const key = objectKey(service);
    const rules = builder.build(service, this.#slices.get(key) ?? [], node);
    this.#put(key, rules);
  }

  #put(key: string, rules: readonly ServicePortRules[]): void {
    const before = this.#programmed.get(key) ?? [];
    for (const old of before) this.table.remove(old);
    for (const each of rules) this.table.put(each);
    this.#endpoints += countEndpoints(rules) - countEndpoints(before);
    this.#programmed.set(key, rules);
  }

  /** A proxy that starts with empty tables programs what its first lists show. */
  #programAll(slices: Iterable<EndpointSlice>): void {
    for (const slice of slices) this.#putSlice(slice, slice);
    for (const service of this.#services.values()) this.#pending.add(objectKey(service));
    if (this.#pending.size > 0) this.#runner.request();
  }

  #sliceChanged(slice: EndpointSlice, now: EndpointSlice | null): void {
    this.#putSlice(slice, now);
    this.#changed(slice.service);
  }

  #putSlice(slice: EndpointSlice, now: EndpointSlice | null): void {
    const key = objectKey(slice);
    const others = (this.#slices.get(slice.service) ?? []).filter(
      (each) => objectKey(each) !== key,
    );
    this.#slices.set(slice.service, now === null ? others : [...others, now]);
  }

  #changed(service: string): void {
    this.#pending.add(service);
    this.#runner.request();
  }

  /** Takes what is known now; what comes later is for the next sync. */
  #startSync(): void {
    const { sim, profile, mode, builder, node } = this.#options;
    const changes: Sync[] = [];
    for (const key of this.#pending) {
      const service: Service | undefined = this.#services.get(key);
      const slices = this.#slices.get(key) ?? [];
      const rules = service === undefined ? [] : builder.build(service, slices, node);
      changes.push({ key, rules, slices: service === undefined ? [] : slices });
    }
    this.#pending.clear();
    const full = this.#isFullSync();
    const durationNs = mode.syncNs(profile, this.#workOf(changes, full));
    this.syncs++;
    this.syncingNs += durationNs;
    sim.callAfter(durationNs, Phase.topology, () => {
      for (const change of changes) this.#apply(change);
      if (full) {
        this.#fullSyncDue = false;
        this.#lastFullNs = sim.nowNs;
      }
      this.#runner.finished(true);
    });
  }

  #isFullSync(): boolean {
    const { sim, profile } = this.#options;
    const large = this.#endpoints > profile.largeClusterEndpoints;
    const hourly = !large && sim.nowNs - this.#lastFullNs >= profile.fullSyncPeriodNs;
    return this.#fullSyncDue || hourly;
  }

  #workOf(changes: readonly Sync[], full: boolean): SyncWork {
    let { services, endpoints } = this.size();
    let changedServices = 0;
    let changedEndpoints = 0;
    for (const { key, rules } of changes) {
      const before = this.#programmed.get(key) ?? [];
      services += rules.length - before.length;
      endpoints += countEndpoints(rules) - countEndpoints(before);
      changedServices += Math.max(rules.length, before.length);
      changedEndpoints += countChanged(before, rules);
    }
    return { size: { services, endpoints }, changedServices, changedEndpoints, full };
  }

  /** The rules of one Service come into force. */
  #apply({ key, rules, slices }: Sync): void {
    this.#put(key, rules);
    this.#report(key, this.#inForce.get(key) ?? [], slices);
    this.#inForce.set(key, slices);
  }

  /** Tells the book of changes which endpoints this node now uses, or no longer. */
  #report(
    service: string,
    before: readonly EndpointSlice[],
    after: readonly EndpointSlice[],
  ): void {
    const { ledger, node, sim } = this.#options;
    const was = endpointStates(before);
    const is = endpointStates(after);
    for (const [podUid, state] of is) {
      if (state.ready === (was.get(podUid)?.ready ?? false)) continue;
      ledger.programmed(node.name, service, podUid, state.ready, state.causeNs, sim.nowNs);
    }
    for (const [podUid, state] of was) {
      if (!state.ready || is.has(podUid)) continue;
      ledger.programmed(node.name, service, podUid, false, null, sim.nowNs);
    }
  }
}

interface EndpointState {
  readonly ready: boolean;
  readonly causeNs: number | null;
}

function endpointStates(slices: readonly EndpointSlice[]): Map<string, EndpointState> {
  const states = new Map<string, EndpointState>();
  for (const { endpoints } of slices) {
    for (const { podUid, conditions, observedCauseNs } of endpoints) {
      states.set(podUid, { ready: conditions.ready, causeNs: observedCauseNs });
    }
  }
  return states;
}

function countEndpoints(rules: readonly ServicePortRules[]): number {
  let count = 0;
  for (const { all } of rules) count += all.length;
  return count;
}

/** Endpoints that one version has and the other has not. */
function countChanged(
  before: readonly ServicePortRules[],
  after: readonly ServicePortRules[],
): number {
  let changed = 0;
  for (let i = 0; i < Math.max(before.length, after.length); i++) {
    const was = new Set(before[i]?.all.map(({ text }) => text));
    const is = new Set(after[i]?.all.map(({ text }) => text));
    for (const text of was) if (!is.has(text)) changed++;
    for (const text of is) if (!was.has(text)) changed++;
  }
  return changed;
}

/** A node that no endpoint is local to. */
const NOWHERE: RuleNode = { name: "", zone: null };

/** The state that every node shares at rest. */
export function proxyBase(
  services: Iterable<Service>,
  slices: Iterable<EndpointSlice>,
  builder: RuleBuilder,
): ProxyBase {
  const byService = new Map<string, EndpointSlice[]>();
  for (const slice of slices) {
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
    const rules = builder.build(service, own, NOWHERE);
    programmed.set(key, rules);
    endpoints += countEndpoints(rules);
    all.push(...rules);
  }
  const table = tableBase(all);
  const size = { services: all.length, endpoints };
  return { slices: byService, table, programmed, size, nodeSpecific };
}
