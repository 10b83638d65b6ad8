/** Docker hosts with containers that run real servers, and a laptop outside: nothing Kubernetes in it. */
import { NO_ADDRESS } from "../../src/network/address.ts";
import type { AddressId } from "../../src/network/address.ts";
import { Docker, type DockerOptions } from "../../src/docker/docker.ts";
import type { DockerContainer } from "../../src/docker/container.ts";
import type { ContainerSpec, Launch } from "../../src/docker/contract.ts";
import { dockerProfile, type DockerProfile } from "../../src/docker/profile.ts";
import { ms, seconds, Simulation } from "../../src/engine/index.ts";
import type { Host, Namespace } from "../../src/network/host.ts";
import { TransportProtocol } from "../../src/network/nat.ts";
import { Network } from "../../src/network/network.ts";
import { linuxProfile, type LinuxProfile } from "../../src/network/profile.ts";
import { NetworkStack } from "../../src/network/stack.ts";
import { Transport } from "../../src/network/transport.ts";
import {
  createObservations,
  outcomeNames,
  type OutcomeName,
} from "../../src/observe/observations.ts";
import { LoadClient, type ClientOptions } from "../../src/workload/client.ts";
import { Programs } from "../../src/workload/program.ts";
import { RequestServer, type ServerOptions } from "../../src/workload/server.ts";
import { noRetries, openLoop } from "./programs.ts";

export interface DockerRig {
  readonly sim: Simulation;
  readonly network: Network;
  readonly transport: Transport;
  readonly docker: Docker;
  readonly laptop: Host;
  /** "time in s: kind object detail" of every event. */
  readonly events: string[];
  readonly outcomes: OutcomeName[];
  readonly latenciesNs: number[];
  /** `docker run` when the run begins, or later. */
  readonly run: (
    spec: Partial<ContainerSpec> & { name: string },
    server?: Partial<ServerOptions>,
  ) => DockerContainer;
  readonly host: (name: string) => Host;
  /** A client's requests from now on; by default one a second. */
  readonly client: (
    from: Namespace,
    address: AddressId,
    port: number,
    change?: Partial<ClientOptions>,
  ) => void;
  readonly namespaceOf: (container: DockerContainer) => Namespace;
  readonly address: (text: string) => AddressId;
  readonly text: (address: AddressId) => string;
}

export interface RigOptions {
  readonly profile?: Partial<DockerProfile>;
  readonly linux?: LinuxProfile;
  readonly userlandProxy?: boolean;
  readonly bridgeCIDR?: string;
}

/** Every start takes 300 ms. */
const START_TIME = { kind: "deterministic", value: ms(300) } as const;

export function dockerRig(options: RigOptions = {}): DockerRig {
  const sim = new Simulation({ seed: "docker" });
  const network = new Network(sim, options.linux ?? linuxProfile);
  const stack = new NetworkStack(network);
  const transport = new Transport(network, stack);
  const events: string[] = [];
  const outcomes: OutcomeName[] = [];
  const latenciesNs: number[] = [];
  const observations = createObservations([
    {
      event: (atNs, kind, object, detail) =>
        events.push(`${(atNs / 1e9).toFixed(3)}: ${kind} ${object} ${detail}`),
      requestEnded: (_client, _service, outcome, startedNs, endedNs) => {
        outcomes.push(outcomeNames[outcome]!);
        latenciesNs.push(endedNs - startedNs);
      },
    },
  ]);
  const programs = new Programs(sim, transport, observations);
  const dockerOptions: DockerOptions = {
    sim,
    observations,
    transport,
    stack,
    profile: { ...dockerProfile, startTime: START_TIME, ...options.profile },
    hosts: [1, 2].map((i) => ({ name: `docker-${i}`, address: `192.168.0.${1 + i}`, cores: 4 })),
    bridgeCIDR: options.bridgeCIDR ?? "172.17.0.0/16",
    userlandProxy: options.userlandProxy ?? true,
  };
  const docker = new Docker(dockerOptions);
  const laptop = network.addHost({
    name: "laptop",
    address: "203.0.113.5",
    cores: 1,
    tracked: false,
  });
  let clients = 0;
  return {
    sim,
    network,
    transport,
    docker,
    laptop,
    events,
    outcomes,
    latenciesNs,
    run: (spec, server = {}) => {
      const container = docker.create(
        { ...CONTAINER, ...spec },
        launcher(programs, { ...CONTAINER, ...spec }, docker.containers.size, server),
      );
      if (container.spec.startNs > 0)
        sim.callAt(container.spec.startNs, 4, () => container.start());
      else if (sim.nowNs === 0) container.startAtRest();
      else container.start();
      return container;
    },
    host: (name) => docker.host(name),
    client: (namespace, address, port, change = {}) => {
      const name = `client-${clients++}`;
      const context = { programs, namespace, name, exited: () => {} };
      void new LoadClient(context, { ...CLIENT, addresses: [address], port, ...change });
    },
    namespaceOf: (container) =>
      network.namespaces.find(({ name }) => name === container.spec.name)!,
    address: (text) => network.addresses.intern(text),
    text: (address) => (address === NO_ADDRESS ? "none" : network.addresses.text(address)),
  };
}

const CONTAINER: Omit<ContainerSpec, "name"> = {
  host: "docker-1",
  image: "nginx",
  network: "bridge",
  exposedPorts: [80],
  exposedUdpPorts: [],
  publish: [],
  restart: { name: "no", maximumRetryCount: null },
  startNs: 0,
};

/** The workload's number is the container's place in the order of creation. */
function launcher(
  programs: Programs,
  { host, name, exposedPorts, exposedUdpPorts }: ContainerSpec & { name: string },
  workload: number,
  change: Partial<ServerOptions>,
): Launch {
  return (namespace, run, started, exited) =>
    new RequestServer(
      { programs, namespace, name: `${host}/${name}/${run}`, exited },
      {
        workload,
        ports: exposedPorts,
        udpPorts: exposedUdpPorts,
        sctpPorts: [],
        concurrency: 8,
        queueLimit: 64,
        serviceTime: { kind: "deterministic", value: ms(1) },
        startupTime: { kind: "deterministic", value: ms(100) },
        responseBytes: 1000,
        onSigterm: "exit",
        probeServiceNs: ms(0.1),
        smallMessageBytes: 200,
        ...change,
        started,
      },
    );
}

const CLIENT: Omit<ClientOptions, "addresses" | "port"> = {
  client: 0,
  service: 0,
  protocol: TransportProtocol.TCP,
  workloads: new Set([0]),
  load: openLoop(1),
  poolSize: 0,
  requestBytes: 200,
  timeoutNs: seconds(5),
  retries: noRetries,
  startNs: 0,
  stopNs: seconds(1.5),
};

/** "8080:80", "53:53/udp". */
export function published(...texts: string[]): ContainerSpec["publish"] {
  return texts.map((text) => {
    const protocol = text.endsWith("/udp") ? "udp" : "tcp";
    const ports = text.replace(/\/.*/, "").split(":").toReversed();
    const [containerPort, hostPort, hostIP = "0.0.0.0"] = ports;
    return { protocol, hostIP, hostPort: Number(hostPort), containerPort: Number(containerPort) };
  });
}
