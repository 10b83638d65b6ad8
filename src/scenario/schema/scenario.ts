/**
 * Reading what a scenario file exports.
 *
 * Owns: every field of the language but those of faults and servers (../faults, ../servers), its range
 * and its default. Each part (a client, a fault) is read alone, so that a mistake in one hides none in another. Refuses to
 * own: whether the names in it exist (targets.ts, cluster.ts).
 */
import { z } from "zod";
import { parseInstant } from "../../kubernetes/cron/calendar.ts";
import { seconds } from "../../engine/index.ts";
import type { FaultSpec } from "../../faults/index.ts";
import { networkKindNames } from "../../network/kinds/index.ts";
import type { FaultDraft } from "../faults/contract.ts";
import { readFaults } from "../faults/index.ts";
import { MOST_FILLER_ENDPOINTS } from "../manifests/filler.ts";
import { labels, labelName } from "../manifests/objects.ts";
import { describeValue, type FileMistakes, type Path } from "../mistakes.ts";
import type { ServiceTarget } from "../resolved.ts";
import { connections, retries } from "./calling.ts";
import { readWorkloadServer, type WorkloadServerSpec } from "../servers/index.ts";
import { readChaos, type ChaosPart } from "./chaos.ts";
import { distribution } from "./distribution.ts";
import {
  DOCKER_TARGETS,
  dockerTarget,
  readDocker,
  type DockerPart,
  type DockerTargetPart,
} from "./docker.ts";
import { ipPrefixes } from "./prefix.ts";
import { rateProfile } from "./rate.ts";
import {
  boolean,
  bytes,
  choice,
  cpuMillis,
  duration,
  fields,
  integer,
  isRecord,
  messageBytes,
  object,
  positiveDuration,
  quietly,
  read,
  reading,
  scalar,
  text,
  tryTimeout,
  word,
} from "./reading.ts";

export const MOST_NODES = 15_000;
const MOST_CLIENT_REPLICAS = 10_000;
const MOST_FILLER_SERVICES = 100_000;
const KIB = 1024;

/** CIDRs of the cluster: Kubernetes' documentation and kubeadm's defaults; nodes as kind has them. */
const DEFAULT_POD_CIDR = "10.244.0.0/16";
const DEFAULT_SERVICE_CIDR = "10.96.0.0/12";
const DEFAULT_NODE_CIDR = "172.18.0.0/16";

const nodeShape = object({
  cpu: cpuMillis.default(4000),
  memory: bytes.default(16 * KIB ** 3),
  /** Kubelet default. Kubernetes: pkg/kubelet/apis/config/v1beta1/defaults.go. */
  maxPods: integer("pods", 1, 10_000).default(110),
});

const dns = object({
  replicas: integer("replicas", 1, 10_000).default(2),
  nodeLocal: boolean.default(false),
  ttl: duration.optional(),
  cache: object({
    success: duration.optional(),
    denial: duration.optional(),
  }).prefault({}),
  cpuPerQuery: duration.optional(),
  workers: integer("threads", 1, 1000).optional(),
  upstream: distribution.optional(),
});
export type DnsPart = z.output<typeof dns>;

/** Sizes of images by name; "missing": the registry has no such image. */
const images = reading<Record<string, number | null>>((input, context) => {
  if (!isRecord(input)) {
    context.mistake([], describeValue(input), 'an object such as { "nginx:1.27": "70Mi" }');
    return undefined;
  }
  const sizes: Record<string, number | null> = {};
  for (const [image, size] of Object.entries(input)) {
    const isMissing = size === "missing";
    const value = isMissing ? null : quietly(bytes, size);
    if (value === undefined) {
      context.mistake([image], describeValue(size), 'a size such as "70Mi", or "missing"');
    } else sizes[image] = value;
  }
  return sizes;
});

const filler = object({
  services: integer("Services", 1, MOST_FILLER_SERVICES),
  endpoints: integer("endpoints of a Service", 1, 1000).default(2),
  pods: boolean.default(false),
}).refine(({ services, endpoints }) => services * endpoints <= MOST_FILLER_ENDPOINTS, {
  params: { allowed: `at most ${MOST_FILLER_ENDPOINTS} endpoints in all` },
});

const cluster = object({
  manifests: z.array(text("the path of a YAML or JSON file", /./)).default([]),
  nodes: integer("a number of nodes", 0, MOST_NODES).optional(),
  zones: integer("a number of zones", 1, 1000).optional(),
  nodeShape: nodeShape.prefault({}),
  network: word(...networkKindNames).default("bridge-host-gw"),
  podCIDR: ipPrefixes([8, 24], [48, 64]).default(DEFAULT_POD_CIDR),
  serviceCIDR: ipPrefixes([8, 28], [108, 120]).default(DEFAULT_SERVICE_CIDR),
  nodeCIDR: ipPrefixes([8, 28], [32, 120]).default(DEFAULT_NODE_CIDR),
  dns: dns.optional(),
  images: images.default({}),
  filler: filler.optional(),
});
export type ClusterPart = z.output<typeof cluster>;

