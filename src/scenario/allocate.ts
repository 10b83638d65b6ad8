/**
 * What the API server and the cloud give to Services: IP families, ClusterIPs, ports, load balancers' addresses.
 *
 * Owns: the order of giving. What a Service asks for is taken first, then the rest in the order of the
 * manifests, so that a run does not depend on luck. Source: Kubernetes pkg/registry/core/service/storage/alloc.go.
 * Refuses to own: the ranges themselves (kubernetes/allocators), and what a Service is for (services.ts).
 */
import type { RandomStreams } from "../engine/index.ts";
import { ClusterIpAllocator } from "../kubernetes/allocators/cluster-ip.ts";
import {
  NODE_PORT_MAX,
  NODE_PORT_MIN,
  NodePortAllocator,
} from "../kubernetes/allocators/node-port.ts";
import {
  familyOf,
  objectKey,
  type IpFamily,
  type LoadBalancerIngress,
  type Service,
} from "../kubernetes/api/types.ts";
import type { Placed, ServiceDraft } from "./manifests/objects.ts";
import type { FileMistakes, Path } from "./mistakes.ts";

/** Addresses for load balancers whose manifest names none: TEST-NET-1 (RFC 5737) and RFC 3849. */
const BALANCER_ADDRESSES: Readonly<Record<IpFamily, (index: number) => string | null>> = {
  IPv4: (index) => (index < 254 ? `192.0.2.${index + 1}` : null),
  IPv6: (index) => (index < 65_535 ? `2001:db8:0:2::${(index + 1).toString(16)}` : null),
};

type Draft = Placed<ServiceDraft>;

/** Ranges of both families that no list of Services uses up. */
const ANY_CIDRS = ["10.0.0.0/8", "fd00::/108"];

/**
 * @param serviceCIDRs one of each family that the cluster has Services of, the primary first; null where they could
 *   not be read: then nothing is said that depends on them
 */
export function allocateServices(
  drafts: readonly Draft[],
  serviceCIDRs: readonly string[] | null,
  streams: RandomStreams,
  mistakes: FileMistakes,
): Service[] {
  return new Allocation(drafts, serviceCIDRs, streams).all(mistakes);
}

interface Range {
  readonly cidr: string;
  readonly addresses: ClusterIpAllocator;
  isUsedUp: boolean;
}

class Allocation {
  readonly #drafts: readonly Draft[];
  readonly #ranges = new Map<IpFamily, Range>();
  readonly #ports: NodePortAllocator;
  /** Who has an address or a port. */
  readonly #owners = new Map<string | number, string>();
  readonly #balancers = new BalancerAddresses();

  readonly #rangesAreKnown: boolean;

  constructor(
    drafts: readonly Draft[],
    serviceCIDRs: readonly string[] | null,
    streams: RandomStreams,
  ) {
    this.#drafts = drafts;
    this.#rangesAreKnown = serviceCIDRs !== null;
    this.#ports = new NodePortAllocator(streams.get("kubernetes/node-port"));
    for (const cidr of serviceCIDRs ?? ANY_CIDRS) {
      const family = familyOf(cidr);
      const name = family === "IPv4" ? "kubernetes/cluster-ip" : "kubernetes/cluster-ip-6";
      const addresses = new ClusterIpAllocator(cidr, streams.get(name));
      this.#ranges.set(family, { cidr, addresses, isUsedUp: false });
    }
    const [primary] = this.#ranges.values();
    if (primary === undefined) return;
    // The API server's own Service holds the first address of the range in every cluster.
    const first = primary.addresses.addressAt(0);
    primary.addresses.take(first);
    this.#owners.set(first, "default/kubernetes");
  }

  all(mistakes: FileMistakes): Service[] {
    const configured = [...this.#ranges.keys()];
    const families = this.#drafts.map((draft) => familiesOf(draft, configured));
    for (const [index, draft] of this.#drafts.entries()) {
      this.#takeAddresses(draft, families[index]!);
      this.#takePorts(draft);
      this.#balancers.take(draft);
    }
    return this.#drafts.map((draft, index) => this.#complete(draft, families[index]!, mistakes));
  }

  #takeAddresses({ object, mistakes }: Draft, families: readonly IpFamily[]): void {
    for (const [index, address] of object.wishes.clusterIPs.entries()) {
      const range = this.#ranges.get(familyOf(address));
      // "None", or of a family that was refused already.
      if (address === "None" || range === undefined || families.length === 0) continue;
      const refusal = range.addresses.take(address);
      if (refusal === null) {
        this.#owners.set(address, objectKey(object));
        continue;
      }
      if (refusal === "outside" && !this.#rangesAreKnown) continue;
      const owner = this.#owners.get(address);
      const found = refusal === "taken" ? `${address} is taken by Service ${owner}` : address;
      mistakes.add(clusterIpPath(index), found, `a free address of ${range.cidr}`);
    }
  }

  #takePorts(draft: Draft): void {
    const { object } = draft;
    const own = new Set<string>();
    for (const [index, { nodePort, protocol }] of object.spec.ports.entries()) {
      if (nodePort === null) continue;
      // One Service may use one number for several protocols; two Services may not.
      const isOther =
        this.#owners.get(nodePort) === objectKey(object) && !own.has(`${nodePort}/${protocol}`);
      own.add(`${nodePort}/${protocol}`);
      if (!isOther) this.#takePort(draft, nodePort, ["spec", "ports", index, "nodePort"]);
    }
    const { healthCheckNodePort } = object.spec;
    if (healthCheckNodePort) {
      this.#takePort(draft, healthCheckNodePort, ["spec", "healthCheckNodePort"]);
    }
  }

