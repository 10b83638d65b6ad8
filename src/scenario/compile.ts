/**
 * From a resolved scenario to a simulation that can run.
 *
 * Owns: putting the rooms together and the order in which they come up. Refuses to own: any mechanism.
 * A run begins at rest unless it asks for a cold start: pods ready, slices written, every node's
 * rules in force, as if it had run for days.
 */
import { Docker, type DockerOptions } from "../docker/docker.ts";
import { Phase, Simulation, type DurationNs, type SimTimeNs } from "../engine/index.ts";
import type { FaultContext } from "../faults/contract.ts";
import { scheduleFaults } from "../faults/index.ts";
import { Machines } from "../faults/machines.ts";
import { Overlaps } from "../faults/overlaps.ts";
import { EXIT_ABORTED } from "../faults/resetPods.ts";
import type { Informer } from "../kubernetes/api/contract.ts";
import type { Kind, Node } from "../kubernetes/api/types.ts";
import { Cluster } from "../kubernetes/cluster.ts";
import { DEFAULT_EPOCH_SECONDS } from "../kubernetes/cron/calendar.ts";
import type { Host } from "../network/host.ts";
import { networkKinds } from "../network/kinds/index.ts";
import { Network } from "../network/network.ts";
import { NetworkStack } from "../network/stack.ts";
import { Transport } from "../network/transport.ts";
import { createObservations, type Observations, type Observer } from "../observe/observations.ts";
import type { RunEnd } from "../observe/report.ts";
import { NodeProber } from "../workload/prober.ts";
import { Programs } from "../workload/program.ts";
import { WorkloadRuntime } from "../workload/runtime.ts";
import { bringUpDocker, DockerWorkloads, startClient } from "./compile/docker.ts";
import { clientPods, outsideClients, withSidecars, Workloads } from "./compile/workloads.ts";
import { ClusterDns } from "./compile/dns.ts";
import { LawWatch } from "./compile/laws/index.ts";
import { conntrackReports } from "./compile/conntracks.ts";
import { containerReports } from "./compile/containers.ts";
import { hopReports, HopWindows } from "./compile/hops.ts";
import type { ResolvedScenario } from "./resolved.ts";

/** A compiled scenario. run(a); run(b) equals run(b). */
export interface Run {
  readonly sim: Simulation;
  readonly cluster: Cluster;
  readonly transport: Transport;
  readonly stack: NetworkStack;
  readonly durationNs: DurationNs;
  readonly nowNs: SimTimeNs;
  /** Runs every event up to and including `untilNs`, or the first `mostEvents` of them: then false. */
  runUntil(untilNs: SimTimeNs, mostEvents?: number): boolean;
  /** Closes the last window, checks the laws and reports. Call once, at the end. */
  finish(): RunEnd;
}

/** The rooms below, joined. */
interface Parts {
  readonly sim: Simulation;
  readonly observations: Observations;
  readonly network: Network;
  readonly stack: NetworkStack;
  readonly transport: Transport;
  readonly programs: Programs;
  readonly workloads: Workloads;
  readonly runtime: WorkloadRuntime;
  readonly cluster: Cluster;
  readonly dns: ClusterDns | null;
  readonly docker: Docker | null;
  readonly dockerWorkloads: DockerWorkloads;
}

/**
 * @param observers told of everything that happens, in this order
 * @param replication which repetition of the experiment, from 0: other draws, all else alike
 * @throws Error for a scenario that validation should have refused
 */
