/**
 * What each pod's container runs, and the clients.
 *
 * Owns: matching the scenario's servers and clients with pods, by the workload that the pod belongs to.
 */
import type { Host } from "../../network/host.ts";
import { TransportProtocol } from "../../network/nat.ts";
import type { Network } from "../../network/network.ts";
import { newMeta } from "../../kubernetes/controllers/pods.ts";
import {
  familyOf,
  matchesLabels,
  matchesSelector,
  objectKey,
  type Container,
  type CronJob,
  type IpFamily,
  type LabelSelector,
  type Labels,
  type Node,
  type Pod,
  type PodSpec,
  type Service,
  type Workload,
} from "../../kubernetes/api/types.ts";
import type { CallerOptions } from "../../workload/calls.ts";
import type { ClientOptions } from "../../workload/client.ts";
import type { ProgramSpec } from "../../workload/models.ts";
import { DNS_WORKLOAD } from "../manifests/coredns.ts";
import type {
  ResolvedClient,
  ResolvedCluster,
  ResolvedScenario,
  ServiceTarget,
} from "../resolved.ts";
import { serverProgram } from "../servers/index.ts";
import type { DockerWorkloads } from "./docker.ts";
import { defaultServer } from "../servers/requests.ts";
import type { ClusterDns } from "./dns.ts";

/** Label of a client's own pods: its name. */
const CLIENT_LABEL = "podstorm.dev/client";

/** What a client dials, and who belongs there. */
export type Dialled = Pick<
  ClientOptions,
  "service" | "addresses" | "port" | "protocol" | "workloads"
>;

interface NamedWorkload {
  readonly key: string;
  readonly labels: Labels;
  readonly owns: (pod: Pod) => boolean;
  /** A pair of labels that its pods have; null where no pair is certain. */
  readonly pair: string | null;
}

export class Workloads {
  readonly #scenario: ResolvedScenario;
  readonly #network: Network;
  readonly #docker: DockerWorkloads;
  readonly #workloads: readonly NamedWorkload[];
  /** Indices by pair: of thousands of workloads few have to be asked whose pod it is. */
  readonly #byPair = new Map<string | null, number[]>();
  readonly #clientReplicas = new Map<string, number>();
  #serviceIndex: (key: string) => number = () => -1;
  #dns: ClusterDns | null = null;

  constructor(scenario: ResolvedScenario, network: Network, docker: DockerWorkloads) {
    this.#scenario = scenario;
    this.#network = network;
    this.#docker = docker;
    this.#workloads = workloadsOf(scenario);
    for (const [index, { pair }] of this.#workloads.entries()) {
      const known = this.#byPair.get(pair);
      if (known === undefined) this.#byPair.set(pair, [index]);
      else known.push(index);
    }
  }

  /** How Services are numbered in the observations. */
  useServices(indexOf: (key: string) => number): void {
    this.#serviceIndex = indexOf;
  }

  /** The cluster's DNS, if it has one. */
  useDns(dns: ClusterDns | null): void {
    this.#dns = dns;
  }

  programFor(pod: Pod, container: Container): ProgramSpec {
    const client = pod.metadata.labels[CLIENT_LABEL];
    if (client !== undefined) {
      const index = this.#scenario.clients.findIndex(({ name }) => name === client);
      return this.clientSpec(index, this.#replicaOf(pod));
    }
    const sidecar = this.#scenario.clients.findIndex(
      (each) => each.from.kind === "sidecar" && sidecarName(each) === container.name,
    );
    // Users divide evenly over the pods, so that it does not matter which of them this one is.
    if (sidecar >= 0) return this.clientSpec(sidecar, 0);
    if (container.sleepNs !== undefined || isInit(pod, container)) return this.#task(container);
    const workload = this.#workloadOf(pod);
    const key = this.#workloads[workload]?.key;
    if (key === DNS_WORKLOAD && this.#dns !== null) return this.#dns.serverSpec(pod);
    const server = this.#scenario.cluster.servers.find((each) => each.workload === key);
    const { server: profile } = this.#scenario.profile;
    const spec = server?.images?.[container.image] ?? server ?? defaultServer;
    const program = serverProgram(spec, profile, workload);
    const calls = server?.stages === undefined ? null : this.#callsOf(server.workload);
    if (program.kind !== "server" || calls === null) return program;
    const options = { ...program.options, calls: { callers: calls, stages: server!.stages! } };
    return { kind: "server", options };
  }

  /** The clients that a server's process makes its calls with. */
  #callsOf(workload: string): CallerOptions[] {
    const { clients, calls = [] } = this.#scenario;
    return calls.flatMap((call, index) =>
      call.workload !== workload
        ? []
        : [
            {
              isOptional: call.isOptional,
              client: {
                client: clients.length + index,
                ...this.#dialledService(call.to),
                dns: this.#dns?.useOf(call) ?? null,
                load: { kind: "called" },
                ...callingOf(call),
                startNs: 0,
                stopNs: this.#scenario.durationNs,
              },
            },
          ],
    );
  }

