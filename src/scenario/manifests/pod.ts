/**
 * Reading a pod: its containers, ports, probes and resources.
 *
 * Owns: PodSpec and pod templates with the defaults of Kubernetes' core/v1. Refuses to own: which
 * node a pod gets, and how many pods there are.
 */
import { z } from "zod";
import { seconds } from "../../engine/index.ts";
import type {
  Container,
  ContainerPort,
  Labels,
  LifecycleHandler,
  PodSpec,
  Probe,
  ProbeHandler,
} from "../../kubernetes/api/types.ts";
import type { FileMistakes, Path } from "../mistakes.ts";
import {
  boolean,
  bytes,
  cpuMillis,
  integer,
  isRecord,
  scalar,
  text,
  word,
} from "../schema/reading.ts";
import { ipAddress } from "./addresses.ts";
import { labelName, labels, metadataSchema } from "./objects.ts";
import { buildScheduling, schedulingFields } from "./scheduling.ts";

/** Seconds whose nanoseconds are exact. */
export const LONGEST_SECONDS = 9_007_199;

export const wholeSeconds = integer("seconds", 0, LONGEST_SECONDS);
export const portNumber = integer("a port", 1, 65_535);
export const protocol = word("TCP", "UDP", "SCTP");

export const portOrName: z.ZodType<number | string> = scalar(
  'a port number from 1 to 65535 or the name of a port: at most 15 of a-z, 0-9 and "-"',
  (input) => {
    const isPort =
      typeof input === "number" && Number.isInteger(input) && input >= 1 && input <= 65_535;
    const isName =
      typeof input === "string" && /^(?=.*[a-z])[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(input);
    return isPort || (isName && input.length <= 15) ? { value: input as number | string } : null;
  },
  (input) => (typeof input === "string" && /^\d+$/.test(input) ? input : null),
);

const count = integer("a count", 0, 2 ** 31 - 1);
const portTarget = z.object({ port: portOrName });

const probeSchema = z.object({
  httpGet: z.object({ port: portOrName, path: text("a path").optional() }).optional(),
  tcpSocket: portTarget.optional(),
  grpc: portTarget.optional(),
  exec: z.unknown().optional(),
  terminationGracePeriodSeconds: wholeSeconds.optional(),
  initialDelaySeconds: wholeSeconds.optional(),
  periodSeconds: wholeSeconds.optional(),
  timeoutSeconds: wholeSeconds.optional(),
  successThreshold: count.optional(),
  failureThreshold: count.optional(),
});

const command = z.array(text("text", undefined, 1_000_000));

const handlerSchema = z.object({
  exec: z.object({ command: command.optional() }).optional(),
  httpGet: z.object({ port: portOrName, path: text("a path").optional() }).optional(),
  sleep: z.object({ seconds: wholeSeconds }).optional(),
});

const resourceList = z.object({ cpu: cpuMillis.optional(), memory: bytes.optional() });

const containerSchema = z.object({
  name: labelName,
  image: text("the name of an image").optional(),
  imagePullPolicy: word("Always", "IfNotPresent", "Never").optional(),
  command: command.optional(),
  args: command.optional(),
  ports: z
    .array(
      z.object({
        name: portOrName.optional(),
        containerPort: portNumber,
        hostPort: portNumber.optional(),
        hostIP: ipAddress.schema.optional(),
        protocol: protocol.optional(),
      }),
    )
    .optional(),
  resources: z
    .object({ requests: resourceList.optional(), limits: resourceList.optional() })
    .optional(),
  readinessProbe: probeSchema.optional(),
  livenessProbe: probeSchema.optional(),
  startupProbe: probeSchema.optional(),
  lifecycle: z
    .object({ preStop: handlerSchema.optional(), postStart: handlerSchema.optional() })
    .optional(),
  env: z
    .array(z.object({ name: text("a name"), value: text("text", undefined, 1_000_000).optional() }))
    .optional(),
});

const initContainerSchema = containerSchema.extend({ restartPolicy: word("Always").optional() });

export const podSpecSchema = z.object({
  containers: z.array(containerSchema).min(1),
  initContainers: z.array(initContainerSchema).optional(),
  nodeName: text("the name of a node").optional(),
  terminationGracePeriodSeconds: wholeSeconds.optional(),
  restartPolicy: word("Always", "OnFailure", "Never").optional(),
  hostNetwork: boolean.optional(),
  hostname: text("a host name").optional(),
  subdomain: text("the name of a headless Service").optional(),
  nodeSelector: labels.optional(),
  ...schedulingFields,
});

export const templateSchema = z.object({
  metadata: metadataSchema.partial().optional(),
  spec: podSpecSchema,
});

type WrittenContainer = z.output<typeof initContainerSchema>;
type WrittenProbe = z.output<typeof probeSchema>;
type WrittenHandler = z.output<typeof handlerSchema>;

/** @param mistakes about the pod spec itself */
export function buildPodSpec(
  written: z.output<typeof podSpecSchema>,
  mistakes: FileMistakes,
): PodSpec {
  if (written.hostNetwork === true) {
    mistakes.add(["hostNetwork"], "not modelled yet", "pods with an address of their own");
  }
  const { containers, initContainers = [] } = written;
  const all = [...initContainers, ...containers];
  checkPorts(placed(initContainers, containers), mistakes);
  return {
    ...(initContainers.length > 0 && {
      initContainers: initContainers.map((container, index) =>
        buildInitContainer(container, all, mistakes.within(["initContainers", index])),
      ),
    }),
    containers: containers.map((container, index) =>
      buildContainer(container, all, mistakes.within(["containers", index])),
    ),
    nodeName: written.nodeName ?? null,
    // Defaults here and below: Kubernetes pkg/apis/core/v1/defaults.go.
    terminationGracePeriodNs: seconds(written.terminationGracePeriodSeconds ?? 30),
    restartPolicy: written.restartPolicy ?? "Always",
    hostNetwork: false,
    ...(written.hostname !== undefined && { hostname: written.hostname }),
    ...(written.subdomain !== undefined && { subdomain: written.subdomain }),
    nodeSelector: written.nodeSelector ?? {},
    ...buildScheduling(written, mistakes),
  };
}

function buildContainer(
  written: WrittenContainer,
  all: readonly WrittenContainer[],
  mistakes: FileMistakes,
): Container {
  const { requests, limits } = written.resources ?? {};
  const probe = (name: "readinessProbe" | "livenessProbe" | "startupProbe") =>
    buildProbe(written[name], written, mistakes.within([name]), name !== "readinessProbe");
  const hook = (name: "preStop" | "postStart") =>
    buildHook(written.lifecycle?.[name], written, mistakes.within(["lifecycle", name]));
  const clash = all.find((other) => other.name === written.name);
  if (clash !== written)
    mistakes.add(["name"], `a second container "${written.name}"`, "unique names");
  const sleepNs = onlySleepNs([...(written.command ?? []), ...(written.args ?? [])]);
  const [preStop, postStart, startupProbe] = [
    hook("preStop"),
    hook("postStart"),
    probe("startupProbe"),
  ];
  return {
    name: written.name,
    image: written.image ?? "",
    ports: (written.ports ?? []).map(buildPort),
    requests: {
      cpuMillis: requests?.cpu ?? limits?.cpu ?? 0,
      memoryBytes: requests?.memory ?? limits?.memory ?? 0,
    },
    limits: { cpuMillis: limits?.cpu ?? null, memoryBytes: limits?.memory ?? null },
    readinessProbe: probe("readinessProbe"),
    livenessProbe: probe("livenessProbe"),
    // What is not written is left out: names of ReplicaSets are made of a hash of all this.
    ...(startupProbe !== null && { startupProbe }),
    ...(preStop !== null && { preStop }),
    ...(postStart !== null && { postStart }),
    ...(written.imagePullPolicy !== undefined && { imagePullPolicy: written.imagePullPolicy }),
    ...(written.restartPolicy !== undefined && { restartPolicy: written.restartPolicy }),
    ...(sleepNs !== null && { sleepNs }),
    env: envOf(written),
  };
}

/** Kubernetes: ValidateInitContainers. Only sidecars live on, so only they have probes and hooks. */
function buildInitContainer(
  written: WrittenContainer,
  all: readonly WrittenContainer[],
  mistakes: FileMistakes,
): Container {
  if (written.restartPolicy !== "Always") {
    for (const field of ["lifecycle", "readinessProbe", "livenessProbe", "startupProbe"] as const) {
      if (written[field] === undefined) continue;
      mistakes.add([field], "an init container with it", "restartPolicy: Always beside it");
    }
  }
  return buildContainer(written, all, mistakes);
}

const SLEEP = /\bsleep\s+(\d+(?:\.\d+)?)\b/g;

/** How long a command sleeps, in all. */
function sleepNsOf(words: readonly string[]): number {
  const naps = [...words.join(" ").matchAll(SLEEP)].map(([, number]) => Number(number));
  return seconds(naps.reduce((sum, each) => sum + Math.min(each, LONGEST_SECONDS), 0));
}

/** The same of a command that does nothing else; null for others. */
function onlySleepNs(words: readonly string[]): number | null {
  const rest = words
    .join(" ")
    .replace(/^(\/(usr\/)?bin\/)?(ba|a|da)?sh -e?c /, "")
    .replace(/^(exec )?(\/(usr\/)?bin\/)?sleep \d+(\.\d+)?$/, "");
  return rest === "" && words.length > 0 ? sleepNsOf(words) : null;
}

function buildHook(
  written: WrittenHandler | undefined,
  container: WrittenContainer,
  mistakes: FileMistakes,
): LifecycleHandler | null {
  if (written === undefined) return null;
  const { exec, httpGet, sleep } = written;
  const given = [exec, httpGet, sleep].filter((handler) => handler !== undefined);
  if (given.length !== 1) {
    mistakes.add([], `${given.length} handlers`, "one of exec, httpGet and sleep");
  }
  if (sleep !== undefined) return { kind: "sleep", durationNs: seconds(sleep.seconds) };
  if (httpGet === undefined) return { kind: "exec", sleepNs: sleepNsOf(exec?.command ?? []) };
  const port = containerPortOf(httpGet.port, container, mistakes, ["httpGet", "port"]);
  return { kind: "httpGet", port, path: httpGet.path ?? "/" };
}

function envOf({ env = [] }: WrittenContainer): Labels {
  return Object.fromEntries(env.map(({ name, value }) => [name, value ?? ""] as const));
}

function buildPort(written: NonNullable<WrittenContainer["ports"]>[number]): ContainerPort {
  return {
    name: written.name === undefined ? null : String(written.name),
    containerPort: written.containerPort,
    hostPort: written.hostPort ?? null,
    ...(written.hostIP !== undefined && { hostIP: written.hostIP }),
    protocol: written.protocol ?? "TCP",
  };
}

function buildProbe(
  written: WrittenProbe | undefined,
  container: WrittenContainer,
  mistakes: FileMistakes,
  killsContainer: boolean,
): Probe | null {
  if (written === undefined) return null;
  const { successThreshold, terminationGracePeriodSeconds } = written;
  // Kubernetes: validateLivenessProbe, validateReadinessProbe.
  if (killsContainer && (successThreshold ?? 1) > 1) {
    mistakes.add(["successThreshold"], String(successThreshold), "1");
  }
  if (!killsContainer && terminationGracePeriodSeconds !== undefined) {
    const allowed = "liveness and startup probes with it";
    mistakes.add(["terminationGracePeriodSeconds"], "a readiness probe with it", allowed);
  }
  return {
    handler: buildHandler(written, container, mistakes),
    // A zero counts as unset. Kubernetes: SetDefaults_Probe.
    initialDelayNs: seconds(written.initialDelaySeconds ?? 0),
    periodNs: seconds(written.periodSeconds || 10),
    timeoutNs: seconds(written.timeoutSeconds || 1),
    successThreshold: written.successThreshold || 1,
    failureThreshold: written.failureThreshold || 3,
    ...(terminationGracePeriodSeconds !== undefined && {
      terminationGracePeriodNs: seconds(terminationGracePeriodSeconds),
    }),
  };
}

function buildHandler(
  written: WrittenProbe,
  container: WrittenContainer,
  mistakes: FileMistakes,
): ProbeHandler {
  const { httpGet, tcpSocket, grpc, exec } = written;
  const given = [httpGet, tcpSocket, grpc, exec].filter((handler) => handler !== undefined);
  if (given.length !== 1) {
    mistakes.add([], `${given.length} handlers`, "one of httpGet, tcpSocket, grpc and exec");
  }
  const port = (handler: { port: number | string }, name: string) =>
    containerPortOf(handler.port, container, mistakes, [name, "port"]);
  if (httpGet !== undefined) {
    return { kind: "httpGet", port: port(httpGet, "httpGet"), path: httpGet.path ?? "/" };
  }
  if (tcpSocket !== undefined) return { kind: "tcpSocket", port: port(tcpSocket, "tcpSocket") };
  if (grpc !== undefined) return { kind: "grpc", port: port(grpc, "grpc") };
  return { kind: "exec" };
}

function containerPortOf(
  port: number | string,
  container: WrittenContainer,
  mistakes: FileMistakes,
  path: Path,
): number {
  if (typeof port === "number") return port;
  const named = container.ports?.find(({ name }) => name === port);
  if (named !== undefined) return named.containerPort;
  const names = (container.ports ?? []).flatMap(({ name }) => (name === undefined ? [] : [name]));
  mistakes.add(path, `no port "${port}" in this container`, names.join(", ") || "a port number");
  return 1;
}

/** Those that run side by side, with their places: containers and sidecars. */
function placed(
  initContainers: readonly WrittenContainer[],
  containers: readonly WrittenContainer[],
): (readonly [Path, WrittenContainer])[] {
  const sidecars = initContainers
    .map((container, index) => [["initContainers", index] as Path, container] as const)
    .filter(([, { restartPolicy }]) => restartPolicy === "Always");
  const others = containers.map(
    (container, index) => [["containers", index] as Path, container] as const,
  );
  return [...sidecars, ...others];
}

/**
 * Containers of a pod share its namespace: the second to listen on a port fails (facts: EADDRINUSE,
 * then a crash loop), which Kubernetes itself does not notice.
 */
function checkPorts(
  containers: readonly (readonly [Path, WrittenContainer])[],
  mistakes: FileMistakes,
): void {
  const owners = new Map<string, string>();
  const names = new Set<string>();
  for (const [at, { name: owner, ports = [] }] of containers) {
    for (const [p, port] of ports.entries()) {
      const path = [...at, "ports", p];
      const key = `${port.containerPort}/${port.protocol ?? "TCP"}`;
      const other = owners.get(key);
      if (other === undefined) owners.set(key, owner);
      else {
        const found = `port ${key} is taken by container "${other}" of the same pod`;
        mistakes.add(
          [...path, "containerPort"],
          found,
          "a port that no other container listens on",
        );
      }
      if (port.name === undefined) continue;
      if (names.has(String(port.name))) {
        mistakes.add([...path, "name"], `a second port "${port.name}"`, "unique names");
      }
      names.add(String(port.name));
    }
  }
}

/** Fields that change behaviour in a real cluster and not yet here, with what happens instead. */
const WITHOUT_EFFECT: readonly (readonly [field: string, reason: string])[] = [
  ["readinessGates", "readiness gates are not modelled yet: they count as open"],
  ["schedulingGates", "scheduling gates are not modelled yet: they count as open"],
  ["schedulerName", "there is one scheduler"],
  ["activeDeadlineSeconds", "not modelled yet: pods run on"],
];

const CONTAINER_WITHOUT_EFFECT: readonly (readonly [path: string, reason: string])[] = [
  ["lifecycle.stopSignal", "containers are stopped with SIGTERM"],
  ["restartPolicyRules", "rules by exit code are not modelled: the restart policy counts"],
];

const COMMAND_REASON =
  "the command is not run: it costs CPU time, sleeps as long as it says and exits 0";
const PROBES = ["readinessProbe", "livenessProbe", "startupProbe"];
const HOOKS = ["preStop", "postStart"];

/** Lists the parts of a pod spec, as written, that have no effect. */
export function noticePodSpec(
  spec: unknown,
  path: Path,
  ignore: (path: Path, reason: string) => void,
): void {
  if (!isRecord(spec)) return;
  for (const [field, reason] of WITHOUT_EFFECT) {
    if (spec[field] !== undefined) ignore([...path, field], reason);
  }
  for (const field of ["affinity", "topologySpreadConstraints"]) {
    noticeWithin(spec[field], [...path, field], ignore);
  }
  for (const list of ["initContainers", "containers"]) {
    const containers: unknown = spec[list];
    if (!Array.isArray(containers)) continue;
    for (const [index, container] of containers.entries()) {
      noticeContainer(container, [...path, list, index], ignore);
    }
  }
}

function noticeContainer(
  container: unknown,
  at: Path,
  ignore: (path: Path, reason: string) => void,
): void {
  for (const [field, reason] of CONTAINER_WITHOUT_EFFECT) {
    const parts = field.split(".");
    if (valueAt(container, parts) !== undefined) ignore([...at, ...parts], reason);
  }
  const commands = [
    ...PROBES.map((probe) => [probe, "exec"]),
    ...HOOKS.map((hook) => ["lifecycle", hook, "exec"]),
  ];
  for (const parts of commands) {
    const words = valueAt(container, [...parts, "command"]);
    // One that only sleeps is modelled in full.
    if (Array.isArray(words) && onlySleepNs(words.map(String)) !== null) continue;
    if (valueAt(container, parts) !== undefined) ignore([...at, ...parts], COMMAND_REASON);
  }
}

/** Parts of affinity and spread constraints that are read and have no effect. */
const SCHEDULING_WITHOUT_EFFECT: Readonly<Record<string, string>> = {
  namespaceSelector: "not modelled: only namespaces by name",
  matchFields: "not modelled: only matchExpressions",
  matchLabelKeys: "not modelled: only labelSelector",
  mismatchLabelKeys: "not modelled: only labelSelector",
  nodeAffinityPolicy: "nodes count as with Honor",
  nodeTaintsPolicy: "nodes count as with Ignore",
};

function noticeWithin(
  value: unknown,
  path: Path,
  ignore: (path: Path, reason: string) => void,
): void {
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) noticeWithin(item, [...path, index], ignore);
  }
  if (!isRecord(value)) return;
  for (const [name, part] of Object.entries(value)) {
    const reason = SCHEDULING_WITHOUT_EFFECT[name];
    if (reason === undefined) noticeWithin(part, [...path, name], ignore);
    else ignore([...path, name], reason);
  }
}

function valueAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((at, part) => (isRecord(at) ? at[part] : undefined), value);
}
