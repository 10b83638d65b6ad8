/**
 * Docker hosts and containers, and what clients name of them.
 *
 * Owns: addresses of the hosts, names, and host ports that cannot both be held when the run begins. Refuses to own:
 * fields (schema/docker.ts), and ports that collide later: those are the daemon's errors, at their time.
 */
import { ANY_ADDRESS, type PublishedPort } from "../docker/contract.ts";
import { conflicts } from "../docker/portAllocator.ts";
import type { Node } from "../kubernetes/api/types.ts";
import { parsePrefix, parsePrefixes } from "../network/address.ts";
import { checkApart, hostAddresses } from "./cluster.ts";
import { ownersOf, type ManifestObjects } from "./manifests/objects.ts";
import { nearest, type FileMistakes } from "./mistakes.ts";
import type { DockerTarget, ResolvedContainer, ResolvedDocker } from "./resolved.ts";
import type { ContainerPart, DockerPart, DockerTargetPart, PortPart } from "./schema/docker.ts";
import type { ClientPart, ClusterPart } from "./schema/scenario.ts";

/** CPUs of a Docker host: as a node's by default. */
const HOST_CORES = 4;
/** What a container that says nothing about ports listens on. */
const DEFAULT_PORT: PortPart = { port: 80, protocol: "tcp" };

const NO_DOCKER: ResolvedDocker = {
  hosts: [],
  bridgeCIDR: "172.17.0.0/16",
  userlandProxy: true,
  containers: [],
};

export function resolveDocker(
  part: DockerPart | undefined,
  cluster: ClusterPart | undefined,
  mistakes: FileMistakes,
): ResolvedDocker {
  if (part === undefined) return NO_DOCKER;
  checkNetworks(part, cluster, mistakes);
  const addresses = hostAddresses(parsePrefix(part.hostCIDR), []);
  const hosts = Array.from({ length: part.hosts }, (_, index) => {
    const { value: address } = addresses.next();
    if (address === undefined) {
      const found = `no address of docker.hostCIDR is left for host ${index + 1}`;
      mistakes.add(
        ["docker", "hosts"],
        found,
        `at most ${index} hosts, or a wider docker.hostCIDR`,
      );
    }
    return { name: `docker-${index + 1}`, address: address ?? "", cores: HOST_CORES };
  });
  const { bridgeCIDR, userlandProxy } = part;
  const docker = {
    hosts,
    bridgeCIDR,
    userlandProxy,
    containers: part.containers.map((each) => containerOf(each)),
  };
  checkContainers(part.containers, docker, mistakes);
  return docker;
}

function checkNetworks(
  { hostCIDR, bridgeCIDR }: DockerPart,
  cluster: ClusterPart | undefined,
  mistakes: FileMistakes,
): void {
  const { podCIDR, serviceCIDR, nodeCIDR } = cluster ?? {};
  const others = { podCIDR, serviceCIDR, nodeCIDR };
  for (const [name, cidr] of Object.entries({ hostCIDR, bridgeCIDR })) {
    const inCluster = Object.entries(others).flatMap(([each, text]) =>
      text === undefined ? [] : [[`cluster.${each}`, parsePrefixes(text)] as const],
    );
    for (const [each, prefix] of inCluster) {
      checkApart({ [each]: prefix, [name]: parsePrefixes(cidr) }, mistakes.within(["docker"]));
    }
  }
  const own = { hostCIDR: parsePrefixes(hostCIDR), bridgeCIDR: parsePrefixes(bridgeCIDR) };
  checkApart(own, mistakes.within(["docker"]));
}

function containerOf(part: ContainerPart): ResolvedContainer {
  const { name, host, image, publish, network, restart, start, server } = part;
  const published = publish.map(({ containerPort, protocol }) => ({
    port: containerPort,
    protocol,
  }));
  const listened = part.expose ?? (published.length === 0 ? [DEFAULT_PORT] : published);
  const portsOf = (wanted: PortPart["protocol"]): number[] => [
    ...new Set(listened.flatMap(({ port, protocol }) => (protocol === wanted ? [port] : []))),
  ];
  return {
    name,
    host,
    image: image ?? name,
    network,
    exposedPorts: portsOf("tcp"),
    exposedUdpPorts: portsOf("udp"),
    publish,
    restart,
    startNs: start,
    server: server ?? null,
  };
}

