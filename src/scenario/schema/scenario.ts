/**
 * Reading what a scenario file exports.
 *
 * Owns: every field of the language but those of faults and servers (../faults, ../servers), its range
 * and its default. Each part (a client, a fault) is read alone, so that a mistake in one hides none in another. Refuses to
 * own: whether the names in it exist (targets.ts, cluster.ts).
 */
import { z } from "zod";
import { ms, seconds } from "../../engine/index.ts";
import type { FaultSpec } from "../../faults/index.ts";
import { parsePrefix } from "../../network/address.ts";
import { networkKindNames } from "../../network/kinds/index.ts";
import type { FaultDraft } from "../faults/contract.ts";
import { readFaults } from "../faults/index.ts";
import { labels, labelName } from "../manifests/objects.ts";
import { describeValue, type FileMistakes, type Path } from "../mistakes.ts";
import type { ResolvedClient } from "../resolved.ts";
import { readServer, type ServerSpec } from "../servers/index.ts";
import { distribution } from "./distribution.ts";
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
  number,
  object,
  positiveDuration,
  quietly,
  read,
  reading,
  scalar,
  text,
  word,
} from "./reading.ts";

export const MOST_NODES = 15_000;
const MOST_CLIENT_REPLICAS = 10_000;
const KIB = 1024;

/** CIDRs of the cluster: Kubernetes' documentation and kubeadm's defaults; nodes as kind has them. */
const DEFAULT_POD_CIDR = "10.244.0.0/16";
const DEFAULT_SERVICE_CIDR = "10.96.0.0/12";
const DEFAULT_NODE_CIDR = "172.18.0.0/16";

/** Shortest and longest prefix of a family. */
type Lengths = readonly [shortest: number, longest: number];

/** One IPv4 CIDR, or with dual stack an IPv4 and an IPv6 one. */
function cidrs(ipv4: Lengths, ipv6: Lengths) {
  const allowed =
    `an IPv4 CIDR of length ${ipv4.join(" to ")}, such as "10.244.0.0/16", ` +
    `or that and an IPv6 one of length ${ipv6.join(" to ")} after a comma`;
  return scalar(allowed, (input) => {
    if (typeof input !== "string" || input.length > 128) return null;
    const parts = input.split(",");
    if (parts.length > 2) return null;
    for (const [i, part] of parts.entries()) {
      const problem = cidrProblem(part, i === 0 ? 4 : 6, i === 0 ? ipv4 : ipv6);
      if (problem !== undefined) return problem === null ? null : { problem };
    }
    return { value: input };
  });
}

/** What is wrong, undefined for nothing; null where what is allowed says enough. */
function cidrProblem(text: string, family: 4 | 6, [shortest, longest]: Lengths) {
  try {
    const prefix = parsePrefix(text);
    if (prefix.family !== family) {
      return family === 4 ? "IPv4 comes first, and is not left out" : "twice IPv4";
    }
    if (prefix.length < shortest || prefix.length > longest) return null;
    const whole = parsePrefix(`${text.slice(0, text.indexOf("/"))}/${family === 4 ? 32 : 128}`);
    return prefix.first === whole.first ? undefined : "not the first address of that network";
  } catch {
    return null;
  }
}

const nodeShape = object({
  cpu: cpuMillis.default(4000),
  memory: bytes.default(16 * KIB ** 3),
  /** Kubelet default. Kubernetes: pkg/kubelet/apis/config/v1beta1/defaults.go. */
  maxPods: integer("pods", 1, 10_000).default(110),
});

const cluster = object({
  manifests: z.array(text("the path of a YAML or JSON file", /./)).default([]),
  nodes: integer("a number of nodes", 0, MOST_NODES).optional(),
  zones: integer("a number of zones", 1, 1000).optional(),
  nodeShape: nodeShape.prefault({}),
  network: word(...networkKindNames).default("bridge-host-gw"),
  podCIDR: cidrs([8, 24], [48, 64]).default(DEFAULT_POD_CIDR),
  serviceCIDR: cidrs([8, 28], [108, 120]).default(DEFAULT_SERVICE_CIDR),
  nodeCIDR: cidrs([8, 28], [32, 120]).default(DEFAULT_NODE_CIDR),
});
export type ClusterPart = z.output<typeof cluster>;