  /** The first one that owns the pod; -1: none does. */
  #workloadOf(pod: Pod): number {
    let first = -1;
    const pairs = [null, ...Object.entries(pod.metadata.labels).map(pairOf)];
    for (const pair of pairs) {
      const found = this.#byPair.get(pair)?.find((index) => this.#workloads[index]!.owns(pod));
      if (found !== undefined && (first < 0 || found < first)) first = found;
    }
    return first;
  }

  /** What ends by itself: as long as its command sleeps, else what init containers take. */
  #task({ sleepNs }: Container): ProgramSpec {
    const { initTime } = this.#scenario.profile.server;
    const duration =
      sleepNs === undefined ? initTime : ({ kind: "deterministic", value: sleepNs } as const);
    return { kind: "task", options: { duration, exitCode: 0 } };
  }

  /** What replica `replica` of a client runs. */
  clientSpec(index: number, replica: number): ProgramSpec {
    const client = this.#scenario.clients[index]!;
    const options: ClientOptions = {
      client: index,
      ...this.#dialled(client),
      dns: this.#dns?.useOf(client) ?? null,
      load: loadOf(client, replica),
      ...callingOf(client),
      startNs: client.startNs,
      stopNs: client.stopNs,
    };
    return { kind: "client", options };
  }

  #replicaOf(pod: Pod): number {
    const known = this.#clientReplicas.get(pod.metadata.uid);
    if (known !== undefined) return known;
    const replica = Number(pod.metadata.name.slice(pod.metadata.name.lastIndexOf("-") + 1));
    this.#clientReplicas.set(pod.metadata.uid, replica);
    return replica;
  }

  #dialled(client: ResolvedClient): Dialled {
    const { to } = client;
    if (!("service" in to)) return this.#docker.dialled(client, to);
    return this.#dialledService(to, client.ipFamily);
  }

  #dialledService(to: ServiceTarget, family?: IpFamily): Dialled {
    const service = this.#scenario.cluster.services.find((each) => objectKey(each) === to.service)!;
    return {
      service: this.#serviceIndex(to.service),
      ...this.#target(to, service, family),
      workloads: this.#behind(service),
    };
  }

  #target(
    to: ServiceTarget,
    service: Service,
    family: IpFamily = familyOf(service.spec.clusterIP),
  ): Pick<Dialled, "addresses" | "port" | "protocol"> {
    const { addresses } = this.#network;
    const { via, port } = to;
    const nodes = this.#scenario.cluster.nodes.filter(
      ({ metadata }) => to.node === null || to.node === metadata.name,
    );
    const texts = addressesOf(service, via, nodes, family);
    const nodePort = service.spec.ports.find(
      (each) => each.port === port && each.protocol === to.protocol,
    )?.nodePort;
    return {
      addresses: texts.map((text) => addresses.intern(text)),
      port: via === "nodePort" ? nodePort! : port,
      protocol: TransportProtocol[to.protocol],
    };
  }

  #behind(service: Service): Set<number> {
    const behind = new Set<number>();
    const { selector } = service.spec;
    for (const [index, { labels }] of this.#workloads.entries()) {
      // Of slices that the user keeps nobody can say which application they mean.
      if (selector === null || matchesLabels(selector, labels)) behind.add(index);
    }
    return behind;
  }
}

/** How whoever calls does it. */
function callingOf({
  connections,
  requestBytes,
  timeoutNs,
  retries,
}: Pick<ResolvedClient, "connections" | "requestBytes" | "timeoutNs" | "retries">) {
  const poolSize = connections.kind === "keepAlive" ? (connections.poolSize ?? Infinity) : 0;
  return { poolSize, requestBytes, timeoutNs, retries };
}

/** An init container that has to end before the others start. */
function isInit({ spec }: Pod, { name, restartPolicy }: Container): boolean {
  if (restartPolicy === "Always") return false;
  return spec.initContainers?.some((each) => each.name === name) ?? false;
}

