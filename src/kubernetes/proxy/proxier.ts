/**
 * The proxier of one IP family in a kube-proxy: from what it is told to the rules of that family in force.
 *
 * Owns: tracking what changed, when a sync runs, and that new rules count only at its end. Refuses to
 * own: the process and its watches, which the proxiers of both families share (kubeProxy.ts), what rules do to a packet
 * (modes/), how much two versions of rules differ (ruleDifferences.ts) and what the book of changes is told
 * (programmingReport.ts). What it routes by is what it last programmed, nothing else.
 */
import { Phase, type DurationNs, type SimTimeNs, type Simulation } from "../../engine/index.ts";
import type { Watch } from "../api/contract.ts";
import { OverlayMap } from "../api/overlayMap.ts";
import {
  LAST_CHANGE_TRIGGER_TIME,
  objectKey,
  type EndpointSlice,
  type Service,
} from "../api/types.ts";
import type { ChangeLedger } from "../ledger.ts";
import { TransportProtocol } from "../../network/nat.ts";
import { ChangeTracker } from "./changeTracker.ts";
import { FlowCleaner } from "./conntrackCleanup.ts";
import type {
  ConnectionTable,
  ProgrammedRules,
  ProxyMode,
  SyncWork,
  TableSize,
} from "./contract.ts";
import type { KubeProxyProfile } from "./profile.ts";
import { reportProgrammed } from "./programmingReport.ts";
import type { ProxyBase } from "./proxyBase.ts";
import { countEndpoints, countMissing, sameServing } from "./ruleDifferences.ts";
import { RuleTable, type RuleBuilder, type RuleNode, type ServicePortRules } from "./rules.ts";
import { BoundedFrequencyRunner } from "./runner.ts";
import { withSlice } from "./sliceVersions.ts";

/** What the proxiers of a kube-proxy have in common. */
export interface ProxierOptions {
  readonly sim: Simulation;
  readonly profile: KubeProxyProfile;
  readonly mode: ProxyMode;
  readonly node: RuleNode;
  readonly builder: RuleBuilder;
  readonly ledger: ChangeLedger;
  /** How many times its CPU time anything takes on the node. Absent: once. */
  readonly cpuStretch?: () => number;
  /** Told of the rules of a Service that come into force on this node. */
  readonly programmed?: (
    service: string,
    rules: readonly ServicePortRules[],
    family: 4 | 6,
  ) => void;
  /** For observations: a sync has ended. */
  readonly synced?: (startedAtNs: SimTimeNs, full: boolean, failed: boolean, family: 4 | 6) => void;
  /** For observations: a Service's rules are in force, made of these slices. */
  readonly applied?: (service: string, slices: readonly EndpointSlice[], family: 4 | 6) => void;
  /** For observations: what a slice's trigger time tells of is in force now. */
  readonly triggerProgrammed?: (triggerNs: SimTimeNs, family: 4 | 6) => void;
  /** The node's connection tracking; null where there is none. */
  readonly connections: ConnectionTable | null;
}

/** The process that a proxier is part of. */
export interface ProxyProcess {
  /** Of its node, as its watch last told. */
  readonly zone: string | null;
  /** Its informer's store. */
  readonly services: Pick<Watch<"Service">, "get" | "values">;
  /** Makes what shall be done: not if the process has ended when it is due, and later if it stands still. */
  guard(due: () => void): () => void;
}

/** One Service, as a sync that has started will have put it in force when it ends. */
interface Change {
  readonly key: string;
  readonly rules: readonly ServicePortRules[];
  readonly slices: readonly EndpointSlice[];
}

/** What a sync has taken from the trackers, and when it began. */
interface Taken extends Pick<ReturnType<ChangeTracker["take"]>, "triggers" | "arrivals"> {
  readonly startedAtNs: SimTimeNs;
}

