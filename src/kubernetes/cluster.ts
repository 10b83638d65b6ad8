/**
 * A cluster: the API server, the controllers, the scheduler, and a kubelet and kube-proxy on each node.
 *
 * Owns: bringing them up, at rest or cold. Refuses to own: what any of them does.
 */
import type { Simulation } from "../engine/index.ts";
import type { Transport } from "../network/transport.ts";
import type { Observations } from "../observe/observations.ts";
import { SimulatedApiServer, type CommitListener } from "./api/server.ts";
import {
  familyOf,
  objectKey,
  ZONE_LABEL,
  type Deployment,
  type Endpoints,
  type EndpointSlice,
  type HorizontalPodAutoscaler,
  type Job,
  type Kind,
  type Node,
  type Pod,
  type PodDisruptionBudget,
  type ReplicaSet,
  type Service,
  type Workload,
} from "./api/types.ts";
import { Cloud } from "./cloud/cloud.ts";
import { reconcileSlices } from "./controllers/endpointReconcile.ts";
import { desiredEndpoints } from "./controllers/endpointsReconcile.ts";
import { ControllerManager } from "./controllers/manager.ts";
import { reconcileMirrored } from "./controllers/mirroring.ts";
import { nameSuffix } from "./controllers/pods.ts";
import { LivePods, type LivePod } from "./controllers/livePods.ts";
import {
  restedBudgets,
  restedOwners,
  restedPods,
  type OtherWorkload,
} from "./controllers/rested.ts";
import { TopologyCache } from "./controllers/topologyHints.ts";
import { PodLabelIndex } from "./api/selectorIndex.ts";
import type { ContainerProcess, ContainerRuntime, PodNetwork, Prober } from "./kubelet/contract.ts";
import type { ImageSizes } from "./kubelet/images.ts";
import { Kubelet } from "./kubelet/kubelet.ts";
import { endpointsEvents } from "./endpointsEvents.ts";
import { jobEvents } from "./jobEvents.ts";
import { rolloutEvents } from "./rolloutEvents.ts";
import { ChangeLedger } from "./ledger.ts";
import { MetricsServer } from "./metrics/metricsServer.ts";
import type { KubernetesProfile } from "./profile.ts";
import type { DataPlane, ProxyMode } from "./proxy/contract.ts";
import { bothFamilies, type Kernel } from "./proxy/dualStack.ts";
import { ServiceHealthServer } from "./proxy/healthServer.ts";
import { KubeProxy } from "./proxy/kubeProxy.ts";
import { proxyBase, type ProxyBase } from "./proxy/proxyBase.ts";
import { proxyModes } from "./proxy/modes/index.ts";
import { nodeView } from "./proxy/nodeView.ts";
import { RuleBuilder } from "./proxy/rules.ts";
import { priorityOf } from "./scheduler/preemption.ts";
import { KubeScheduler } from "./scheduler/kubeScheduler.ts";
import { ClusterPicture } from "./scheduler/scheduler.ts";

export interface ClusterOptions {
  readonly sim: Simulation;
  readonly observations: Observations;
  readonly profile: KubernetesProfile;
  readonly transport: Transport;
  readonly podNetwork: PodNetwork;
  readonly runtime: ContainerRuntime;
  readonly prober: Prober;
  /** In the order of the network's hosts. */
  readonly nodes: readonly Node[];
  readonly podCIDR: string;
  readonly serviceCIDR: string;
  readonly services: readonly Service[];
  /** Seconds since 1970 at time 0, for CronJobs. */
  readonly epochSeconds?: number;
  /** See KubeletOptions. */
  readonly images?: ImageSizes;
  readonly countsMemory?: boolean;
}