/** Number of the workloads of the cluster; the containers of Docker hosts come after them. */
export function workloadCount({ cluster }: ResolvedScenario): number {
  return ownersIn(cluster).length + cluster.pods.length;
}

/** Numbers of the workloads whose pods ask for a port of their node. */
export function workloadsWithHostPort(
  { cluster }: ResolvedScenario,
  wanted: { readonly port: number; readonly protocol: string },
): number[] {
  const templates = ownersIn(cluster).map(({ spec }) => spec.template.spec);
  const specs: PodSpec[] = [...templates, ...cluster.pods.map(({ spec }) => spec)];
  return specs.flatMap(({ containers }, index) =>
    containers.some(({ ports }) =>
      ports.some(
        ({ hostPort, protocol }) => hostPort === wanted.port && protocol === wanted.protocol,
      ),
    )
      ? [index]
      : [],
  );
}

/** Number of the workload that a client's own pod lies in. */
export function workloadIndex(scenario: ResolvedScenario, key: string): number {
  return workloadsOf(scenario).findIndex((each) => each.key === key);
}

/** What a client may dial, of which each new connection draws one. */
function addressesOf(
  { spec, status }: Service,
  via: ServiceTarget["via"],
  nodes: readonly Node[],
  family: IpFamily,
): readonly string[] {
  switch (via) {
    case "dns":
    case "lookup":
      // Nobody knows before it has been asked.
      return [];
    case "clusterIP":
      return reachableIn(spec.clusterIPs ?? [spec.clusterIP], family);
    case "nodePort":
      return nodes.map(({ status }) => reachableIn(status.internalIPs, family)[0]!);
    case "externalIP":
      return reachableIn(spec.externalIPs ?? [], family);
    case "loadBalancer":
      return reachableIn(status?.ingress.map(({ ip }) => ip) ?? [], family);
  }
}

/** A client speaks its own or the Service's primary family; the other only if there is nothing else. */
function reachableIn(addresses: readonly string[], family: IpFamily): readonly string[] {
  const own = addresses.filter((address) => familyOf(address) === family);
  return own.length > 0 ? own : addresses;
}

function ownersIn({ deployments, replicaSets, workloads }: ResolvedCluster): Workload[] {
  return [...deployments, ...replicaSets, ...workloads];
}

function workloadsOf({ cluster }: ResolvedScenario): NamedWorkload[] {
  const sets = ownersIn(cluster).map((owner) => {
    const { has, pair } =
      owner.kind === "CronJob" ? ofCronJob(owner) : ofSelector(owner.spec.selector);
    return {
      key: objectKey(owner),
      labels: owner.spec.template.labels,
      owns: ({ metadata }: Pod) =>
        metadata.namespace === owner.metadata.namespace && has(metadata.labels),
      pair,
    };
  });
  const single = cluster.pods.map((pod) => ({
    key: objectKey(pod),
    labels: pod.metadata.labels,
    owns: (other: Pod) => objectKey(other) === objectKey(pod),
    pair: null,
  }));
  return [...sets, ...single];
}

/** How the pods of a workload are known by their labels. */
interface Mark {
  readonly has: (labels: Labels) => boolean;
  readonly pair: NamedWorkload["pair"];
}

function ofSelector(selector: LabelSelector): Mark {
  return {
    has: (labels) => matchesSelector(selector, labels),
    pair: Object.entries(selector.matchLabels).map(pairOf)[0] ?? null,
  };
}

/** Those of its Jobs, each named by the minute at which it was due. */
function ofCronJob({ metadata, spec }: CronJob): Mark {
  const prefix = `${metadata.name}-`;
  return {
    has: (labels) => {
      const job = labels["job-name"] ?? "";
      return job.startsWith(prefix) && /^\d+$/.test(job.slice(prefix.length));
    },
    pair: Object.entries(spec.template.labels).map(pairOf)[0] ?? null,
  };
}

function pairOf([name, value]: readonly [string, string]): string {
  return `${name}=${value}`;
}

function loadOf({ load, from }: ResolvedClient, replica: number): ClientOptions["load"] {
  if (load.kind === "openLoop") {
    return { ...load, share: 1 / from.replicas };
  }
  // The first ones take what does not divide.
  const users =
    Math.floor(load.users / from.replicas) + (replica < load.users % from.replicas ? 1 : 0);
  return { ...load, users };
}

/** The pods that clients inside the cluster run in. */
export function clientPods({ clients }: ResolvedScenario): Pod[] {
  return clients.flatMap((client) =>
    client.from.kind !== "pod"
      ? []
      : Array.from({ length: client.from.replicas }, (_, replica) => clientPod(client, replica)),
  );
}