export class Proxier {
  readonly family: 4 | 6;
  readonly table: RuleTable;
  readonly #options: ProxierOptions;
  readonly #process: ProxyProcess;
  readonly #slices: OverlayMap<string, readonly EndpointSlice[]>;
  readonly #programmed: OverlayMap<string, readonly ServicePortRules[]>;
  /**
   * Slices that the rules were last made of: what a change is measured against. Rules that are lost are no
   * change; what has changed meanwhile is programmed by the sync that makes them again.
   */
  readonly #lastApplied: OverlayMap<string, readonly EndpointSlice[]>;
  readonly #tracker: ChangeTracker;
  readonly #runner: BoundedFrequencyRunner;
  readonly #syncPeriodNs: DurationNs;
  /** Services whose last sync failed: the trackers have forgotten them. */
  readonly #unsynced = new Set<string>();
  #endpoints: number;
  #fullSyncDue: boolean;
  #lastFullNs = 0;
  #staleEndpoints = 0;
  #lastCleanupNs = -Infinity;
  #brokenUntilNs = -Infinity;
  /** The chains are gone that a partial sync builds on. */
  #isFlushed = false;
  /** What is in the node's kernel, once the rules are there. */
  kernel: ProgrammedRules | null = null;
  /** When the oldest change came that is not programmed yet; null for none. */
  #pendingSinceNs: SimTimeNs | null = null;
  /** No sync has succeeded yet. */
  #isStarting: boolean;
  /** Syncs done, and how many of them failed. */
  syncs = 0;
  failures = 0;
  /** UDP entries that syncs have taken out of conntrack. */
  flowsDeleted = 0;
  /** What the last sync wrote. */
  lastWork: SyncWork | null = null;
  /** Network programming latency as upstream measures it: samples, and the sum and greatest of them. */
  readonly programming = { count: 0, sumNs: 0, maxNs: 0 };