/** What users create beside nodes and Services. */
export interface ClusterContents {
  readonly deployments: readonly Deployment[];
  readonly replicaSets: readonly ReplicaSet[];
  readonly pods: readonly Pod[];
  readonly workloads?: readonly OtherWorkload[];
  readonly budgets?: readonly PodDisruptionBudget[];
  readonly autoscalers?: readonly HorizontalPodAutoscaler[];
  /** Slices that users keep, and Endpoints of Services without a selector, which are mirrored. */
  readonly endpointSlices?: readonly EndpointSlice[];
  readonly endpoints?: readonly Endpoints[];
  /** Pods of a live cluster, where those at rest are to stand. */
  readonly livePods?: readonly LivePod[];
}

/** Those of the service CIDR: a Service can have no other. */
function serviceFamilies(serviceCIDR: string): (4 | 6)[] {
  const families = new Set(serviceCIDR.split(",").map(familyOf));
  return ([4, 6] as const).filter((family) => families.has(`IPv${family}`));
}

/** All that a node does but for its kernel. */
export interface NodeSoftware {
  shutDown(release: () => void): void;
  cancelShutdown(): void;
  freeze(): void;
  resume(): void;
  crash(): void;
  boot(): void;
}

export class Cluster {
  readonly api: SimulatedApiServer;
  readonly ledger: ChangeLedger;
  readonly proxies: KubeProxy[] = [];
  #cloud: Cloud | null = null;
  readonly #healthServers: ServiceHealthServer[] = [];
  /** What each node's rules are made of, in the order of the nodes, by IP family. */
  readonly planes: Partial<Record<4 | 6, DataPlane>>[] = [];
  readonly #options: ClusterOptions;
  readonly #commitListeners: CommitListener[] = [];
  readonly #kubelets = new Map<string, Kubelet>();
  /** kube-controller-manager with its leader. */
  readonly controllerManager: ControllerManager;
  readonly scheduler: KubeScheduler;
  /** Pods that were marked not ready for their node's silence. */
  readonly #silenced = new Set<string>();

  constructor(options: ClusterOptions) {
    const { sim, observations, profile, services, nodes } = options;
    this.#options = options;
    this.ledger = new ChangeLedger(observations);
    this.api = new SimulatedApiServer(sim, profile.apiServer, (kind, previous, object) => {
      if (kind === "Pod") this.#podCommitted(previous as Pod | null, object as Pod | null);
      if (kind === "EndpointSlice") {
        const slices = [previous, object] as [EndpointSlice | null, EndpointSlice | null];
        this.ledger.sliceWritten(...slices, sim.nowNs);
      }
      if (kind === "Job")
        jobEvents(observations, sim.nowNs, previous as Job | null, object as Job | null);
      if (kind === "Deployment") {
        const objects = [previous, object] as [Deployment | null, Deployment | null];
        rolloutEvents(observations, sim.nowNs, ...objects);
      }
      if (kind === "Endpoints") {
        const objects = [previous, object] as [Endpoints | null, Endpoints | null];
        endpointsEvents(observations, sim.nowNs, ...objects);
      }
      for (const listener of this.#commitListeners) listener(kind, previous, object);
    });
    this.controllerManager = new ControllerManager(
      sim,
      this.api,
      profile.controllerManager,
      options.epochSeconds,
    );
    this.scheduler = new KubeScheduler(sim, this.api, profile.scheduler);
    for (const [index, node] of nodes.entries()) {
      observations.nodeNamed(index, node.metadata.name, node.metadata.labels[ZONE_LABEL] ?? null);
      this.api.preload("Node", node);
    }
    for (const service of services) this.ledger.addService(this.api.preload("Service", service));
    for (const [index, node] of nodes.entries()) this.#addKubelet(index, node.metadata.name);
  }

  /** Tells of every commit from now on, for whoever checks a run: no component may know them. */
  onCommit(listener: CommitListener): void {
    this.#commitListeners.push(listener);
  }

  /** As if it had run for days: pods placed, ready and in the slices, every node's rules in force. */
  startAtRest(contents: ClusterContents): void {
    const pods = new PodLabelIndex();
    for (const pod of this.#placeAtRest(contents)) {
      const kubelet = this.#kubelets.get(pod.spec.nodeName!)!;
      const running = this.api.preload("Pod", kubelet.startAtRest(pod));
      pods.set(running);
    }
    for (const budget of restedBudgets(contents.budgets ?? [], (kind) => this.api.list(kind))) {
      this.api.preload("PodDisruptionBudget", budget);
    }
    this.#writeSlicesAtRest(pods);
    this.#keepSlices(contents, true);
    this.#keepAutoscalers(contents);
    this.#start(true);
  }

  /** Objects only: the controllers, the scheduler and the kubelets do the rest. */
  startCold(contents: ClusterContents): void {
    for (const deployment of contents.deployments) this.api.preload("Deployment", deployment);
    for (const set of contents.replicaSets) this.api.preload("ReplicaSet", set);
    for (const each of contents.workloads ?? []) this.api.preload<Kind>(each.kind, each);
    for (const budget of contents.budgets ?? []) this.api.preload("PodDisruptionBudget", budget);
    for (const pod of contents.pods) this.api.preload("Pod", pod);
    this.#keepSlices(contents, false);
    this.#keepAutoscalers(contents);
    this.#start(false);
  }

  /** Where somebody asks for metrics, there is a metrics-server. */
  #keepAutoscalers({ autoscalers = [] }: ClusterContents): void {
    const { sim, profile, nodes } = this.#options;
    for (const each of autoscalers) this.api.preload("HorizontalPodAutoscaler", each);
    if (autoscalers.length === 0) return;
    const { podMetrics } = new MetricsServer({
      sim,
      api: this.api,
      profile: profile.metrics,
      nodes,
      processOf: (pod) => this.mainProcess(pod),
    });
    this.controllerManager.metrics = { podMetrics };
  }