const replicas = integer("replicas", 1, MOST_CLIENT_REPLICAS);

const name = text("a name", /^[a-z0-9][a-z0-9.-]*$/);

const origin = choice(
  "pods(...), outside(...), sidecar(...), onHost(...) or containers(N, { host })",
  {
    pod: fields("pod", { replicas, labels: labels.optional(), node: name.optional() }),
    outside: fields("outside", { replicas }),
    sidecar: fields("sidecar", { workload: text('a workload such as "deploy/web"') }),
    host: fields("host", { host: name }),
    container: fields("container", { replicas, host: name }),
  },
);

/** A Service by its reference, and how it is reached. */
export interface ServiceTargetPart {
  readonly reference: string;
  readonly via: ServiceTarget["via"];
  /** The node whose port it is; null for any. */
  readonly node: string | null;
  /** What a lookup asks for. Absent: addresses. */
  readonly type?: LookupType;
}

export type TargetPart = ServiceTargetPart | DockerTargetPart;

const LOOKUP_TYPES = ["SRV", "PTR"] as const;
type LookupType = (typeof LOOKUP_TYPES)[number];

/** Words for what is not a Service's ClusterIP. */
const TARGET_WORDS = ["nodePort", "externalIP", "loadBalancer"] as const;

export const DNS_SCHEME = "dns://";

const target: z.ZodType<TargetPart> = reading((input, context) => {
  if (typeof input === "string" && input.startsWith(DNS_SCHEME)) {
    return { reference: input.slice(DNS_SCHEME.length), via: "dns", node: null };
  }
  if (isRecord(input) && input["kind"] === "lookup" && typeof input["name"] === "string") {
    const type = LOOKUP_TYPES.find((each) => each === input["type"]);
    if (type === undefined && input["type"] !== undefined) {
      context.mistake(
        ["type"],
        describeValue(input["type"]),
        '"SRV" or "PTR"; addresses without it',
      );
    }
    return { reference: input["name"], via: "lookup", node: null, ...(type && { type }) };
  }
  if (typeof input === "string") return { reference: input, via: "clusterIP", node: null };
  if (isRecord(input) && typeof input["service"] === "string") {
    const { service, node } = input;
    const via = TARGET_WORDS.find((each) => each === input["kind"]);
    if (via !== undefined) {
      const isOnNode = via === "nodePort" && typeof node === "string";
      return { reference: service, via, node: isOnNode ? node : null };
    }
  }
  const docker = dockerTarget(input, context);
  if (docker !== null) return docker;
  context.mistake(
    [],
    input === undefined ? "missing" : describeValue(input),
    `"svc/NAME:PORT", "dns://NAME:PORT", lookup("NAME"), ${TARGET_WORDS.map((each) => `${each}("svc/NAME:PORT")`).join(", ")}, ${DOCKER_TARGETS}`,
  );
  return undefined;
});

const load = choice("openLoop(...) or closedLoop(...)", {
  openLoop: fields("openLoop", {
    rate: rateProfile,
    arrivals: word("poisson", "deterministic").default("poisson"),
  }),
  closedLoop: fields("closedLoop", {
    users: integer("users", 1, 10_000_000),
    thinkTime: distribution.default({ kind: "deterministic", value: 0 }),
  }),
});

/** Defaults of resolv.conf(5), and of a pod: kubelet's ndots. */
const SLOW_START = { params: { allowed: 'slowStart with pick "random" only' } };

export const resolver = object({
  ndots: integer("dots", 0, 15).default(5),
  timeout: positiveDuration.default(seconds(5)),
  attempts: integer("attempts", 1, 5).default(2),
  singleRequest: boolean.default(false),
  singleRequestReopen: boolean.default(false),
  edns0: boolean.default(false),
  search: z.array(text("a domain", /^[a-z0-9.-]+$/, 253)).default([]),
  cache: z.union([z.enum(["none", "forever", "record"]), positiveDuration]).default("none"),
  pick: word("first", "random").default("first"),
  slowStart: positiveDuration.optional(),
}).refine(({ pick, slowStart }) => slowStart === undefined || pick === "random", SLOW_START);

const client = object({
  name: labelName,
  from: origin.prefault({ kind: "pod", replicas: 1 }),
  to: target,
  ipFamily: word("IPv4", "IPv6").optional(),
  load,
  connections: connections.prefault({ kind: "perRequest" }),
  requestSize: messageBytes.default(256),
  timeout: tryTimeout.default(seconds(5)),
  retries: retries.prefault({ attempts: 1 }),
  resolver: resolver.prefault({}),
  start: duration.default(0),
  stop: duration.optional(),
});
export type ClientPart = z.output<typeof client>;