function checkContainers(
  parts: readonly ContainerPart[],
  docker: ResolvedDocker,
  mistakes: FileMistakes,
): void {
  const names = new Set<string>();
  for (const [index, part] of parts.entries()) {
    const own = mistakes.within(part.path);
    const { name, host, network, publish } = part;
    if (names.has(name)) own.add(["name"], `a second container "${name}"`, "unique names");
    names.add(name);
    checkHost(host, docker, own.within(["host"]));
    if (network === "host" && publish.length > 0) {
      // `docker run` warns and drops them.
      own.add(
        ["publish"],
        "ports of a container in the host's network",
        'network: "bridge", or none',
      );
    }
    for (const [at, { hostIP }] of publish.entries()) {
      checkHostIP(hostIP, host, docker, own.within(["publish", at]));
    }
    checkHostPorts(index, parts, docker, own);
  }
}

function checkHostIP(
  hostIP: string,
  host: string,
  docker: ResolvedDocker,
  mistakes: FileMistakes,
): void {
  const address = docker.hosts.find(({ name }) => name === host)?.address;
  const allowed = [ANY_ADDRESS, "127.0.0.1", address ?? ""];
  if (address === undefined || allowed.includes(hostIP)) return;
  mistakes.add([], `${hostIP} is no address of ${host}`, allowed.join(", "));
}

/** Host ports that a container holds: published ones, and all of one in the host's network. */
function heldPorts({
  network,
  publish,
  exposedPorts,
  exposedUdpPorts,
}: ResolvedContainer): PublishedPort[] {
  if (network === "bridge") return [...publish];
  const held = (ports: readonly number[], protocol: PortPart["protocol"]): PublishedPort[] =>
    ports.map((port) => ({
      protocol,
      hostIP: ANY_ADDRESS,
      hostPort: port,
      containerPort: port,
    }));
  return [...held(exposedPorts, "tcp"), ...held(exposedUdpPorts, "udp")];
}

/**
 * Reports a host port that an earlier container holds too, when both run from the beginning. Of those that
 * start later nobody knows who holds what by then.
 */
function checkHostPorts(
  index: number,
  parts: readonly ContainerPart[],
  { containers }: ResolvedDocker,
  mistakes: FileMistakes,
): void {
  const own = containers[index]!;
  if (own.startNs > 0) return;
  const earlier = containers
    .slice(0, index)
    .filter(({ host, startNs }) => host === own.host && startNs === 0);
  for (const [at, { protocol, hostIP, hostPort }] of heldPorts(own).entries()) {
    const others = [
      ...earlier.flatMap((each) => heldPorts(each).map((port) => ({ name: each.name, ...port }))),
      ...heldPorts(own)
        .slice(0, at)
        .map((port) => ({ name: own.name, ...port })),
    ];
    const other = others.find(
      (each) =>
        each.protocol === protocol && each.hostPort === hostPort && conflicts(each.hostIP, hostIP),
    );
    if (other === undefined) continue;
    const field = parts[index]!.network === "bridge" ? ["publish", at] : ["network"];
    const found = `port ${portText(hostPort, protocol)} of ${own.host}, which container "${other.name}" holds from the beginning`;
    mistakes.add(field, found, "another host port, or a later start");
  }
}

function portText(port: number, protocol: string): string {
  return protocol.toLowerCase() === "udp" ? `${port}/udp` : String(port);
}

export function checkHost(name: string, { hosts }: ResolvedDocker, mistakes: FileMistakes): void {
  const known = hosts.map((host) => host.name);
  if (known.includes(name)) return;
  const allowed = `one of ${known.join(", ") || "the Docker hosts: there are none"}`;
  mistakes.add([], `no Docker host ${name}`, allowed, nearest(name, known));
}

export function checkContainerName(
  name: string,
  { containers }: ResolvedDocker,
  mistakes: FileMistakes,
): ResolvedContainer | null {
  const found = containers.find((each) => each.name === name);
  if (found !== undefined) return found;
  const known = containers.map((each) => each.name);
  const allowed = `one of ${known.join(", ") || "the scenario's containers: there are none"}`;
  mistakes.add([], `no container ${name}`, allowed, nearest(name, known));
  return null;
}

interface Known {
  readonly allHosts: boolean;
  readonly docker: ResolvedDocker;
  readonly allContainers: boolean;
  /** Of the cluster; null where it could not be read. */
  readonly nodes: readonly Node[] | null;
  readonly objects: ManifestObjects;
}