  /** What the load balancers of a Service believe of each node, one entry for each of their addresses. */
  loadBalancerHealth(service: string): Record<string, boolean>[] {
    return this.#cloud?.healthOf(service) ?? [];
  }

  /**
   * What is stored has gone all the way: into the slices and into every node's rules. Pods may still
   * live on; nothing that a write has begun is under way.
   */
  get isQuiet(): boolean {
    return (
      this.api.isIdle &&
      this.controllerManager.isIdle &&
      this.scheduler.leader !== null &&
      this.proxies.every(({ isIdle }) => isIdle)
    );
  }

  /** The process of a running pod's main container; null if none runs. */
  mainProcess(pod: Pod): ContainerProcess | null {
    return this.#kubelets.get(pod.spec.nodeName ?? "")?.mainProcess(pod) ?? null;
  }

  /** By node, for faults. */
  kubeProxies(): Map<string, KubeProxy> {
    const names = this.#options.nodes.map(({ metadata }) => metadata.name);
    return new Map(this.proxies.map((proxy, i) => [names[i]!, proxy]));
  }

  /** What runs on a node beside its kernel, for faults; null for a host that is no node. */
  software(nodeName: string): NodeSoftware | null {
    const kubelet = this.#kubelets.get(nodeName);
    const { nodes, transport } = this.#options;
    const index = nodes.findIndex(({ metadata }) => metadata.name === nodeName);
    const proxy = this.proxies[index];
    if (kubelet === undefined || proxy === undefined) return null;
    const { namespace } = transport.network.hosts[index]!;
    return {
      shutDown: (release) => kubelet.shutDown(release),
      cancelShutdown: () => kubelet.cancelShutdown(),
      freeze() {
        kubelet.freeze();
        proxy.freeze();
      },
      resume() {
        kubelet.resume();
        proxy.resume();
      },
      crash() {
        kubelet.crash();
        proxy.stop();
        proxy.forgetRules();
        transport.closeNamespace(namespace);
      },
      boot() {
        namespace.alive = true;
        proxy.start();
        kubelet.boot();
      },
    };
  }