const run = object({
  description: text("text", undefined, 10_000).optional(),
  duration: positiveDuration,
  seed: scalar("text or a whole number", (input) => {
    const isNumber = typeof input === "number" && Number.isSafeInteger(input);
    return isNumber || (typeof input === "string" && input !== "" && input.length <= 256)
      ? { value: String(input) }
      : null;
  }).default("1"),
  startsAt: scalar('an instant in UTC such as "2026-01-05T08:59:30Z"', (input) => {
    const seconds = typeof input === "string" ? parseInstant(input) : null;
    return seconds === null ? null : { value: seconds };
  }).optional(),
  coldStart: boolean.default(false),
  window: positiveDuration.default(seconds(1)),
});

/** A part that was read and its place in the scenario. */
export interface Part<T> {
  readonly value: T | undefined;
  readonly path: Path;
}

/**
 * The parts that were read; undefined for one with mistakes. The names in a part stand beside it, so
 * that they can be looked up whatever else is wrong.
 */
export interface ScenarioParts {
  readonly run: z.output<typeof run> | undefined;
  readonly cluster: ClusterPart | undefined;
  /** The scenario is about Docker hosts only: its cluster has nothing in it. */
  readonly withoutCluster: boolean;
  /** undefined where there is none, null after mistakes. */
  readonly docker: DockerPart | undefined | null;
  readonly servers: readonly (Part<WorkloadServerSpec> & { readonly reference: string })[];
  readonly clients: readonly (Part<ClientPart> & { readonly to: TargetPart | undefined })[];
  readonly faults: readonly FaultDraft<FaultSpec>[];
  readonly chaos: ChaosPart | undefined;
  /** As written: schema/profile.ts reads it. */
  readonly profile: unknown;
  /** As written: ../thresholds.ts reads them. */
  readonly thresholds: readonly unknown[];
}

const PART_NAMES = [
  "cluster",
  "docker",
  "servers",
  "clients",
  "faults",
  "chaos",
  "profile",
  "thresholds",
];

/** Reads all parts of plain data; mistakes go to `mistakes`. */
export function readScenario(input: unknown, mistakes: FileMistakes): ScenarioParts | undefined {
  if (!isRecord(input)) {
    mistakes.add([], describeValue(input), "a scenario: defineScenario({ ... })");
    return undefined;
  }
  const { cluster: clusterInput, docker, servers, clients, ...others } = input;
  const { faults, chaos, profile, thresholds, ...rest } = others;
  const withoutCluster = clusterInput === undefined && docker !== undefined;
  return {
    run: readRun(rest, mistakes),
    cluster: read(cluster, withoutCluster ? { nodes: 0 } : clusterInput, mistakes, ["cluster"]),
    withoutCluster,
    docker: readDocker(docker, mistakes),
    servers: readServers(servers, mistakes),
    clients: readList(client, "clients", clients, mistakes).map(({ value, path, item }) => ({
      value,
      path,
      to: quietly(target, item["to"]),
    })),
    faults: readFaults(faults, mistakes),
    chaos: readChaos(chaos, mistakes),
    profile,
    thresholds: listOf("thresholds", thresholds, mistakes),
  };
}

function readRun(input: Record<string, unknown>, mistakes: FileMistakes) {
  // The other parts' names belong to the list of what is allowed, and of what may have been meant.
  const shape = Object.fromEntries(PART_NAMES.map((name) => [name, z.undefined().optional()]));
  return read(run.extend(shape), input, mistakes) as z.output<typeof run> | undefined;
}

function readServers(input: unknown, mistakes: FileMistakes): ScenarioParts["servers"] {
  if (input === undefined) return [];
  if (!isRecord(input)) {
    mistakes.add(
      ["servers"],
      describeValue(input),
      'an object such as { "deploy/nginx": { ... } }',
    );
    return [];
  }
  return Object.entries(input).map(([reference, part]) => {
    const path = ["servers", reference];
    return { value: readWorkloadServer(part, path, mistakes), path, reference };
  });
}

function readList<T>(
  schema: z.ZodType<T>,
  name: string,
  input: unknown,
  mistakes: FileMistakes,
): (Part<T> & { item: Record<string, unknown> })[] {
  return listOf(name, input, mistakes).map((item, index) => {
    const path = [name, index];
    return { value: read(schema, item, mistakes, path), path, item: isRecord(item) ? item : {} };
  });
}

function listOf(name: string, input: unknown, mistakes: FileMistakes): readonly unknown[] {
  if (input === undefined) return [];
  if (Array.isArray(input)) return input;
  mistakes.add([name], describeValue(input), "a list [ ... ]");
  return [];
}