/** null after mistakes. `mistakes` are those of the client's `to`. */
export function resolveDockerTarget(
  to: DockerTargetPart,
  from: ClientPart["from"] | undefined,
  { docker, allHosts, allContainers, nodes, objects }: Known,
  mistakes: FileMistakes,
): DockerTarget | null {
  if (!allHosts) return null;
  const kind = from?.kind;
  const at = { port: to.port, protocol: to.protocol === "udp" ? "UDP" : "TCP" } as const;
  if (to.via === "hostPort" && nodes?.some(({ metadata }) => metadata.name === to.name) === true) {
    checkPodsServe(at, objects, mistakes.within(["hostPort"]));
    return { via: "hostPort", host: to.name, ...at };
  }
  if (to.via === "localhost") {
    if (kind === "host" && allContainers) {
      const host = (from as { host: string }).host;
      checkServed(host, at, docker, mistakes.within(["port"]));
    } else if (kind !== undefined && kind !== "host" && kind !== "sidecar") {
      const found = "localhost, where nobody else runs beside this client";
      mistakes.add([], found, "from: onHost(...) or sidecar(...)");
    }
    return { via: "localhost", ...at };
  }
  if (kind === "pod" || kind === "sidecar") {
    const found = `${to.via}(...) from a pod: ways from pods to Docker hosts are not modelled`;
    mistakes.add([], found, "from: outside(...), onHost(...) or containers(...)");
  }
  return to.via === "container"
    ? containerTarget(to.name, at, docker, allContainers, mistakes.within(["container"]))
    : hostPortTarget(to.name, at, docker, allContainers, mistakes.within(["hostPort"]));
}

/** Some pod of the cluster asks for that port of its node. */
function checkPodsServe(
  { port, protocol }: Port,
  objects: ManifestObjects,
  mistakes: FileMistakes,
): void {
  if (!objects.complete.workloads) return;
  const held = [...ownersOf(objects), ...objects.pods].flatMap(({ object }) => {
    const { containers } = object.kind === "Pod" ? object.spec : object.spec.template.spec;
    return containers.flatMap(({ ports }) => ports.filter(({ hostPort }) => hostPort !== null));
  });
  if (held.some((each) => each.hostPort === port && each.protocol === protocol)) return;
  const known = held.map((each) => portText(each.hostPort!, each.protocol));
  const allowed = `host ports of pods: ${[...new Set(known)].join(", ") || "there are none"}`;
  mistakes.add([], `no pod has host port ${portText(port, protocol)}`, allowed);
}

type Port = Pick<DockerTarget, "port" | "protocol">;

function containerTarget(
  name: string,
  at: Port,
  docker: ResolvedDocker,
  allContainers: boolean,
  mistakes: FileMistakes,
): DockerTarget | null {
  if (!allContainers) return null;
  const found = checkContainerName(name, docker, mistakes);
  if (found === null) return null;
  if (found.network === "host") {
    mistakes.add([], `container ${name} has no address of its own`, 'hostPort("HOST:PORT")');
    return { via: "container", container: name, ...at };
  }
  const { exposedPorts, exposedUdpPorts } = found;
  const listened = at.protocol === "UDP" ? exposedUdpPorts : exposedPorts;
  if (!listened.includes(at.port)) {
    const known = [...exposedPorts, ...exposedUdpPorts.map((port) => portText(port, "udp"))];
    const wanted = portText(at.port, at.protocol);
    const allowed = `one of its ports ${known.join(", ")}`;
    mistakes.add([], `container ${name} does not listen on ${wanted}`, allowed);
  }
  return { via: "container", container: name, ...at };
}

function hostPortTarget(
  name: string,
  at: Port,
  docker: ResolvedDocker,
  allContainers: boolean,
  mistakes: FileMistakes,
): DockerTarget {
  checkHost(name, docker, mistakes);
  const isKnown = docker.hosts.some((host) => host.name === name);
  if (isKnown && allContainers) checkServed(name, at, docker, mistakes);
  return { via: "hostPort", host: name, ...at };
}

/** Containers that serve a port of a host, whenever they run. */
export function serversOfPort(
  { containers }: ResolvedDocker,
  host: string,
  { port, protocol }: Port,
): ResolvedContainer[] {
  const isMeant = (each: PublishedPort): boolean =>
    each.hostPort === port && each.protocol === protocol.toLowerCase();
  return containers.filter((each) => each.host === host && heldPorts(each).some(isMeant));
}

function checkServed(host: string, at: Port, docker: ResolvedDocker, mistakes: FileMistakes): void {
  if (serversOfPort(docker, host, at).length > 0) return;
  const ports = docker.containers
    .filter((each) => each.host === host)
    .flatMap((each) => heldPorts(each).map((port) => portText(port.hostPort, port.protocol)));
  const known = [...new Set(ports)].join(", ") || "there are none";
  const wanted = portText(at.port, at.protocol);
  mistakes.add([], `no container of ${host} publishes port ${wanted}`, `published ports: ${known}`);
}