  /** A node's kubelet, for faults. */
  kubelet(nodeName: string): Kubelet | undefined {
    return this.#kubelets.get(nodeName);
  }

  #addKubelet(node: number, nodeName: string): void {
    const { sim, profile, podNetwork: network, runtime, prober, observations } = this.#options;
    const { addresses } = this.#options.transport.network;
    const kubelet = new Kubelet({
      sim,
      api: this.api,
      profile: profile.kubelet,
      node,
      nodeName,
      network,
      runtime,
      prober,
      ledger: this.ledger,
      observations,
      addressText: (id) => addresses.text(id),
      images: this.#options.images ?? new Map(),
      countsMemory: this.#options.countsMemory ?? false,
    });
    this.#kubelets.set(nodeName, kubelet);
  }

  /** Pods of every owner, each with a node, by the scheduler's own judgement. */
  *#placeAtRest(contents: ClusterContents): Generator<Pod> {
    const { sim, profile, nodes } = this.#options;
    const picture = new ClusterPicture(nodes);
    const stream = sim.streams.get("scheduler/at-rest");
    const wanted: Pod[] = [];
    const live = new LivePods(contents.livePods ?? []);
    for (const owner of restedOwners(contents, nodes)) {
      const stored = this.api.preload<Workload["kind"]>(owner.kind, owner);
      wanted.push(...live.placed(stored, restedPods(stored, nodes, sim.streams)));
    }
    const all = [...wanted, ...contents.pods].map((pod, index) => ({
      ...pod,
      metadata: { ...pod.metadata, uid: `pod-${index}` },
    }));
    // Those with an address take it before others are given any; in days the important ones have got their place.
    const isSettled = ({ status }: Pod): number => (status.podIPs.length > 0 ? 1 : 0);
    const order = (a: Pod, b: Pod): number =>
      isSettled(b) - isSettled(a) || priorityOf(b) - priorityOf(a);
    for (const named of all.sort(order)) {
      if (named.spec.nodeName !== null) {
        // It has its node: no scheduler is asked.
        picture.put(named);
        yield named;
        continue;
      }
      const placed = picture.place(named, profile.scheduler, stream);
      // It is still pending: taints, affinity or spread constraints leave it no node.
      if (placed === null) this.api.preload("Pod", named);
      else yield placed;
    }
  }

  #writeSlicesAtRest(pods: PodLabelIndex): void {
    const { sim, profile, services, nodes } = this.#options;
    const { maxEndpointsPerSlice, overloadThreshold } = profile.controllerManager.endpointSlice;
    const legacy = profile.controllerManager.endpoints;
    const topology = new TopologyCache(overloadThreshold);
    topology.setNodes(nodes);
    for (const service of services) {
      if (service.spec.selector === null) continue;
      const key = objectKey(service);
      const stream = sim.streams.get(`names/slices/${key}`);
      const own = pods.podsOf(service.metadata.namespace, service.spec.selector);
      const nextName = (): string => `${service.metadata.name}-${nameSuffix(stream)}`;
      const changes = reconcileSlices(service, own, [], maxEndpointsPerSlice, nextName, topology);
      for (const slice of changes.create) this.api.preload("EndpointSlice", slice);
      if (!legacy.enabled) continue;
      const object = desiredEndpoints(service, own, undefined, null, legacy.maxCapacity);
      if (object !== null) this.api.preload("Endpoints", object);
    }
  }

  /** What no selector gives: the users' own slices and Endpoints; at rest they have been mirrored. */
  #keepSlices({ endpointSlices = [], endpoints = [] }: ClusterContents, synced: boolean): void {
    const { sim, profile } = this.#options;
    const { maxEndpointsPerSubset } = profile.controllerManager.mirroring;
    for (const slice of endpointSlices) this.api.preload("EndpointSlice", slice);
    for (const each of endpoints) {
      const object = this.api.preload("Endpoints", each);
      const stream = sim.streams.get(`names/mirrored/${objectKey(object)}`);
      const nextName = (): string => `${object.metadata.name}-${nameSuffix(stream)}`;
      const { create } = reconcileMirrored(object, [], maxEndpointsPerSubset, nextName);
      for (const slice of synced ? create : []) this.api.preload("EndpointSlice", slice);
    }
  }

  #start(synced: boolean): void {
    this.controllerManager.start(synced);
    this.scheduler.start(synced);
    for (const kubelet of this.#kubelets.values()) kubelet.start();
    this.#startProxies(synced);
    this.#cloud = this.#startCloud(synced);
  }

  /** Load balancers, which at rest have checked their targets for days. */
  #startCloud(synced: boolean): Cloud {
    const { profile, transport, observations, services, nodes } = this.#options;
    const servers = new Map(
      nodes.map(({ metadata }, i) => [metadata.name, this.#healthServers[i]!]),
    );
    const passes = ({ spec, metadata }: Service, node: string): boolean =>
      spec.externalTrafficPolicy === "Cluster" ||
      servers.get(node)!.localEndpoints(objectKey({ metadata })) > 0;
    return new Cloud({
      transport,
      observations,
      api: this.api,
      profile: profile.loadBalancer,
      services,
      nodes,
      atRest: synced ? passes : null,
    });
  }

  #startProxies(synced: boolean): void {
    const { profile, transport, nodes, serviceCIDR } = this.#options;
    const { network } = transport;
    network.useLoopback();
    const builder = new RuleBuilder(network.addresses, this.ledger, profile.kubeProxy);
    const list = <K extends "Service" | "EndpointSlice">(kind: K) =>
      synced ? this.api.list(kind) : [];
    const bases = serviceFamilies(serviceCIDR).map((family) =>
      proxyBase(list("Service"), list("EndpointSlice"), builder, family),
    );
    const mode = proxyModes[profile.kubeProxy.mode];
    for (const index of nodes.keys()) {
      const proxy = this.#addProxy(index, mode, builder, bases);
      this.proxies.push(proxy);
      network.hosts[index]!.program(this.#program(index, proxy, mode));
    }
  }

  #addProxy(
    index: number,
    mode: ProxyMode,
    builder: RuleBuilder,
    bases: readonly ProxyBase[],
  ): KubeProxy {
    const { sim, profile, transport, nodes, observations } = this.#options;
    const { metadata } = nodes[index]!;
    const host = transport.network.hosts[index]!;
    const { messageBytes } = profile.loadBalancer.healthCheck;
    const isHealthy = (): boolean => this.proxies[index]!.isHealthy;
    const healthServer = new ServiceHealthServer(
      transport,
      host.namespace,
      messageBytes,
      isHealthy,
    );
    this.#healthServers.push(healthServer);
    for (const { family } of bases) observations.proxierNamed(index, family);
    return new KubeProxy({
      sim,
      api: this.api,
      profile: profile.kubeProxy,
      mode,
      node: { name: metadata.name, zone: metadata.labels[ZONE_LABEL] ?? null },
      builder,
      ledger: this.ledger,
      bases,
      process: { stopped: () => healthServer.stop(), started: () => healthServer.start() },
      cpuStretch: () => host.cpuStretch,
      programmed: (service, rules, family) => healthServer.sync(service, rules, family),
      connections: host.conntrack,
      applied: (service, slices, family) => {
        const versions = slices.map((slice) => slice.metadata.resourceVersion);
        observations.rulesApplied(index, service, Math.max(0, ...versions), sim.nowNs, family);
      },
      triggerProgrammed: (atNs, family) =>
        observations.networkProgrammed(index, atNs, sim.nowNs, family),
      synced: (startedAtNs, full, failed, family) =>
        observations.rulesSynced(
          index,
          startedAtNs,
          sim.nowNs,
          full ? 1 : 0,
          failed ? 1 : 0,
          family,
        ),
    });
  }

  /** Puts what the proxiers of a node have programmed into its kernel. */
  #program(index: number, proxy: KubeProxy, mode: ProxyMode): Kernel {
    const { sim, profile, transport, podCIDR, serviceCIDR, observations } = this.#options;
    const { network } = transport;
    const host = network.hosts[index]!;
    const ranges = { podCIDRs: podCIDR.split(","), serviceCIDRs: serviceCIDR.split(",") };
    const settings = mode.settings(profile.kubeProxy);
    const common = {
      sim,
      view: nodeView(network, host, ranges, profile.kubeProxy, settings),
      profile: profile.kubeProxy,
      connections: host.conntrack,
      stream: sim.streams.get(`proxy/${this.#options.nodes[index]!.metadata.name}`),
    };
    const planes: Partial<Record<4 | 6, DataPlane>> = {};
    for (const proxier of proxy.proxiers) {
      const { family, table } = proxier;
      const plane: DataPlane = {
        ...common,
        table,
        size: () => proxier.size(),
        routed: ({ originSocket, originGeneration }, endpoint, walkNs) => {
          observations.rulesWalked(index, walkNs, family);
          const stale = this.ledger.isGone(endpoint.index) ? 1 : 0;
          transport.noteRoute(originSocket, originGeneration, endpoint.index, stale, index);
          if (endpoint.index < 0) return;
          observations.connectionRouted(index, endpoint.index, sim.nowNs, stale);
        },
      };
      planes[family] = plane;
      proxier.kernel = mode.rules(plane);
    }
    this.planes.push(planes);
    const [of4, of6] = [proxy.of(4)?.kernel, proxy.of(6)?.kernel];
    if (of4 && of6) return bothFamilies(network.addresses, { 4: of4, 6: of6 });
    return (of4 ?? of6)!;
  }

  /** The node lifecycle controller speaks for silent nodes: their kubelets have told the book nothing. */
  #noteSilenced(pod: Pod): void {
    const { nowNs } = this.#options.sim;
    const { uid } = pod.metadata;
    const { ready, observedCauseNs } = pod.status;
    const isSilenced = !ready.status && observedCauseNs === nowNs;
    if (isSilenced) this.#silenced.add(uid);
    else if (!ready.status || !this.#silenced.delete(uid)) return;
    this.ledger.readiness(pod, ready.status, nowNs);
  }

  /** What the API commits about pods, for the book of changes and the event log. */
  #podCommitted(previous: Pod | null, pod: Pod | null): void {
    const { sim, observations } = this.#options;
    const { nowNs } = sim;
    const event = (kind: string, about: Pod, detail: string): void =>
      observations.event(nowNs, kind, `pod/${objectKey(about)}`, detail);
    if (pod === null) {
      if (previous === null) return;
      this.ledger.deleted(previous, nowNs);
      event("pod_removed", previous, previous.spec.nodeName ?? "");
    } else if (previous === null) {
      event("pod_created", pod, "");
    } else if (pod.metadata.deletionTimestampNs !== null) {
      if (previous.metadata.deletionTimestampNs !== null) return;
      this.ledger.deleted(pod, nowNs);
      event("pod_terminating", pod, pod.spec.nodeName ?? "");
    } else if (previous.spec.nodeName === null && pod.spec.nodeName !== null) {
      event("pod_scheduled", pod, pod.spec.nodeName);
    } else if (previous.status.ready.status !== pod.status.ready.status) {
      this.#noteSilenced(pod);
      this.ledger.statusWritten(pod, nowNs);
      event(pod.status.ready.status ? "pod_ready" : "pod_not_ready", pod, pod.spec.nodeName ?? "");
    } else if (pod.status.disruptionTarget !== previous.status.disruptionTarget) {
      event("pod_preempted", pod, pod.spec.nodeName ?? "");
    } else if (pod.status.nominatedNodeName !== previous.status.nominatedNodeName) {
      event("pod_nominated", pod, pod.status.nominatedNodeName ?? "");
    }
  }
}