function clientContainer(name: string): Container {
  return {
    name,
    image: "podstorm/client",
    ports: [],
    requests: { cpuMillis: 0, memoryBytes: 0 },
    limits: { cpuMillis: null, memoryBytes: null },
    readinessProbe: null,
    livenessProbe: null,
    env: {},
  };
}

function sidecarName({ name }: ResolvedClient): string {
  return `client-${name}`;
}

/** The workloads of the cluster, with a container more for each client in their pods. */
export function withSidecars(
  scenario: ResolvedScenario,
): Pick<ResolvedCluster, "deployments" | "replicaSets" | "workloads" | "pods"> {
  const { deployments, replicaSets, workloads, pods } = scenario.cluster;
  const withClients = (owner: Workload | Pod, spec: PodSpec): PodSpec => {
    const clients = scenario.clients.filter(
      ({ from }) => from.kind === "sidecar" && from.at === objectKey(owner),
    );
    if (clients.length === 0) return spec;
    const added = clients.map((client) => clientContainer(sidecarName(client)));
    return { ...spec, containers: [...spec.containers, ...added] };
  };
  const withTemplate = <Owner extends Workload>(owner: Owner): Owner => {
    const { template } = owner.spec;
    const spec = withClients(owner, template.spec);
    return { ...owner, spec: { ...owner.spec, template: { ...template, spec } } };
  };
  return {
    deployments: deployments.map(withTemplate),
    replicaSets: replicaSets.map(withTemplate),
    workloads: workloads.map(withTemplate),
    pods: pods.map((pod) => ({ ...pod, spec: withClients(pod, pod.spec) })),
  };
}

function clientPod(client: ResolvedClient, replica: number): Pod {
  const meta = newMeta("default", `client-${client.name}-${replica}`);
  return {
    kind: "Pod",
    metadata: {
      ...meta,
      labels: { ...client.from.labels, [CLIENT_LABEL]: client.name },
      // Owned alike, so that the scheduler spreads them.
      ownerUid: `client-${client.name}`,
    },
    spec: {
      containers: [clientContainer("client")],
      nodeName: null,
      terminationGracePeriodNs: 0,
      restartPolicy: "Always",
      hostNetwork: false,
      nodeSelector: client.from.at === null ? {} : { "kubernetes.io/hostname": client.from.at },
    },
    status: {
      phase: "Pending",
      podIPs: [],
      ready: { status: false, lastTransitionTimeNs: 0 },
      restartCount: 0,
      observedCauseNs: 0,
    },
  };
}

export interface OutsideClient {
  readonly name: string;
  readonly client: ResolvedClient;
  readonly host: Host;
  /** Made when it starts. */
  readonly spec: () => ProgramSpec;
}

/** Hosts outside the cluster with a client each, on documentation addresses (RFC 5737). */
export function outsideClients(
  scenario: ResolvedScenario,
  network: Network,
  workloads: Workloads,
): OutsideClient[] {
  const found: OutsideClient[] = [];
  const isDual = scenario.cluster.nodes.some(({ status }) => status.internalIPs.length > 1);
  let next = 0;
  // Load balancers and external IPs may have such addresses too.
  const freeAddress = (): string => {
    const address = outsideAddress(next++);
    const isTaken = network.hostFor(network.addresses.intern(address)) !== undefined;
    return isTaken ? freeAddress() : address;
  };
  for (const [index, client] of scenario.clients.entries()) {
    if (client.from.kind !== "outside") continue;
    for (let replica = 0; replica < client.from.replicas; replica++) {
      const name = `${client.name}-${replica}`;
      // The documentation's IPv6 (RFC 3849).
      const ipv6 = isDual ? `,2001:db8::${(found.length + 1).toString(16)}` : "";
      const address = `${freeAddress()}${ipv6}`;
      const host = network.addHost({ name, address, cores: 1, tracked: false });
      const spec = (): ProgramSpec => workloads.clientSpec(index, replica);
      found.push({ name: `outside/${name}`, client, host, spec });
    }
  }
  return found;
}

/** 203.0.113.1 on, then 198.51.100.1 on, then 198.18.0.0/15 (RFC 2544). */
function outsideAddress(index: number): string {
  if (index < 254) return `203.0.113.${index + 1}`;
  if (index < 508) return `198.51.100.${index - 253}`;
  const rest = index - 508;
  return `198.${18 + Math.floor(rest / 65_536)}.${Math.floor(rest / 256) % 256}.${rest % 256}`;
}