export function compile(
  scenario: ResolvedScenario,
  observers: readonly Observer[],
  replication = 0,
): Run {
  const laws = new LawWatch(scenario);
  const parts = join(scenario, [...observers, ...laws.observers], replication);
  const { sim, observations, network, stack, transport, cluster } = parts;
  laws.attach(cluster, sim);
  bringUp(scenario, parts);
  const hops = observers.some(({ hopLoaded }) => hopLoaded !== undefined)
    ? new HopWindows(network, observations)
    : null;
  const windows = sampleWindows(sim, scenario, (startNs, endNs) => {
    hops?.close(endNs);
    observations.windowClosed(startNs, endNs);
  });
  return {
    sim,
    cluster,
    transport,
    stack,
    durationNs: scenario.durationNs,
    get nowNs() {
      return sim.nowNs;
    },
    runUntil: (untilNs, mostEvents) => sim.run(untilNs, mostEvents),
    finish: () => {
      windows.close();
      return {
        hops: hopReports(network, sim.nowNs),
        conntracks: conntrackReports(network),
        ...containerReports(parts.programs, network),
        brokenLaws: laws.brokenLaws({ ...parts, scenario, nowNs: sim.nowNs }),
        eventFingerprint: sim.fingerprint(),
      };
    },
  };
}

/** Builds every room's part; nothing has happened yet. */
function join(
  scenario: ResolvedScenario,
  observers: readonly Observer[],
  replication: number,
): Parts {
  const sim = new Simulation({ seed: scenario.seed, replication });
  const observations = createObservations(observers);
  const network = new Network(sim, scenario.profile.network);
  const stack = new NetworkStack(network);
  const transport = new Transport(network, stack);
  const programs = new Programs(sim, transport, observations);
  const { nodes, podCIDR, serviceCIDR, services } = scenario.cluster;
  const hosts = nodes.map((node) => ({
    host: addNode(network, node),
    cidr: node.spec.podCIDRs.join(","),
  }));
  const podNetwork = networkKinds[scenario.cluster.network].install({
    network,
    stack,
    transport,
    hosts,
  });
  const docker = dockerOf(scenario, { sim, observations, transport, stack });
  const dockerWorkloads = new DockerWorkloads(scenario, network, docker);
  const workloads = new Workloads(scenario, network, dockerWorkloads);
  const runtime = new WorkloadRuntime(programs, (pod, container) =>
    workloads.programFor(pod, container),
  );
  const cluster = new Cluster({
    sim,
    observations,
    profile: scenario.profile.kubernetes,
    transport,
    podNetwork,
    runtime,
    prober: new NodeProber(programs, scenario.profile.server.smallMessageBytes),
    nodes,
    podCIDR,
    serviceCIDR,
    services,
    epochSeconds: scenario.epochSeconds ?? DEFAULT_EPOCH_SECONDS,
    images: new Map(Object.entries(scenario.cluster.images ?? {})),
    countsMemory: countsMemory(scenario),
  });
  workloads.useServices((key) => cluster.ledger.serviceIndex(key));
  const dns =
    scenario.cluster.dns === undefined
      ? null
      : new ClusterDns(scenario, transport, cluster, observations);
  workloads.useDns(dns);
  const rooms = { sim, observations, network, stack, transport, programs, runtime, cluster };
  return { ...rooms, docker, dns, workloads, dockerWorkloads };
}

/** Whether any process has a model of its memory. */
function countsMemory({ cluster, profile }: ResolvedScenario): boolean {
  const counts = (memory: { memoryBytes?: number; memoryPerRequestBytes?: number }): boolean =>
    (memory.memoryBytes ?? 0) > 0 || (memory.memoryPerRequestBytes ?? 0) > 0;
  return (
    counts(profile.server) ||
    cluster.servers.some((server) =>
      [server, ...Object.values(server.images ?? {})].some(
        (each) => each.kind === "requests" && counts(each),
      ),
    )
  );
}

/** null where there is no Docker host. */
function dockerOf(
  { docker, profile }: ResolvedScenario,
  parts: Pick<DockerOptions, "sim" | "observations" | "transport" | "stack">,
): Docker | null {
  if (docker.hosts.length === 0) return null;
  return new Docker({ ...parts, ...docker, profile: profile.docker });
}

function addNode(network: Network, { metadata, status }: Node): Host {
  return network.addHost({
    name: metadata.name,
    address: status.internalIPs.join(","),
    cores: Math.max(1, Math.floor(status.allocatable.cpuMillis / 1000)),
    tracked: true,
  });
}

