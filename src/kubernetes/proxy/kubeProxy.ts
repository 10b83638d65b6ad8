/**
 * kube-proxy on one node: from its own watches to the rules in force.
 *
 * Owns: tracking what changed, when a sync runs, and that new rules count only at its end. Refuses to
 * own: what rules do to a packet (modes/), how much two versions of
 * rules differ (ruleDifferences.ts) and what the book of changes is told (programmingReport.ts). What it routes by is what it last programmed, nothing else.
 */
import { Phase, type DurationNs, type SimTimeNs, type Simulation } from "../../engine/index.ts";
import type { ApiServer, Watch } from "../api/contract.ts";
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
import { countEndpoints, countMissing, sameServing } from "./ruleDifferences.ts";
import {
  isForAnotherProxy,
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
  /** How many times its CPU time anything takes on the node. Absent: once. */
  readonly cpuStretch?: () => number;
  /** Told when the process ends and when a new one begins. */
  readonly process?: { stopped(): void; started(): void };
  /** Told of the rules of a Service that come into force on this node. */
  readonly programmed?: (service: string, rules: readonly ServicePortRules[]) => void;
  /** For observations: a sync has ended. */
  readonly synced?: (startedAtNs: SimTimeNs, full: boolean, failed: boolean) => void;
  /** For observations: a Service's rules are in force, made of these slices. */
  readonly applied?: (service: string, slices: readonly EndpointSlice[]) => void;
  /** For observations: what a slice's trigger time tells of is in force now. */
  readonly triggerProgrammed?: (triggerNs: SimTimeNs) => void;
  /** The node's connection tracking; null where there is none. */
  readonly connections: ConnectionTable | null;
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

export class KubeProxy {
  readonly table: RuleTable;
  readonly #options: KubeProxyOptions;
  #services: Watch<"Service">;
  #sliceWatch: Watch<"EndpointSlice">;
  readonly #slices: OverlayMap<string, readonly EndpointSlice[]>;
  readonly #programmed: OverlayMap<string, readonly ServicePortRules[]>;
  /** Slices that the rules in force were made of: what a change is measured against. */
  readonly #inForce: OverlayMap<string, readonly EndpointSlice[]>;
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
  #state: "running" | "frozen" | "stopped" = "running";
  /** Counts processes: what an earlier one was about to do is void. */
  #process = 0;
  #stops = 0;
  /** What was due while the process stood still. */
  readonly #held: (() => void)[] = [];
  /** The node's kernel, once the rules are there. */
  dataPlane: ProgrammedRules | null = null;
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

  constructor(options: KubeProxyOptions) {
    const { sim, profile, base } = options;
    this.#options = options;
    this.table = new RuleTable(base.table);
    this.#slices = new OverlayMap(base.slices);
    this.#inForce = new OverlayMap(base.slices);
    this.#programmed = new OverlayMap(base.programmed);
    this.#endpoints = base.size.endpoints;
    this.#fullSyncDue = base.table.servicePorts === 0;
    this.#isStarting = this.#fullSyncDue;
    this.#tracker = new ChangeTracker(sim.nowNs);
    const { minSyncPeriodNs: minPeriodNs, syncPeriodNs } = options.mode.settings(profile);
    this.#syncPeriodNs = syncPeriodNs;
    const periods = { minPeriodNs, retryNs: syncPeriodNs, burst: profile.syncBurst };
    this.#runner = new BoundedFrequencyRunner(sim, periods, () => this.#startSync());
    this.#services = this.#watchServices();
    this.#sliceWatch = this.#watchSlices();
    if (this.#fullSyncDue) this.#programAll(this.#sliceWatch.values());
    else for (const service of base.nodeSpecific) this.#takeOver(service);
  }

  #watchServices(): Watch<"Service"> {
    const { api, node } = this.#options;
    return api.watch("Service", {
      watcher: `kube-proxy/${node.name}`,
      handlers: {
        added: (service) => this.#serviceChanged(service),
        updated: (previous, service) => this.#serviceChanged(previous, service),
        deleted: (service) => this.#serviceChanged(service),
      },
    });
  }

  #watchSlices(): Watch<"EndpointSlice"> {
    const { api, node } = this.#options;
    return api.watch("EndpointSlice", {
      watcher: `kube-proxy/${node.name}`,
      handlers: {
        added: (slice) => this.#sliceChanged(slice),
        updated: (_previous, slice) => this.#sliceChanged(slice),
        deleted: (slice) => this.#sliceDeleted(slice),
      },
    });
  }

  /** ProxyHealthServer.Health: as it starts, and unless a change has waited for two sync periods. */
  get isHealthy(): boolean {
    const { nowNs } = this.#options.sim;
    if (this.#isStarting || this.#pendingSinceNs === null) return true;
    return nowNs - this.#pendingSinceNs < 2 * this.#syncPeriodNs;
  }

  /** All that it has been told is programmed. */
  get isIdle(): boolean {
    return this.#runner.isIdle && !this.#isFlushed && this.#state === "running";
  }

  /** As often as it was stopped it has to be started. The process ends. Its rules stay; a sync under way has written nothing. */
  stop(): void {
    if (this.#stops++ > 0) return;
    this.#state = "stopped";
    this.#process++;
    this.#held.length = 0;
    this.#services.stop();
    this.#sliceWatch.stop();
    this.#runner.stop();
    this.#tracker.take();
    this.#unsynced.clear();
    this.#options.process?.stopped();
  }

  /** A new process: it lists everything and writes all tables anew. Its own start-up takes no time. */
  start(): void {
    if (--this.#stops > 0) return;
    this.#state = "running";
    this.#isStarting = true;
    this.#pendingSinceNs = null;
    this.#options.process?.started();
    this.#services = this.#watchServices();
    this.#sliceWatch = this.#watchSlices();
    const listed = new Set<string>();
    for (const slice of this.#sliceWatch.values()) {
      listed.add(objectKey(slice));
      this.#putSlice(slice, slice);
    }
    for (const known of this.#slices.values()) {
      for (const slice of known) if (!listed.has(objectKey(slice))) this.#putSlice(slice, null);
    }
    for (const key of this.#programmed.keys()) this.#tracker.changed(key);
    for (const service of this.#services.values()) this.#tracker.changed(objectKey(service));
    this.#fullSyncDue = true;
    if (!this.#tracker.isEmpty) this.#runner.request();
  }

  /** The node has lost its kernel's memory: nothing is programmed. Only of a process that is stopped. */
  forgetRules(): void {
    for (const key of this.#programmed.keys()) {
      this.#put(key, []);
      this.#inForce.set(key, []);
    }
    this.#staleEndpoints = 0;
    this.#isFlushed = false;
  }

  /** The process stands still: a sync neither begins nor ends. */
  freeze(): void {
    if (this.#state === "running") this.#state = "frozen";
  }

  /** It goes on: what was due meanwhile is due now. */
  resume(): void {
    if (this.#state !== "frozen") return;
    this.#state = "running";
    for (const due of this.#held.splice(0)) due();
  }

  /** What is due of this process: not of one that has ended, and of a frozen one later. */
  #when(process: number, due: () => void): void {
    if (process !== this.#process) return;
    if (this.#state === "frozen") this.#held.push(() => this.#when(process, due));
    else due();
  }

  /** Services and endpoints that the node's tables hold. */
  size(): TableSize {
    return { services: this.table.servicePorts, endpoints: this.#endpoints };
  }

  /** Syncs that end before then fail: iptables-restore or the transaction returns an error. */
  breakSyncsUntil(atNs: SimTimeNs): void {
    this.#brokenUntilNs = Math.max(this.#brokenUntilNs, atNs);
  }

  /**
   * Somebody flushes the node's tables. The canary, looked at every syncPeriod, is gone with the rest:
   * a full sync writes everything again.
   */
  flushed(): void {
    const { sim } = this.#options;
    this.#isFlushed = true;
    for (const service of this.#services.values()) {
      const key = objectKey(service);
      this.#put(key, []);
      this.#inForce.set(key, []);
      this.#unsynced.add(key);
    }
    const nextLookNs = (Math.floor(sim.nowNs / this.#syncPeriodNs) + 1) * this.#syncPeriodNs;
    sim.callAt(nextLookNs, Phase.start, () => {
      this.#fullSyncDue = true;
      this.#runner.request();
    });
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
    this.#options.programmed?.(key, rules);
    this.dataPlane?.changed(before, rules);
  }

  /** A proxy that starts with empty tables programs what its first lists show. */
  #programAll(slices: Iterable<EndpointSlice>): void {
    for (const slice of slices) this.#putSlice(slice, slice);
    for (const service of this.#services.values()) this.#tracker.changed(objectKey(service));
    if (!this.#tracker.isEmpty) this.#request();
  }

  #sliceChanged(slice: EndpointSlice): void {
    this.#putSlice(slice, slice);
    if (this.#isForAnotherProxy(slice)) return;
    const written = slice.metadata.annotations[LAST_CHANGE_TRIGGER_TIME];
    const triggerNs = written === undefined ? NaN : Number(written);
    this.#tracker.sliceChanged(slice.service, Number.isFinite(triggerNs) ? triggerNs : null);
    this.#request();
  }

  #sliceDeleted(slice: EndpointSlice): void {
    this.#putSlice(slice, null);
    if (this.#isForAnotherProxy(slice)) return;
    this.#tracker.sliceDeleted(slice.service);
    this.#request();
  }

  /** Slices carry the labels of their Service. */
  #isForAnotherProxy(slice: EndpointSlice): boolean {
    const service = this.#services.get(slice.service);
    return service !== undefined && isForAnotherProxy(service);
  }

  #putSlice(slice: EndpointSlice, now: EndpointSlice | null): void {
    const { name } = slice.metadata;
    const known = this.#slices.get(slice.service) ?? [];
    // Slices of one Service are in one namespace: their names tell them apart.
    const others = known.filter((each) => each.metadata.name !== name);
    const previous = known.find((each) => each.metadata.name === name) ?? null;
    this.#tracker.endpointsArrived(previous, now, this.#options.sim.nowNs);
    this.#slices.set(slice.service, now === null ? others : [...others, now]);
  }

  #serviceChanged(service: Service, now = service): void {
    if (isForAnotherProxy(service) && isForAnotherProxy(now)) return;
    this.#tracker.changed(objectKey(service));
    this.#request();
  }

  #request(): void {
    this.#pendingSinceNs ??= this.#options.sim.nowNs;
    this.#runner.request();
  }

  /** Takes what is known now; what comes later is for the next sync. */
  #startSync(): void {
    this.#when(this.#process, () => this.#sync());
  }

  #sync(): void {
    const { sim, profile, mode } = this.#options;
    const { services, triggers, arrivals } = this.#tracker.take();
    const changes = [...new Set([...this.#unsynced, ...services])].map((key) =>
      this.#changeOf(key),
    );
    const work = this.#workOf(changes, this.#isFullSync());
    const durationNs = Math.round(mode.syncNs(profile, work) * (this.#options.cpuStretch?.() ?? 1));
    this.lastWork = work;
    this.syncs++;
    const startedAtNs = sim.nowNs;
    const process = this.#process;
    const end = (): void => {
      const failed = !this.#endSync(changes, { triggers, arrivals, startedAtNs }, work);
      this.#options.synced?.(startedAtNs, work.full, failed);
    };
    sim.callAfter(durationNs, Phase.topology, () => this.#when(process, end));
  }

  #changeOf(key: string): Change {
    const { builder, node } = this.#options;
    const service: Service | undefined = this.#services.get(key);
    if (service === undefined) return { key, rules: [], slices: [] };
    const slices = this.#slices.get(key) ?? [];
    return { key, rules: builder.build(service, slices, node), slices };
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
    const isUdp = [...before, ...rules].some(({ protocol }) => protocol === TransportProtocol.UDP);
    return isUdp && !sameServing(before, rules);
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
        this.#options.triggerProgrammed?.(atNs);
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
    const hourly = !this.#isLarge && sim.nowNs - this.#lastFullNs >= profile.fullSyncPeriodNs;
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
    let staleEndpoints = this.#staleEndpoints;
    for (const { key, rules } of changes) {
      const before = this.#programmed.get(key) ?? [];
      services += rules.length - before.length;
      endpoints += countEndpoints(rules) - countEndpoints(before);
      changedServices += Math.max(rules.length, before.length);
      changedEndpoints += countMissing(before, rules) + countMissing(rules, before);
      staleEndpoints += countMissing(before, rules);
    }
    const size = { services, endpoints };
    return { size, changedServices, changedEndpoints, full, staleEndpoints };
  }

  /** The rules of one Service come into force. */
  #apply({ key, rules, slices }: Change, taken: Taken): void {
    this.#put(key, rules);
    this.#options.applied?.(key, slices);
    const { ledger, node, sim } = this.#options;
    const before = this.#inForce.get(key) ?? [];
    reportProgrammed(ledger, {
      node: node.name,
      service: key,
      before,
      after: slices,
      arrived: taken.arrivals.get(key),
      syncStartedNs: taken.startedAtNs,
      nowNs: sim.nowNs,
    });
    this.#inForce.set(key, slices);
  }
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
