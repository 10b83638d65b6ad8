/**
 * Docker hosts: a daemon on each, with its bridge, rules and containers.
 *
 * Owns: setting them up, what runs at rest, and who starts later. Refuses to own: one container's life
 * (container.ts) and what runs in it (Launch). Hosts share nothing: no daemon knows of another.
 */
import { Phase, type Simulation } from "../engine/index.ts";
import type { Host } from "../network/host.ts";
import type { GuestNetwork } from "../network/kinds/contract.ts";
import { dockerBridge } from "../network/kinds/docker.ts";
import type { NetworkStack } from "../network/stack.ts";
import type { Transport } from "../network/transport.ts";
import type { Observations } from "../observe/observations.ts";
import { DockerContainer } from "./container.ts";
import type { ContainerSpec, Launch } from "./contract.ts";
import { DockerNatRules } from "./natRules.ts";
import type { DockerProfile } from "./profile.ts";
import { PublishedPorts, type Proxies } from "./publishedPorts.ts";
import { UdpProxies } from "./udpProxy.ts";
import { UserlandProxies } from "./userlandProxy.ts";

export interface DockerOptions {
  readonly sim: Simulation;
  readonly observations: Observations;
  readonly transport: Transport;
  readonly stack: NetworkStack;
  readonly profile: DockerProfile;
  readonly hosts: readonly {
    readonly name: string;
    readonly address: string;
    readonly cores: number;
  }[];
  /** dockerd --bip: the network behind every host's docker0. */
  readonly bridgeCIDR: string;
  /** dockerd --userland-proxy. */
  readonly userlandProxy: boolean;
}

interface Daemon {
  readonly host: Host;
  readonly ports: PublishedPorts;
}

function proxiesOf(
  transport: Transport,
  { proxyRelayNs, proxyUdpTimeoutNs }: DockerProfile,
): Proxies {
  const udp = new UdpProxies(transport, proxyRelayNs, proxyUdpTimeoutNs);
  return { tcp: new UserlandProxies(transport, proxyRelayNs), udp };
}

export class Docker {
  /** By name, in the order of their creation. */
  readonly containers = new Map<string, DockerContainer>();
  readonly #options: DockerOptions;
  readonly #daemons = new Map<string, Daemon>();
  readonly #bridge: GuestNetwork;

  constructor(options: DockerOptions) {
    this.#options = options;
    const { transport, stack, profile, bridgeCIDR, userlandProxy } = options;
    const { network } = transport;
    if (options.hosts.length > 0) network.useLoopback();
    const proxies = userlandProxy ? proxiesOf(transport, profile) : null;
    for (const machine of options.hosts) {
      const { natNsPerPacket, nsPerRule } = profile;
      const host = network.addHost({
        ...machine,
        tracked: true,
        bridge: "docker0",
        natNsPerPacket,
      });
      const rules = new DockerNatRules({ network, host, userlandProxy, nsPerRule });
      host.nat = rules;
      const ports = new PublishedPorts({ transport, host, rules, proxies });
      this.#daemons.set(machine.name, { host, ports });
    }
    const hosts = [...this.#daemons.values()].map(({ host }) => ({ host, cidr: bridgeCIDR }));
    this.#bridge = dockerBridge.install({ network, stack, transport, hosts });
  }

  /** The machine that a daemon runs on. */
  host(name: string): Host {
    return this.#daemons.get(name)!.host;
  }

  /** `docker create`. */
  create(spec: ContainerSpec, launch: Launch): DockerContainer {
    const { sim, observations, transport, profile } = this.#options;
    const { host, ports } = this.#daemons.get(spec.host)!;
    const { network } = transport;
    const context = { sim, observations, network, profile, host, bridge: this.#bridge, ports };
    const container = new DockerContainer(spec, context, launch);
    this.containers.set(spec.name, container);
    return container;
  }

  /** Whoever starts at 0 has been running for days; others are started at their time. */
  startAtRest(): void {
    for (const container of this.containers.values()) {
      if (container.spec.startNs === 0) container.startAtRest();
    }
    this.#startOthers((container) => container.spec.startNs > 0);
  }

  /** Everybody is started at its time, the first at 0. */
  startCold(): void {
    this.#startOthers(() => true);
  }

  #startOthers(isMeant: (container: DockerContainer) => boolean): void {
    for (const container of this.containers.values()) {
      if (!isMeant(container)) continue;
      this.#options.sim.callAt(container.spec.startNs, Phase.start, () => container.start());
    }
  }
}