/** Starts the cluster, the clients outside and the faults. */
function bringUp(scenario: ResolvedScenario, parts: Parts): void {
  const { sim, observations, network, stack, programs, runtime, cluster, docker } = parts;
  const { workloads, dockerWorkloads } = parts;
  for (const [index, client] of scenario.clients.entries()) {
    observations.clientNamed(index, client.name, 0);
  }
  for (const [index, call] of (scenario.calls ?? []).entries()) {
    observations.clientNamed(scenario.clients.length + index, call.name, 1);
  }
  for (const [index, name] of dockerWorkloads.targets.entries()) {
    observations.serviceNamed(scenario.cluster.services.length + index, name);
  }
  const applications = withSidecars(scenario);
  const pods = [...applications.pods, ...clientPods(scenario)];
  const contents = { ...scenario.cluster, ...applications, pods };
  if (scenario.coldStart) cluster.startCold(contents);
  else cluster.startAtRest(contents);
  if (docker !== null) bringUpDocker(scenario, { docker, programs, dockerWorkloads, workloads });
  for (const { name, client, host, spec } of outsideClients(scenario, network, workloads)) {
    startClient(parts, client, host.namespace, spec, name);
  }
  parts.dns?.startNodeCaches(programs);
  runtime.endRest();
  scheduleFaults(scenario.faults, {
    sim,
    observations,
    api: cluster.api.client({ name: "kubectl", qps: 50, burst: 100 }),
    pods: cluster.api.watch("Pod", { watcher: "kubectl", handlers: {} }),
    listed: kubectlLists(cluster),
    crash: (pod) => {
      const process = cluster.mainProcess(pod);
      if (process !== null) runtime.crash(process, EXIT_ABORTED);
      return process !== null;
    },
    sigkill: (pod) => {
      const process = cluster.mainProcess(pod);
      process?.signal("SIGKILL");
      return process !== null;
    },
    oomKill: (pod) => cluster.kubelet(pod.spec.nodeName ?? "")?.oomKill(pod) ?? false,
    network,
    stack,
    machines: new Machines(stack, ({ name }) => cluster.software(name)),
    overlaps: new Overlaps(),
    kubeProxies: cluster.kubeProxies(),
    apiServer: cluster.api,
    loseLeader: (component) => {
      if (component === "kube-scheduler") cluster.scheduler.loseLeader();
      else cluster.controllerManager.loseLeader();
    },
    inside: new Set([
      ...scenario.cluster.nodes.map(({ metadata }) => metadata.name),
      ...scenario.docker.hosts.map(({ name }) => name),
    ]),
    containers: docker?.containers ?? new Map(),
    dns: parts.dns?.fleet ?? null,
  });
}

/** A watch of each kind that somebody asks for. */
function kubectlLists({ api }: Cluster): FaultContext["listed"] {
  const lists = new Map<Kind, Informer<Kind>>();
  return <K extends Kind>(kind: K): Informer<K> => {
    let list = lists.get(kind);
    if (list === undefined) {
      list = api.watch(kind, { watcher: "kubectl", handlers: {} }) as unknown as Informer<Kind>;
      lists.set(kind, list);
    }
    return list as unknown as Informer<K>;
  };
}

/** Closes a window at each multiple of the window length, and the rest at the end. */
function sampleWindows(
  sim: Simulation,
  { windowNs, durationNs }: ResolvedScenario,
  closed: (startNs: SimTimeNs, endNs: SimTimeNs) => void,
): { close(): void } {
  let startNs = 0;
  const close = (): void => {
    if (sim.nowNs === startNs) return;
    closed(startNs, sim.nowNs);
    startNs = sim.nowNs;
  };
  const next = (): void => {
    const endNs = startNs + windowNs;
    if (endNs > durationNs) return;
    sim.callAt(endNs, Phase.sample, () => {
      close();
      next();
    });
  };
  next();
  return { close };
}
