/**
 * kube-proxy on one node: a process with its own watches, and a proxier for each IP family of the cluster.
 *
 * Owns: the watches, which proxier is told of what (upstream's meta proxier), and that the process ends, stands
 * still and starts anew. Refuses to own: what a proxier makes of it (proxier.ts). Source:
 * pkg/proxy/metaproxier/meta_proxier.go, pkg/proxy/config/config.go; timings §7.1.
 */
import type { SimTimeNs } from "../../engine/index.ts";
import type { ApiServer, Watch } from "../api/contract.ts";
import {
  objectKey,
  ZONE_LABEL,
  type EndpointSlice,
  type Node,
  type Service,
} from "../api/types.ts";
import { Proxier, type ProxierOptions, type ProxyProcess } from "./proxier.ts";
import type { ProxyBase } from "./proxyBase.ts";
import {
  isForAnotherProxy,
  isLeftAlone,
  isOfFamily,
  isWithClusterIP,
  sliceFamily,
} from "./rules.ts";

export interface KubeProxyOptions extends ProxierOptions {
  readonly api: ApiServer;
  /** One for each IP family that the cluster's Services have. */
  readonly bases: readonly ProxyBase[];
  /** Told when the process ends and when a new one begins. */
  readonly process?: { stopped(): void; started(): void };
}

export class KubeProxy implements ProxyProcess {
  readonly proxiers: readonly Proxier[];
  readonly #options: KubeProxyOptions;
  /** Its own Node; from the beginning, as its stream names it. */
  #node: Watch<"Node">;
  #zone: string | null;
  #services: Watch<"Service">;
  #slices: Watch<"EndpointSlice">;
  #state: "running" | "frozen" | "stopped" = "running";
  /** Counts processes: what an earlier one was about to do is void. */
  #process = 0;
  #stops = 0;
  /** What was due while the process stood still. */
  readonly #held: (() => void)[] = [];