  #takePort({ object, mistakes }: Draft, port: number, path: Path): void {
    if (this.#ports.take(port) === null) {
      this.#owners.set(port, objectKey(object));
      return;
    }
    const found = `${port} is taken by Service ${this.#owners.get(port)}`;
    const range = `${NODE_PORT_MIN} to ${NODE_PORT_MAX}`;
    mistakes.add(path, found, `a node port from ${range} that no other Service has`);
  }

  #complete(draft: Draft, families: readonly IpFamily[], mistakes: FileMistakes): Service {
    const { wishes, ...service } = draft.object;
    const { spec } = service;
    if (spec.type === "ExternalName") return service;
    const clusterIPs =
      spec.clusterIP === "None"
        ? ["None"]
        : families.map(
            (family, index) => wishes.clusterIPs[index] ?? this.#nextAddress(family, mistakes),
          );
    const ports = this.#nodePorts(draft);
    const isChecked = spec.type === "LoadBalancer" && spec.externalTrafficPolicy === "Local";
    const healthCheckNodePort = isChecked
      ? (spec.healthCheckNodePort ?? this.#nextPort(draft, ["spec", "healthCheckNodePort"]))
      : null;
    const ingress =
      spec.type === "LoadBalancer" ? this.#balancers.ingressOf(draft, families) : null;
    for (const [index, { ipMode }] of (ingress ?? []).entries()) {
      if (ipMode === "VIP") continue;
      const own = draft.mistakes.within(["status", "loadBalancer", "ingress", index]);
      if (ports.some(({ nodePort }) => nodePort === null)) {
        own.add([], "a proxy, which dials node ports", "node ports, or ipMode VIP");
      }
      if (ports.some(({ protocol }) => protocol !== "TCP")) {
        own.add([], "a proxy, which carries TCP only so far", "TCP ports, or ipMode VIP");
      }
    }
    return {
      ...service,
      spec: {
        ...spec,
        clusterIP: clusterIPs[0] ?? "",
        clusterIPs,
        ipFamilies: families,
        ports,
        healthCheckNodePort,
      },
      ...(ingress === null ? {} : { status: { ingress } }),
    };
  }

  #nextAddress(family: IpFamily, mistakes: FileMistakes): string {
    const range = this.#ranges.get(family)!;
    const address = range.addresses.takeNext();
    if (address !== null) return address;
    if (!range.isUsedUp) {
      const allowed = "a wider range: every Service needs an address";
      mistakes.add(["cluster", "serviceCIDR"], `${range.cidr} is used up`, allowed);
    }
    range.isUsedUp = true;
    return "";
  }

  /** initNodePorts: ports of one number, for several protocols, share a node port. */
  #nodePorts(draft: Draft): Service["spec"]["ports"] {
    const { spec, wishes } = draft.object;
    const isBalanced = spec.type === "LoadBalancer" && wishes.allocatesNodePorts;
    if (spec.type !== "NodePort" && !isBalanced) return spec.ports;
    const byPort = new Map<number, number>();
    for (const { port, nodePort } of spec.ports) {
      if (nodePort !== null && !byPort.has(port)) byPort.set(port, nodePort);
    }
    return spec.ports.map((each, index) => {
      if (each.nodePort !== null) return each;
      const path = ["spec", "ports", index];
      const nodePort = byPort.get(each.port) ?? this.#nextPort(draft, path);
      if (nodePort !== null) byPort.set(each.port, nodePort);
      return { ...each, nodePort };
    });
  }

  #nextPort({ object, mistakes }: Draft, path: Path): number | null {
    const port = this.#ports.takeNext();
    if (port !== null) this.#owners.set(port, objectKey(object));
    else {
      const found = `no node port from ${NODE_PORT_MIN} to ${NODE_PORT_MAX} is left`;
      mistakes.add(path, found, `at most ${NODE_PORT_MAX - NODE_PORT_MIN + 1} node ports in all`);
    }
    return port;
  }
}

