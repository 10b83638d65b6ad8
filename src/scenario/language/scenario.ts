/**
 * The scenario language: the types and words that a scenario file is written with.
 *
 * Owns: what an author may write. Every word only makes plain data, so that a mistake is found by
 * validation together with all others, with its place in the file. Refuses to own: checking, defaults
 * (schema/) and the words for faults (../faults), distributions and rates (distributions.ts, rates.ts).
 */
import type { NetworkKindName } from "../../network/kinds/index.ts";
import type * as faultWords from "../faults/words.ts";
import type { WorkloadServerInput } from "../servers/index.ts";
import type { DistributionInput } from "./distributions.ts";
import {
  dockerParameters,
  type ContainerOriginInput,
  type ContainerTargetInput,
  type DockerInput,
  type HostOriginInput,
  type HostPortInput,
  type LocalhostInput,
  type SidecarOriginInput,
} from "./docker.ts";
import type { ProfileOverride } from "./profile.ts";
import type { RateInput } from "./rates.ts";

type DurationUnit = "ns" | "us" | "µs" | "ms" | "s" | "m" | "h";
type DurationTerm = `${number}${DurationUnit}`;

/** A duration as Go and Kubernetes write it: "250ms", "30s", "1m30s", "1.5h". */
export type Duration = DurationTerm | `${number}${"h" | "m"}${DurationTerm}` | "0";

/** Bytes or CPUs as Kubernetes writes them: "128Mi", "8Ki", "500m", or a bare number. */
export type Quantity = number | `${number}${string}`;

export interface ScenarioInput {
  /** One sentence; by default the comment at the head of the file. */
  description?: string;
  /** Simulated time that the run covers. */
  duration: Duration;
  /** Names the random draws: the same seed gives the same bytes. Default "1". */
  seed?: string | number;
  /**
   * What the run has to keep to, as "requests_failed.rate<0.1%"; `sim run` exits with 99 where it does
   * not. docs/metrics.md lists what can be measured.
   */
  thresholds?: string[];
  /** The time of day when the run begins, by which CronJobs go. Default "2026-01-05T00:00:00Z", a Monday. */
  startsAt?: string;
  /** Play the start of every pod instead of beginning at rest. Default false. */
  coldStart?: boolean;
  /** Width of the windows that results are grouped by. Default "1s". */
  window?: Duration;
  /** The Kubernetes cluster. May be left out where there are Docker hosts. */
  cluster?: ClusterInput;
  /** Docker hosts outside of any cluster. */
  docker?: DockerInput;
  /** What the pods of a workload do, by "deploy/NAME", "rs/NAME" or "pod/NAME". */
  servers?: Record<string, WorkloadServerInput>;
  clients?: ClientInput[];
  faults?: FaultInput[];
  /** Faults drawn from a seed, after those above. */
  chaos?: ChaosInput;
  /** Single constants of the profile, by their path: { kubernetes: { kubeProxy: { ... } } }. */
  profile?: ProfileOverride;
}

export interface ClusterInput {
  /** Kubernetes YAML or JSON files, relative to the scenario file. */
  manifests?: string[];
  /** Worker nodes besides those in the manifests. Default 3, or 0 when a manifest holds a Node. */
  nodes?: number;
  /** Zones that these nodes are labelled with, in turn: zone-1, zone-2, ... Default: no zone. */
  zones?: number;
  /** What each of them offers. */
  nodeShape?: NodeShapeInput;
  /** How pods get addresses and reach other nodes. Default "bridge-host-gw". */
  network?: NetworkKindName;
  /**
   * Every node gets a /24 of it. Default "10.244.0.0/16". Dual stack: "10.244.0.0/16,fd00:10:244::/56", of
   * which every node gets a /24 and a /64; then nodeCIDR has two as well, and serviceCIDR may.
   */
  podCIDR?: string;
  /** ClusterIPs are taken from it. Default "10.96.0.0/12". */
  serviceCIDR?: string;
  /** Nodes' own addresses are taken from it. Default "172.18.0.0/16". */
  nodeCIDR?: string;
  /** CoreDNS behind kube-system/kube-dns. Default: no DNS at all. */
  dns?: DnsInput;
  /**
   * Images that nodes have to pull, with their compressed size, or "missing" where the registry has no such
   * image. Default: every image is on every node.
   */
  images?: Record<string, Quantity | "missing">;
  /** Services besides those in the manifests, for the size of the tables. Default none. */
  filler?: FillerInput;
}