const replicas = integer("replicas", 1, MOST_CLIENT_REPLICAS);

const origin = choice("pods(...) or outside(...)", {
  pod: fields("pod", { replicas, labels: labels.optional() }),
  outside: fields("outside", { replicas }),
});

export interface TargetPart {
  readonly reference: string;
  readonly via: ResolvedClient["to"]["via"];
}

/** Words for what is not a Service's ClusterIP. */
const TARGET_WORDS = ["nodePort", "externalIP", "loadBalancer"] as const;

const target: z.ZodType<TargetPart> = reading((input, context) => {
  if (typeof input === "string") return { reference: input, via: "clusterIP" };
  if (isRecord(input) && typeof input["service"] === "string") {
    const via = TARGET_WORDS.find((each) => each === input["kind"]);
    if (via !== undefined) return { reference: input["service"], via };
  }
  context.mistake(
    [],
    input === undefined ? "missing" : describeValue(input),
    `"svc/NAME:PORT" or ${TARGET_WORDS.map((each) => `${each}("svc/NAME:PORT")`).join(", ")}`,
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

const connections = choice("perRequest() or keepAlive(...)", {
  perRequest: fields("perRequest", {}),
  keepAlive: fields("keepAlive", { poolSize: integer("connections", 1, 1_000_000).optional() }),
});

const retries = object({
  attempts: integer("tries in all", 1, 100),
  initialBackoff: duration.default(ms(100)),
  backoffFactor: number("a factor from 1 to 100", (n) => n >= 1 && n <= 100).default(2),
  maxBackoff: duration.default(seconds(10)),
  jitter: number("a share from 0 to 1", (n) => n >= 0 && n <= 1).default(0.2),
});

const client = object({
  name: labelName,
  from: origin.prefault({ kind: "pod", replicas: 1 }),
  to: target,
  load,
  connections: connections.prefault({ kind: "perRequest" }),
  requestSize: bytes.default(256),
  timeout: positiveDuration.default(seconds(5)),
  retries: retries.prefault({ attempts: 1 }),
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
  readonly servers: readonly (Part<ServerSpec> & { readonly reference: string })[];
  readonly clients: readonly (Part<ClientPart> & { readonly to: TargetPart | undefined })[];
  readonly faults: readonly FaultDraft<FaultSpec>[];
  /** As written: schema/profile.ts reads it. */
  readonly profile: unknown;
}

const PART_NAMES = ["cluster", "servers", "clients", "faults", "profile"];

/** Reads all parts of plain data; mistakes go to `mistakes`. */
export function readScenario(input: unknown, mistakes: FileMistakes): ScenarioParts | undefined {
  if (!isRecord(input)) {
    mistakes.add([], describeValue(input), "a scenario: defineScenario({ ... })");
    return undefined;
  }
  const { cluster: clusterInput, servers, clients, faults, profile, ...rest } = input;
  return {
    run: readRun(rest, mistakes),
    cluster: read(cluster, clusterInput, mistakes, ["cluster"]),
    servers: readServers(servers, mistakes),
    clients: readList(client, "clients", clients, mistakes).map(({ value, path, item }) => ({
      value,
      path,
      to: quietly(target, item["to"]),
    })),
    faults: readFaults(faults, mistakes),
    profile,
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
    return { value: readServer(part, path, mistakes), path, reference };
  });
}

function readList<T>(
  schema: z.ZodType<T>,
  name: string,
  input: unknown,
  mistakes: FileMistakes,
): (Part<T> & { item: Record<string, unknown> })[] {
  if (input === undefined) return [];
  if (!Array.isArray(input)) {
    mistakes.add([name], describeValue(input), "a list [ ... ]");
    return [];
  }
  return input.map((item: unknown, index) => {
    const path = [name, index];
    return { value: read(schema, item, mistakes, path), path, item: isRecord(item) ? item : {} };
  });
}