/** Where the user wrote an address of that index. */
function clusterIpPath(index: number): Path {
  return index === 0 ? ["spec", "clusterIP"] : ["spec", "clusterIPs", index];
}

/** initIPFamilyFields: the families of a Service, the primary first; none after a mistake. */
function familiesOf({ object, mistakes }: Draft, configured: readonly IpFamily[]): IpFamily[] {
  const { spec, wishes } = object;
  if (spec.type === "ExternalName") return [];
  const isFree = spec.clusterIP === "None" && spec.selector === null;
  const policy = wishes.ipFamilyPolicy ?? (isFree ? "RequireDualStack" : "SingleStack");
  const families = [...wishes.ipFamilies];
  let isSound = true;
  const refuse = (path: Path, found: string, allowed: string): void => {
    isSound = false;
    mistakes.add(["spec", ...path], found, allowed);
  };
  const served = `Services of ${configured.join(" and ")}, by cluster.serviceCIDR`;
  for (const [index, address] of wishes.clusterIPs.entries()) {
    if (address === "None" || index < families.length) continue;
    const family = familyOf(address);
    if (configured.includes(family)) families.push(family);
    else refuse(clusterIpPath(index).slice(1), `${address}: ${family} is not configured`, served);
  }
  if (families.length === 0) families.push(configured[0] ?? "IPv4");
  const missing = families[0] === "IPv4" ? "IPv6" : "IPv4";
  // Endpoints that the user keeps may be of a family that the cluster has no Services of.
  if (!isFree) {
    if (policy === "RequireDualStack" && configured.length < 2) {
      refuse(
        ["ipFamilyPolicy"],
        '"RequireDualStack": this cluster is not configured for dual stack',
        served,
      );
    }
    for (const [index, family] of wishes.ipFamilies.entries()) {
      if (configured.includes(family)) continue;
      refuse(["ipFamilies", index], `"${family}" is not configured on this cluster`, served);
    }
  }
  const canAdd = isFree || configured.includes(missing);
  if (policy !== "SingleStack" && families.length === 1 && canAdd) families.push(missing);
  return isSound ? families : [];
}

/** Addresses of the load balancers outside. */
class BalancerAddresses {
  /** "address:port/protocol" -> who has it. */
  readonly #taken = new Map<string, string>();
  readonly #addresses = new Set<string>();
  readonly #next: Record<IpFamily, number> = { IPv4: 0, IPv6: 0 };

  /** What the manifest names. */
  take({ object, mistakes }: Draft): void {
    for (const address of object.spec.externalIPs ?? []) this.#addresses.add(address);
    const wish = object.wishes.loadBalancerIP;
    const written = object.status?.ingress.map(({ ip }) => ip) ?? (wish === null ? [] : [wish]);
    if (object.spec.type !== "LoadBalancer") return;
    for (const address of written.filter((ip) => ip !== "")) {
      this.#addresses.add(address);
      for (const { port, protocol } of object.spec.ports) {
        const key = `${address}:${port}/${protocol}`;
        const owner = this.#taken.get(key);
        if (owner !== undefined) {
          const path = object.status
            ? ["status", "loadBalancer", "ingress"]
            : ["spec", "loadBalancerIP"];
          mistakes.add(path, `${key} is taken by Service ${owner}`, "an address of its own");
        }
        this.#taken.set(key, objectKey(object));
      }
    }
  }

  ingressOf(draft: Draft, families: readonly IpFamily[]): LoadBalancerIngress[] {
    const { status, wishes } = draft.object;
    if (status !== undefined) {
      return status.ingress.map((each) =>
        each.ip === "" ? { ...each, ip: this.#give(draft, families[0] ?? "IPv4") } : each,
      );
    }
    if (wishes.loadBalancerIP !== null) return [{ ip: wishes.loadBalancerIP, ipMode: "VIP" }];
    return families.map((family) => ({ ip: this.#give(draft, family), ipMode: "VIP" }));
  }

  #give({ mistakes }: Draft, family: IpFamily): string {
    for (;;) {
      const address = BALANCER_ADDRESSES[family](this.#next[family]++);
      if (address === null) {
        const allowed = "an address in status.loadBalancer.ingress";
        mistakes.add(
          ["spec", "type"],
          "no address for documentation is left for its load balancer",
          allowed,
        );
        return "";
      }
      if (!this.#addresses.has(address)) return address;
    }
  }
}
