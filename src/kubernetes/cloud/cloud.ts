/**
 * The cloud around a cluster: its load balancers, and who is sent packets for external IPs.
 *
 * Owns: a host outside for each load balancer's address, its targets as the nodes come and go (with the lag
 * of the cloud's API), and when it checks them. Refuses to own: Service status, which is there from the
 * start (a controller that writes it is not modelled yet). Not modelled: capacity limits of a balancer but
 * those of a host, zones of its own, draining of a target that is taken out.
 */
import { Phase, type RandomStream, type Simulation } from "../../engine/index.ts";
import { parsePrefix, type AddressId } from "../../network/address.ts";
import type { Host } from "../../network/host.ts";
import { TransportProtocol } from "../../network/nat.ts";
import type { Network } from "../../network/network.ts";
import type { Transport } from "../../network/transport.ts";
import type { Observations } from "../../observe/observations.ts";
import type { ApiServer, Informer } from "../api/contract.ts";
import { objectKey, type LoadBalancerIngress, type Node, type Service } from "../api/types.ts";
import { HEALTHZ_PORT } from "../proxy/healthServer.ts";
import { LoadBalancer } from "./balancer.ts";
import { HealthChecker, type CheckedPort } from "./healthCheck.ts";
import type { LoadBalancerProfile } from "./profile.ts";
import { Relay } from "./relay.ts";
import { Targets, type Target } from "./targets.ts";

/** Nodes with this label are behind no load balancer (k8s.io/cloud-provider, nodeIncludedPredicate). */
const EXCLUDE_LABEL = "node.kubernetes.io/exclude-from-external-load-balancers";

export interface CloudOptions {
  readonly transport: Transport;
  readonly observations: Observations;
  readonly api: ApiServer;
  readonly profile: LoadBalancerProfile;
  readonly services: readonly Service[];
  readonly nodes: readonly Node[];
  /** Whether a node would have passed its checks before the run began; null for a cold start. */
  readonly atRest: ((service: Service, node: string) => boolean) | null;
}

/** One Service behind one address. */
interface Front {
  readonly service: Service;
  readonly host: Host;
  readonly targets: Targets;
  readonly checker: HealthChecker;
  readonly check: CheckedPort;
  readonly stream: RandomStream;
}

export class Cloud {
  readonly #options: CloudOptions;
  readonly #sim: Simulation;
  readonly #network: Network;
  readonly #balancers = new Map<
    AddressId,
    { readonly host: Host; readonly balancer: LoadBalancer }
  >();
  readonly #fronts: Front[] = [];
  readonly #nodes: Informer<"Node"> | null;

