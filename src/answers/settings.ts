/**
 * What answers vary: each setting by its name, how it is written into an experiment, and how a person reads it.
 *
 * Owns: the table. To add one: add its entry. Refuses to own: which answer varies what (questions/).
 */
import { keepAlive, perRequest } from "../scenario/language/scenario.ts";
import { at, containers, podSpec, server, setProfile, type Data, type Draft } from "./draft.ts";

export type Value = string | number;

/** Values by names of the table. What is not named is as the cluster has it. */
export type Settings = Readonly<Partial<Record<SettingName, Value>>>;

/** Seconds that are left of the grace period behind a preStop sleep, for the requests under way. */
const DRAIN_SECONDS = 10;
/** Kubernetes' default. */
const GRACE_SECONDS = 30;

/** As in the shipped scenario `cold-pods`. */
export const WARM_UP_REQUESTS = 1000;

const writers = {
  /** Seconds of preStop sleep of every container; 0: no preStop. */
  sleep(draft: Draft, seconds: Value): void {
    for (const container of containers(draft)) {
      const lifecycle = at(container, "lifecycle");
      if (seconds === 0) delete lifecycle["preStop"];
      else lifecycle["preStop"] = { sleep: { seconds } };
    }
    const spec = podSpec(draft);
    const grace = Number(spec["terminationGracePeriodSeconds"] ?? GRACE_SECONDS);
    spec["terminationGracePeriodSeconds"] = Math.max(grace, Number(seconds) + DRAIN_SECONDS);
  },
  /** kube-proxy's, as "10s". */
  minSyncPeriod(draft: Draft, period: Value): void {
    for (const mode of ["iptables", "nftables", "ipvs"]) {
      setProfile(draft, ["kubernetes", "kubeProxy", mode, "minSyncPeriod"], period);
    }
  },
  /** kube-proxy's: "iptables", "nftables", "ipvs" or "ebpf". */
  mode(draft: Draft, mode: Value): void {
    setProfile(draft, ["kubernetes", "kubeProxy", "mode"], mode);
  },
  /** Services besides those of the cluster. */
  services({ scenario }: Draft, services: Value): void {
    const cluster = at(scenario as unknown as Data, "cluster");
    if (services === 0) delete cluster["filler"];
    else cluster["filler"] = { services };
  },
  /** How iptables is made: "nft" or "legacy". */
  backend(draft: Draft, backend: Value): void {
    setProfile(draft, ["kubernetes", "kubeProxy", "iptables", "backend"], backend);
  },
  /** "kept" or "one each": whether clients keep their connections. */
  connections({ scenario }: Draft, kind: Value): void {
    for (const client of scenario.clients ?? []) {
      client.connections = kind === "kept" ? keepAlive() : perRequest();
    }
  },
  /** Of one try of the clients, as "500ms". */
  timeout({ scenario }: Draft, timeout: Value): void {
    for (const client of scenario.clients ?? []) client.timeout = timeout as "1s";
  },
  /** Tries of a request, the first included. */
  attempts({ scenario }: Draft, attempts: Value): void {
    for (const client of scenario.clients ?? []) client.retries = { attempts: Number(attempts) };
  },
  /** --node-monitor-grace-period, as "20s". */
  nodeMonitorGrace(draft: Draft, grace: Value): void {
    setProfile(draft, ["kubernetes", "controllerManager", "nodeLifecycle", "grace"], grace);
  },
  /** Pods or hosts that call. */
  callers({ scenario }: Draft, replicas: Value): void {
    for (const { from } of scenario.clients ?? []) {
      if (from !== undefined && "replicas" in from) from.replicas = Number(replicas);
    }
  },
  /** How many times as long a process takes for its first request as for its thousandth; 1: it is warm. */
  warmUp(draft: Draft, factor: Value): void {
    const own = server(draft);
    if (factor === 1) delete own.warmUp;
    else own.warmUp = { factor: Number(factor), requests: WARM_UP_REQUESTS };
  },
  /** Of the Deployment's rolling update, as "100%". */
  maxSurge(draft: Draft, maxSurge: Value): void {
    const strategy = at(draft.deployment, "spec", "strategy");
    strategy["type"] = "RollingUpdate";
    at(strategy, "rollingUpdate")["maxSurge"] = maxSurge;
  },
  maxUnavailable(draft: Draft, maxUnavailable: Value): void {
    at(draft.deployment, "spec", "strategy", "rollingUpdate")["maxUnavailable"] = maxUnavailable;
  },
  /** "none": pods are ready as soon as they run. */
  readinessProbe(draft: Draft, probe: Value): void {
    if (probe !== "none") return;
    for (const container of containers(draft)) {
      delete container["readinessProbe"];
      delete container["startupProbe"];
    }
  },
  /** Of the Service: "Cluster" or "Local". */
  externalTrafficPolicy(draft: Draft, policy: Value): void {
    const spec = at(draft.service, "spec");
    spec["externalTrafficPolicy"] = policy;
    // A port of its own for health checks is for Local alone.
    if (policy !== "Local") delete spec["healthCheckNodePort"];
  },
  /** How often a load balancer checks a node, as "2s"; it gives one up after three that failed. */
  healthCheckInterval(draft: Draft, interval: Value): void {
    setProfile(draft, ["kubernetes", "loadBalancer", "healthCheck", "interval"], interval);
  },
  /** Of an answer, as "64Ki". */
  responseSize(draft: Draft, size: Value): void {
    server(draft).responseSize = size as `${number}Ki`;
  },
  /** Bits per second of the nodes' wires. */
  linkRate(draft: Draft, bitsPerSecond: Value): void {
    for (const hop of ["nic", "switchPort"]) {
      setProfile(draft, ["network", hop, "linkRateBps"], bitsPerSecond);
    }
  },
  /** How long the process takes until it listens, as "10s". */
  startup(draft: Draft, time: Value): void {
    server(draft).startupTime = time as "1s";
  },
} as const satisfies Readonly<Record<string, (draft: Draft, value: Value) => void>>;

export type SettingName = keyof typeof writers;

/** Writes settings into an experiment. */
export function applySettings(draft: Draft, settings: Settings): void {
  for (const [name, value] of Object.entries(settings)) writers[name as SettingName](draft, value);
}