  constructor(options: KubeProxyOptions) {
    const { bases, node } = options;
    this.#options = options;
    this.#zone = node.zone;
    this.proxiers = bases.map((base) => new Proxier(options, this, base));
    this.#node = this.#watchNode();
    this.#services = this.#watchServices();
    this.#slices = this.#watchSlices();
    for (const [i, proxier] of this.proxiers.entries()) {
      const { isCold, nodeSpecific } = bases[i]!;
      if (isCold) proxier.startCold(this.#slicesOf(proxier));
      else proxier.startAtRest(nodeSpecific);
    }
  }

  get services(): Watch<"Service"> {
    return this.#services;
  }

  get zone(): string | null {
    return this.#zone;
  }

  /** The proxier of that family; undefined where the cluster's Services have none of it. */
  of(family: 4 | 6): Proxier | undefined {
    for (const proxier of this.proxiers) if (proxier.family === family) return proxier;
    return undefined;
  }

  /** ProxyHealthServer.Health: both are. */
  get isHealthy(): boolean {
    return this.proxiers.every(({ isHealthy }) => isHealthy);
  }

  /** All that it has been told is programmed. */
  get isIdle(): boolean {
    return this.#state === "running" && this.proxiers.every(({ isIdle }) => isIdle);
  }

  /** As often as it was stopped it has to be started. The process ends. Its rules stay; a sync under way has written nothing. */
  stop(): void {
    if (this.#stops++ > 0) return;
    this.#state = "stopped";
    this.#process++;
    this.#held.length = 0;
    this.#node.stop();
    this.#services.stop();
    this.#slices.stop();
    for (const proxier of this.proxiers) proxier.stop();
    this.#options.process?.stopped();
  }

  /** A new process: it lists everything and writes all tables anew. Its own start-up takes no time. */
  start(): void {
    if (--this.#stops > 0) return;
    this.#state = "running";
    this.#options.process?.started();
    this.#node = this.#watchNode();
    for (const node of this.#node.values()) this.#zone = zoneOf(node);
    this.#services = this.#watchServices();
    this.#slices = this.#watchSlices();
    for (const proxier of this.proxiers) proxier.restart(this.#slicesOf(proxier));
  }

  /** The node has lost its kernel's memory: nothing is programmed. Only of a process that is stopped. */
  forgetRules(): void {
    for (const proxier of this.proxiers) proxier.forgetRules();
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

  guard(due: () => void): () => void {
    const process = this.#process;
    const guarded = (): void => {
      if (process !== this.#process) return;
      if (this.#state === "frozen") this.#held.push(guarded);
      else due();
    };
    return guarded;
  }

  /** Syncs that end before then fail, of whichever family. */
  breakSyncsUntil(atNs: SimTimeNs): void {
    for (const proxier of this.proxiers) proxier.breakSyncsUntil(atNs);
  }

  /** NodeTopologyConfig: the zone is the only label that is looked at. */
  #watchNode(): Watch<"Node"> {
    const { api, node } = this.#options;
    return api.watch("Node", {
      watcher: `kube-proxy/${node.name}`,
      nodeName: node.name,
      handlers: { updated: (_previous, stored) => this.#reads(() => this.#nodeChanged(stored)) },
    });
  }

  #nodeChanged(node: Node): void {
    if (zoneOf(node) === this.#zone) return;
    this.#zone = zoneOf(node);
    for (const proxier of this.proxiers) proxier.topologyChanged();
  }

  /** What has come over a watch is read when the process runs. */
  #reads(read: () => void): void {
    if (this.#state === "frozen") this.#held.push(read);
    else read();
  }

  #watchServices(): Watch<"Service"> {
    const { api, node } = this.#options;
    return api.watch("Service", {
      watcher: `kube-proxy/${node.name}`,
      handlers: {
        added: (service) => this.#reads(() => this.#serviceChanged(service)),
        updated: (previous, service) => this.#reads(() => this.#serviceChanged(previous, service)),
        deleted: (service) => this.#reads(() => this.#serviceChanged(service)),
      },
    });
  }

  #watchSlices(): Watch<"EndpointSlice"> {
    const { api, node } = this.#options;
    return api.watch("EndpointSlice", {
      watcher: `kube-proxy/${node.name}`,
      selects: isWithClusterIP,
      handlers: {
        added: (slice) => this.#sliceChanged(slice),
        updated: (_previous, slice) => this.#sliceChanged(slice),
        deleted: (slice) => this.#sliceDeleted(slice),
      },
    });
  }

  *#slicesOf({ family }: Proxier): Generator<EndpointSlice> {
    for (const slice of this.#slices.values()) if (sliceFamily(slice) === family) yield slice;
  }

  #sliceChanged(slice: EndpointSlice): void {
    const deliveredNs = this.#options.sim.nowNs;
    this.#reads(() =>
      this.of(sliceFamily(slice))?.sliceChanged(slice, deliveredNs, this.#isIgnored(slice)),
    );
  }

  #sliceDeleted(slice: EndpointSlice): void {
    const deliveredNs = this.#options.sim.nowNs;
    this.#reads(() =>
      this.of(sliceFamily(slice))?.sliceDeleted(slice, deliveredNs, this.#isIgnored(slice)),
    );
  }

  /** Another proxy's. Slices carry the labels of their Service. */
  #isIgnored(slice: EndpointSlice): boolean {
    const service = this.#services.get(slice.service);
    return service !== undefined && isForAnotherProxy(service);
  }

  /** Both are told of a Service; the change tracker of each looks at what is of its family. */
  #serviceChanged(service: Service, now = service): void {
    if (isLeftAlone(service) && isLeftAlone(now)) return;
    for (const proxier of this.proxiers) {
      const { family } = proxier;
      const isItsOwn = isOfFamily(service, family) || isOfFamily(now, family);
      if (isItsOwn) proxier.serviceChanged(objectKey(service));
    }
  }
}

function zoneOf({ metadata }: Node): string | null {
  return metadata.labels[ZONE_LABEL] ?? null;
}