  constructor(options: ProxierOptions, process: ProxyProcess, base: ProxyBase) {
    const { sim, profile, mode } = options;
    this.family = base.family;
    this.#options = options;
    this.#process = process;
    this.table = new RuleTable(base.table);
    this.#slices = new OverlayMap(base.slices);
    this.#lastApplied = new OverlayMap(base.slices);
    this.#programmed = new OverlayMap(base.programmed);
    this.#endpoints = base.size.endpoints;
    this.#fullSyncDue = base.isCold;
    this.#isStarting = base.isCold;
    this.#tracker = new ChangeTracker(sim.nowNs);
    const { minSyncPeriodNs: minPeriodNs, syncPeriodNs } = mode.settings(profile);
    this.#syncPeriodNs = syncPeriodNs;
    const periods = { minPeriodNs, retryNs: syncPeriodNs, burst: profile.syncBurst };
    this.#runner = new BoundedFrequencyRunner(sim, periods, () => {
      // Takes what is known now; what comes later is for the next sync.
      process.guard(() => this.#sync())();
    });
  }

  /** One that starts with empty tables programs what its first lists show. */
  startCold(slices: Iterable<EndpointSlice>): void {
    for (const slice of slices) this.#putSlice(slice, slice, this.#options.sim.nowNs);
    this.#lookAtAll();
    if (!this.#tracker.isEmpty) this.#request();
  }

  /** At rest: this node's own rules of Services of which each node makes its own. */
  startAtRest(nodeSpecific: readonly Service[]): void {
    const { builder, node } = this.#options;
    for (const service of nodeSpecific) {
      const key = objectKey(service);
      this.#put(key, builder.build(service, this.#slices.get(key) ?? [], node, this.family));
    }
  }

  /** ProxyHealthServer.Health: as it starts, and unless a change has waited for two sync periods. */
  get isHealthy(): boolean {
    const { nowNs } = this.#options.sim;
    if (this.#isStarting || this.#pendingSinceNs === null) return true;
    return nowNs - this.#pendingSinceNs < 2 * this.#syncPeriodNs;
  }

  /** All that it has been told is programmed. */
  get isIdle(): boolean {
    return this.#runner.isIdle && !this.#isFlushed;
  }

  /** The process ends. Its rules stay; a sync under way has written nothing. */
  stop(): void {
    this.#runner.stop();
  }

  /** A new process: it has listed everything and writes its tables anew. */
  restart(slices: Iterable<EndpointSlice>): void {
    this.#isStarting = true;
    const { nowNs } = this.#options.sim;
    this.#tracker.restart(nowNs);
    // What the last process had been told and not written is news again.
    for (const key of this.#slices.keys()) this.#slices.set(key, this.#lastApplied.get(key) ?? []);
    const listed = new Set<string>();
    for (const slice of slices) {
      listed.add(objectKey(slice));
      this.#putSlice(slice, slice, nowNs);
    }
    for (const known of this.#slices.values()) {
      for (const slice of known) {
        if (!listed.has(objectKey(slice))) this.#putSlice(slice, null, nowNs);
      }
    }
    for (const key of this.#programmed.keys()) this.#tracker.changed(key);
    this.#lookAtAll();
    this.#fullSyncDue = true;
    if (!this.#tracker.isEmpty) this.#runner.request();
  }

  /** The node has lost its kernel's memory: nothing is programmed. Only of a process that is stopped. */
  forgetRules(): void {
    for (const key of this.#programmed.keys()) this.#put(key, []);
    this.#staleEndpoints = 0;
    this.#isFlushed = false;
  }

  /** Services and endpoints that the tables hold. */
  size(): TableSize {
    return { services: this.table.servicePorts, endpoints: this.#endpoints };
  }

  /** Syncs that end before then fail: iptables-restore or the transaction returns an error. */
  breakSyncsUntil(atNs: SimTimeNs): void {
    this.#brokenUntilNs = Math.max(this.#brokenUntilNs, atNs);
  }

  /**
   * Somebody flushes the tables. The canary, looked at every syncPeriod, is gone with the rest:
   * a full sync writes everything again.
   */
  flushed(): void {
    const { sim } = this.#options;
    this.#isFlushed = true;
    for (const service of this.#process.services.values()) {
      const key = objectKey(service);
      this.#put(key, []);
      this.#unsynced.add(key);
    }
    const nextLookNs = (Math.floor(sim.nowNs / this.#syncPeriodNs) + 1) * this.#syncPeriodNs;
    sim.callAt(nextLookNs, Phase.start, () => {
      this.#fullSyncDue = true;
      this.#runner.request();
    });
  }

  /** @param deliveredNs when the watch had brought it to the process */
  sliceChanged(slice: EndpointSlice, deliveredNs: SimTimeNs, isIgnored: boolean): void {
    this.#putSlice(slice, slice, deliveredNs);
    if (isIgnored) return;
    const written = slice.metadata.annotations[LAST_CHANGE_TRIGGER_TIME];
    const triggerNs = written === undefined ? NaN : Number(written);
    this.#tracker.sliceChanged(slice.service, Number.isFinite(triggerNs) ? triggerNs : null);
    this.#request();
  }

  sliceDeleted(slice: EndpointSlice, deliveredNs: SimTimeNs, isIgnored: boolean): void {
    this.#putSlice(slice, null, deliveredNs);
    if (isIgnored) return;
    this.#tracker.sliceDeleted(slice.service);
    this.#request();
  }

  /** The node's zone is another: which endpoints it may use is to be seen for every Service. */
  topologyChanged(): void {
    this.#fullSyncDue = true;
    this.#lookAtAll();
    this.#request();
  }

  serviceChanged(key: string): void {
    this.#tracker.changed(key);
    this.#request();
  }

  #lookAtAll(): void {
    for (const service of this.#process.services.values()) {
      this.#tracker.changed(objectKey(service));
    }
  }

  #put(key: string, rules: readonly ServicePortRules[]): void {
    const before = this.#programmed.get(key) ?? [];
    this.table.replace(before, rules);
    this.#endpoints += countEndpoints(rules) - countEndpoints(before);
    this.#programmed.set(key, rules);
    this.#options.programmed?.(key, rules, this.family);
    this.kernel?.changed(before, rules);
  }

  #putSlice(slice: EndpointSlice, now: EndpointSlice | null, deliveredNs: SimTimeNs): void {
    const { previous, slices } = withSlice(this.#slices.get(slice.service), slice, now);
    const times = { deliveredNs, trackedNs: this.#options.sim.nowNs };
    this.#tracker.endpointsArrived(previous, now, times);
    this.#slices.set(slice.service, slices);
  }

  #request(): void {
    this.#pendingSinceNs ??= this.#options.sim.nowNs;
    this.#runner.request();
  }

  #sync(): void {
    const { sim, profile, mode } = this.#options;
    const { services, triggers, arrivals } = this.#tracker.take();
    const keys = this.#unsynced.size === 0 ? services : new Set([...this.#unsynced, ...services]);
    const changes = Array.from(keys, (key) => this.#changeOf(key));
    const work = this.#workOf(changes, this.#isFullSync());
    const durationNs = Math.round(mode.syncNs(profile, work) * (this.#options.cpuStretch?.() ?? 1));
    this.lastWork = work;
    this.syncs++;
    const startedAtNs = sim.nowNs;
    const end = this.#process.guard(() => {
      const failed = !this.#endSync(changes, { triggers, arrivals, startedAtNs }, work);
      this.#options.synced?.(startedAtNs, work.full, failed, this.family);
    });
    sim.callAfter(durationNs, Phase.topology, end);
  }

  #changeOf(key: string): Change {
    const { builder } = this.#options;
    const node = { name: this.#options.node.name, zone: this.#process.zone };
    const service: Service | undefined = this.#process.services.get(key);
    if (service === undefined) return { key, rules: [], slices: [] };
    const slices = this.#slices.get(key) ?? [];
    return { key, rules: builder.build(service, slices, node, this.family), slices };
  }

  /**
   * Either everything counts from now on, or nothing does and a full sync is due (iptables-restore is atomic).
   * @returns whether it does
   */
  #endSync(changes: readonly Change[], taken: Taken, work: SyncWork): boolean {
    const { nowNs } = this.#options.sim;
    const failed = nowNs < this.#brokenUntilNs || (this.#isFlushed && !work.full);
    if (failed) {
      this.failures++;
      this.#fullSyncDue = true;
      for (const { key } of changes) this.#unsynced.add(key);
      this.#tracker.putBack(taken.arrivals);
    } else {
      this.#unsynced.clear();
      const udpChanged = changes.some((change) => this.#changesUdpEndpoints(change));
      for (const change of changes) this.#apply(change, taken);
      if (udpChanged) this.#cleanConntrack();
      this.#noteCleanup(work);
      if (work.full) {
        this.#fullSyncDue = false;
        this.#isFlushed = false;
        this.#lastFullNs = nowNs;
      }
      this.#observeLatency(taken.triggers);
      this.#pendingSinceNs = null;
      this.#isStarting = false;
    }
    this.#runner.finished(!failed);
    return !failed;
  }

  #changesUdpEndpoints({ key, rules }: Change): boolean {
    const before = this.#programmed.get(key) ?? [];
    return (before.some(isUdp) || rules.some(isUdp)) && !sameServing(before, rules);
  }

  /** At the end of a sync that changed endpoints of a UDP Service: all of them are looked at. */
  #cleanConntrack(): void {
    const { connections, builder } = this.#options;
    if (connections === null) return;
    const cleaner = new FlowCleaner(this.table.udp(), builder.addresses);
    this.flowsDeleted += connections.deleteEntries(TransportProtocol.UDP, (entry) =>
      cleaner.isStale(entry),
    );
  }

  #observeLatency(triggers: Taken["triggers"]): void {
    const { programming } = this;
    const { nowNs } = this.#options.sim;
    for (const times of triggers.values()) {
      for (const atNs of times) {
        this.#options.triggerProgrammed?.(atNs, this.family);
        programming.count++;
        programming.sumNs += nowNs - atNs;
        programming.maxNs = Math.max(programming.maxNs, nowNs - atNs);
      }
    }
  }

  get #isLarge(): boolean {
    const { profile, mode } = this.#options;
    return mode.hasLargeClusterMode && this.#endpoints > profile.largeClusterEndpoints;
  }

  #isFullSync(): boolean {
    const { sim, profile } = this.#options;
    const hourly = !this.#isLarge && sim.nowNs - this.#lastFullNs > profile.fullSyncPeriodNs;
    return this.#fullSyncDue || hourly;
  }

  /** In large-cluster mode chains without a jump stay until the last clean-up is a syncPeriod ago. */
  #noteCleanup({ staleEndpoints }: SyncWork): void {
    const { nowNs } = this.#options.sim;
    if (this.#isLarge && nowNs - this.#lastCleanupNs <= this.#syncPeriodNs) {
      this.#staleEndpoints = staleEndpoints;
      return;
    }
    this.#staleEndpoints = 0;
    this.#lastCleanupNs = nowNs;
  }

  #workOf(changes: readonly Change[], full: boolean): SyncWork {
    let { services, endpoints } = this.size();
    let changedServices = 0;
    let changedEndpoints = 0;
    let rewrittenEndpoints = 0;
    let staleEndpoints = this.#staleEndpoints;
    for (const { key, rules } of changes) {
      const before = this.#programmed.get(key) ?? [];
      services += rules.length - before.length;
      endpoints += countEndpoints(rules) - countEndpoints(before);
      changedServices += Math.max(rules.length, before.length);
      const gone = countMissing(before, rules);
      changedEndpoints += gone + countMissing(rules, before);
      rewrittenEndpoints += gone + countEndpoints(rules);
      staleEndpoints += gone;
    }
    const size = { services, endpoints };
    const changed = { changedServices, changedEndpoints, rewrittenEndpoints };
    return { size, ...changed, full, staleEndpoints };
  }

  /** The rules of one Service come into force. */
  #apply({ key, rules, slices }: Change, taken: Taken): void {
    this.#put(key, rules);
    this.#options.applied?.(key, slices, this.family);
    const { ledger, node, sim } = this.#options;
    const before = this.#lastApplied.get(key) ?? [];
    reportProgrammed(ledger, {
      node: node.name,
      service: key,
      family: this.family,
      before,
      after: slices,
      arrived: taken.arrivals.get(key),
      syncStartedNs: taken.startedAtNs,
      nowNs: sim.nowNs,
    });
    this.#lastApplied.set(key, slices);
  }
}

function isUdp({ protocol }: ServicePortRules): boolean {
  return protocol === TransportProtocol.UDP;
}