/** Services filler-1, filler-2, ... with port 80. */
export interface FillerInput {
  services: number;
  /** Of each. Default 2. */
  endpoints?: number;
  /** Pods behind them, of a Deployment each; else slices of addresses that nobody has. Default false. */
  pods?: boolean;
}

/** The rest of kubeadm's Corefile is in profile.kubernetes.dns. */
export interface DnsInput {
  /** Default 2. */
  replicas?: number;
  /** NodeLocal DNSCache on every node, which pods then ask. Default false. */
  nodeLocal?: boolean;
  /** TTL of the cluster's records. Default "30s". */
  ttl?: Duration;
  /** The longest that plugin cache keeps a success and a denial; "0" for none. Default "30s" each. */
  cache?: { success?: Duration; denial?: Duration };
  /** CPU time of a query. Default "56.4us". */
  cpuPerQuery?: Duration;
  /** Threads of a replica. Default 2. */
  workers?: number;
  /** How long an upstream resolver takes for an outside name. */
  upstream?: DistributionInput | Duration;
}

export interface NodeShapeInput {
  /** Allocatable CPUs. Default 4. */
  cpu?: Quantity;
  /** Allocatable memory. Default "16Gi". */
  memory?: Quantity;
  /** Pods that the kubelet admits. Default 110. */
  maxPods?: number;
}

export interface ClientInput {
  /** Unique name: what results call this client. */
  name: string;
  /**
   * pods(N) inside the cluster or outside(N) hosts; sidecar("deploy/NAME"); onHost("docker-1") or
   * containers(N, { host }). Default pods(1).
   */
  from?: OriginInput | SidecarOriginInput | HostOriginInput | ContainerOriginInput;
  /**
   * "svc/NAME:PORT" for its ClusterIP, or nodePort(...), externalIP(...), loadBalancer(...) of it;
   * "dns://NAME:PORT" or "dns://_PORT._PROTOCOL.NAME" for what DNS says, or lookup("NAME") for lookups alone;
   * container("NAME:PORT"), hostPort("HOST:PORT") or localhost(PORT).
   */
  to: string | TargetInput | ContainerTargetInput | HostPortInput | LocalhostInput;
  /**
   * The family that it speaks where the target has both, as `curl -6` does. Default: the Service's
   * primary one; with a name, both are looked up.
   */
  ipFamily?: "IPv4" | "IPv6";
  load: LoadInput;
  /** Default perRequest(). */
  connections?: ConnectionsInput;
  /** Default "256". */
  requestSize?: Quantity;
  /** Deadline of one try. Default "5s". */
  timeout?: Duration;
  /** Default: one try, no retry. */
  retries?: RetriesInput;
  /** How names are looked up: options of resolv.conf(5), and the application's own cache. */
  resolver?: ResolverInput;
  /** First request at or after this. Default "0". */
  start?: Duration;
  /** Last request before this. Default: the end of the run. */
  stop?: Duration;
}

export interface OriginInput {
  kind: "pod" | "outside";
  replicas: number;
  labels?: Record<string, string>;
  node?: string;
}

export type TargetInput =
  | { kind: "nodePort" | "externalIP" | "loadBalancer"; service: string; node?: string }
  | { kind: "lookup"; name: string; type?: "SRV" | "PTR" };

export interface ResolverInput {
  /** A name with fewer dots is tried in the search domains first. Default 5. */
  ndots?: number;
  /** Default "5s". */
  timeout?: Duration;
  /** Default 2. */
  attempts?: number;
  /** A and AAAA one after the other; with Reopen from a socket each. Default false. */
  singleRequest?: boolean;
  singleRequestReopen?: boolean;
  /** Larger answers fit a UDP datagram: 1200 bytes for 512. Default false. */
  edns0?: boolean;
  /** Domains after the three of the cluster. Default none. */
  search?: string[];
  /** How long the application keeps addresses; "record": as long as the record says. Default "none". */
  cache?: "none" | "forever" | "record" | Duration;
  /** Which address of several it dials. Default "first". */
  pick?: "first" | "random";
  /** With pick "random": an address that is new to the application gets its whole share only after so long. */
  slowStart?: Duration;
}

export type LoadInput =
  | { kind: "openLoop"; rate: RateInput | number; arrivals?: "poisson" | "deterministic" }
  | { kind: "closedLoop"; users: number; thinkTime?: DistributionInput | Duration };

export type ConnectionsInput =
  { kind: "perRequest" } | { kind: "keepAlive"; poolSize?: number | undefined };