  constructor(options: CloudOptions) {
    this.#options = options;
    this.#network = options.transport.network;
    this.#sim = this.#network.sim;
    const { services, api, profile, atRest } = options;
    for (const service of services) {
      this.#announceExternalIPs(service);
      for (const ingress of service.status?.ingress ?? []) this.#build(service, ingress);
    }
    this.#nodes = null;
    if (this.#fronts.length === 0) return;
    const changed = (): void => {
      this.#sim.callAfter(profile.targetLagNs, Phase.topology, () => this.#syncTargets(null));
    };
    this.#nodes = api.watch("Node", {
      watcher: "cloud-controller-manager",
      handlers: { added: changed, updated: changed, deleted: changed },
    });
    this.#syncTargets(atRest);
  }

  /** Health of a Service's targets by node, for each of its addresses: what the balancers believe. */
  healthOf(service: string): Record<string, boolean>[] {
    return this.#fronts
      .filter((front) => objectKey(front.service) === service)
      .map(({ targets }) => {
        const names = this.#options.nodes.map(({ metadata }) => metadata.name);
        return Object.fromEntries(names.map((name) => [name, targets.get(name)?.healthy ?? false]));
      });
  }

  /** Routers outside send packets for an external IP to one node: the first, unless a host has it. */
  #announceExternalIPs({ spec }: Service): void {
    const [first] = this.#network.hosts;
    for (const text of spec.externalIPs ?? []) {
      const address = this.#network.addresses.intern(text);
      if (first !== undefined && this.#network.hostFor(address) === undefined) {
        this.#network.announce(first, address);
      }
    }
  }

  #build(service: Service, { ip, ipMode }: LoadBalancerIngress): void {
    const { transport, profile } = this.#options;
    const address = this.#network.addresses.intern(ip);
    // An address of a node, or one that was announced: then there is no balancer in front.
    if (!this.#balancers.has(address) && this.#network.hostFor(address) !== undefined) return;
    const { host, balancer } = this.#balancerAt(address, ip);
    const targets = new Targets(profile.healthCheck);
    const checker = new HealthChecker(transport, host.namespace, profile.healthCheck);
    const stream = this.#sim.streams.get(`load-balancer/${objectKey(service)}/${ip}`);
    const sourceRanges = (service.spec.loadBalancerSourceRanges ?? []).map(parsePrefix);
    for (const { port, protocol, nodePort } of service.spec.ports) {
      balancer.serve(TransportProtocol[protocol], port, { ipMode, targets, sourceRanges });
      if (ipMode !== "Proxy" || protocol !== "TCP" || nodePort === null) continue;
      const relay = new Relay(transport, profile.connectionIdleNs, (down, handler, user) => {
        const target = targets.pick(flowOf(balancer, down, address));
        if (target === null) return null;
        return transport.connect(host.namespace, target.address, nodePort, handler, user);
      });
      transport.listen(host.namespace, port, relay);
    }
    this.#fronts.push({ service, host, targets, checker, check: checkOf(service), stream });
  }

  #balancerAt(address: AddressId, ip: string): { host: Host; balancer: LoadBalancer } {
    let found = this.#balancers.get(address);
    if (found === undefined) {
      const name = `load-balancer-${ip}`;
      const host = this.#network.addHost({ name, address: ip, cores: 1, tracked: false });
      const { localPortFirst } = this.#network.profile.tcp;
      const { addresses } = this.#network;
      const balancer = new LoadBalancer(
        this.#sim,
        addresses,
        this.#options.profile,
        localPortFirst,
      );
      host.steering = balancer;
      found = { host, balancer };
      this.#balancers.set(address, found);
    }
    return found;
  }

  /** Brings every list of targets in line with the nodes that there are. */
  #syncTargets(atRest: CloudOptions["atRest"]): void {
    const nodes = [...this.#nodes!.values()].filter(
      ({ metadata }) => !Object.hasOwn(metadata.labels, EXCLUDE_LABEL),
    );
    const names = new Set(nodes.map(({ metadata }) => metadata.name));
    for (const front of this.#fronts) {
      for (const name of front.targets.names()) if (!names.has(name)) front.targets.remove(name);
      for (const node of nodes) {
        const { name } = node.metadata;
        if (front.targets.get(name) !== undefined) continue;
        this.#addTarget(front, node, atRest?.(front.service, name) ?? false);
      }
    }
  }

  /** Its checks begin at a time of their own within the interval. */
  #addTarget(front: Front, { metadata, status }: Node, healthy: boolean): void {
    const address = this.#network.addresses.intern(status.internalIP);
    const host = this.#network.hostFor(address);
    if (host === undefined) return;
    const target = front.targets.add(metadata.name, address, host, healthy);
    const { intervalNs } = this.#options.profile.healthCheck;
    const firstNs = Math.floor(front.stream.uniform() * intervalNs);
    this.#sim.callAfter(firstNs, Phase.start, () => this.#check(front, target));
  }

  #check(front: Front, target: Target): void {
    if (target.removed) return;
    front.checker.check(target.address, front.check, (passed) => {
      if (!front.targets.checked(target, passed)) return;
      const kind = passed ? "target_healthy" : "target_unhealthy";
      const { observations } = this.#options;
      observations.event(this.#sim.nowNs, kind, `node/${target.node}`, objectKey(front.service));
    });
    const { intervalNs } = this.#options.profile.healthCheck;
    this.#sim.callAfter(intervalNs, Phase.start, () => this.#check(front, target));
  }
}

/** The port that says whether a node can serve: kube-proxy's own where a Service has no node port. */
function checkOf({ spec }: Service): CheckedPort {
  const { healthCheckNodePort } = spec;
  if (healthCheckNodePort) return { kind: "http", port: healthCheckNodePort };
  const nodePort = spec.ports.find(
    ({ protocol, nodePort: port }) => protocol === "TCP" && port,
  )?.nodePort;
  return nodePort ? { kind: "tcp", port: nodePort } : { kind: "http", port: HEALTHZ_PORT };
}

function flowOf(
  balancer: LoadBalancer,
  {
    remoteAddress,
    remotePort,
    localPort,
  }: { remoteAddress: AddressId; remotePort: number; localPort: number },
  address: AddressId,
): number {
  return balancer.flowHash({
    protocol: TransportProtocol.TCP,
    source: remoteAddress,
    sourcePort: remotePort,
    destination: address,
    destinationPort: localPort,
  });
}