export interface RetriesInput {
  /** Tries in all, the first included. */
  attempts: number;
  /** Wait before the second try. Default "100ms". */
  initialBackoff?: Duration;
  /** Each further wait is so many times the one before. Default 2. */
  backoffFactor?: number;
  /** Default "10s". */
  maxBackoff?: Duration;
  /** Each wait is multiplied by a number drawn from 1 - jitter to 1 + jitter. Default 0.2. */
  jitter?: number;
}

/** What any of the words for faults makes. */
export type FaultInput = ReturnType<(typeof faultWords)[keyof typeof faultWords]>;

export interface ChaosInput {
  /** Names the schedule: the same for every seed of the run. Default: the run's own seed. */
  seed?: string | number;
  /** Faults a minute, on average. */
  rate: number;
  /** Kinds that may come, each of which is on or off by a draw. Default: all that chaos knows. */
  kinds?: FaultInput["kind"][];
  /** When they may begin and when no more do. Default: from "0" to the end. */
  start?: Duration;
  stop?: Duration;
}

export interface ScenarioContext {
  /** Values given with -e KEY=VALUE: text, or undefined. Use them as env.KEY ?? "default". */
  // Any type, so that env.AT ?? "20s" may stand where a Duration is wanted; validation checks it.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly env: Readonly<Record<string, any>>;
}

export type ScenarioDefinition = ScenarioInput | ((context: ScenarioContext) => ScenarioInput);

/** Marks a scenario, so that the editor checks and completes it: `export default defineScenario(...)`. */
export function defineScenario(scenario: ScenarioDefinition): ScenarioDefinition {
  return scenario;
}

/** Clients in pods of their own inside the cluster, spread by the scheduler or all on one `node`. */
export function pods(
  replicas: number,
  options: { labels?: Record<string, string>; node?: string } = {},
): OriginInput {
  return { ...options, kind: "pod", replicas };
}

/** Clients on hosts outside the cluster, which reach node ports, external IPs and load balancers. */
export function outside(replicas: number): OriginInput {
  return { kind: "outside", replicas };
}

/** The Service's node port, on any node or on this one, instead of its ClusterIP. */
export function nodePort(service: string, options: { node?: string } = {}): TargetInput {
  return { ...options, kind: "nodePort", service };
}

/** One of the Service's external IPs, instead of its ClusterIP. */
export function externalIP(service: string): TargetInput {
  return { kind: "externalIP", service };
}

/** The address of the Service's load balancer, instead of its ClusterIP. */
export function loadBalancer(service: string): TargetInput {
  return { kind: "loadBalancer", service };
}

/** Lookups of a name and nothing else, as dnsperf makes them: of its addresses, or of its SRV or PTR records. */
export function lookup(name: string, options: { type?: "SRV" | "PTR" } = {}): TargetInput {
  return { ...options, kind: "lookup", name };
}

/** Requests come at `rate`, whether or not earlier ones were answered. Poisson arrivals by default. */
export function openLoop(
  rate: RateInput | number,
  options: { arrivals?: "poisson" | "deterministic" } = {},
): LoadInput {
  return { ...options, kind: "openLoop", rate };
}

/** A fixed number of users; each waits for its answer, thinks (default: not at all) and asks again. */
export function closedLoop(options: {
  users: number;
  thinkTime?: DistributionInput | Duration;
}): LoadInput {
  return { ...options, kind: "closedLoop" };
}

/** A new connection for every request. */
export function perRequest(): ConnectionsInput {
  return { kind: "perRequest" };
}

/** Connections are kept for later requests: at most `poolSize` idle ones per replica, or no limit. */
export function keepAlive(options: { poolSize?: number } = {}): ConnectionsInput {
  return { ...options, kind: "keepAlive" };
}

/**
 * Names of the words' positional parameters: how source.ts finds `rate` in `openLoop(200)`. A word
 * that takes one object of options needs no entry.
 */
export const positionalParameters: Readonly<Record<string, readonly string[]>> = {
  ...dockerParameters,
  pods: ["replicas"],
  outside: ["replicas"],
  nodePort: ["service"],
  externalIP: ["service"],
  loadBalancer: ["service"],
  lookup: ["name"],
  openLoop: ["rate"],
  constant: ["rps"],
  stages: ["stages"],
  deterministic: ["value"],
  exponential: ["mean"],
  empirical: ["values"],
  hyperexponential: ["branches"],
};
