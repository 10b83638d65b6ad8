/**
 * What one CoreDNS knows of the cluster: plugin kubernetes, with `pods insecure` as kubeadm's Corefile has it.
 *
 * Owns: its own watches of Services and EndpointSlices, and the records that they come to: of Services, their
 * named ports and single endpoints, of pods by their address, and of addresses. Refuses to own: caching
 * (cache.ts), and the server (workload/dns). Source: CoreDNS, plugin/kubernetes (parse.go, kubernetes.go,
 * reverse.go) and plugin/backend_lookup.go.
 *
 * There are no Namespace objects: those of Kubernetes itself exist, and those of Services.
 */
import { isAddress, type AddressId, type AddressTable } from "../../network/address.ts";
import type { ApiServer, Watch } from "../api/contract.ts";
import { objectKey, type Endpoint, type EndpointSlice, type Service } from "../api/types.ts";
import {
  Rcode,
  RecordType,
  reverseName,
  type RcodeCode,
  type RecordTypeCode,
  type SrvRecord,
} from "./messages.ts";

/** Of one slice, the version before and the one that has come; null: none. */
export type SlicesTold = (before: EndpointSlice | null, now: EndpointSlice | null) => void;

/** What plugin kubernetes answers. */
export interface ClusterAnswer {
  readonly rcode: RcodeCode;
  readonly addresses: readonly AddressId[];
  /** Name that an ExternalName Service stands for, or null. */
  readonly alias: string | null;
  readonly services?: readonly SrvRecord[];
  readonly names?: readonly string[];
  readonly additional?: readonly AddressId[];
}

/** Namespaces that every cluster has. */
export const OWN_NAMESPACES = ["default", "kube-system", "kube-public", "kube-node-lease"];
/** Zones of the plugin beside the cluster's own. */
export const REVERSE_ZONES = ["in-addr.arpa", "ip6.arpa"];

const NXDOMAIN: ClusterAnswer = { rcode: Rcode.NXDOMAIN, addresses: [], alias: null };
const NO_DATA: ClusterAnswer = { rcode: Rcode.NOERROR, addresses: [], alias: null };

/** What stands before a Service's name. */
type Part =
  | { readonly kind: "whole" }
  | { readonly kind: "endpoint"; readonly name: string }
  | { readonly kind: "port"; readonly name: string; readonly protocol: string };

/** One address that answers, with the port and the name that an SRV record has of it. */
interface Found {
  readonly address: string;
  /** null: the slice has no port. */
  readonly port: number | null;
  readonly target: string;
}

export class ClusterRecords {
  readonly #addresses: AddressTable;
  readonly #zone: string;
  readonly #services: Watch<"Service">;
  readonly #watches: readonly { stop(): void }[];
  /** By Service, then by slice. */
  readonly #slices = new Map<string, Map<string, EndpointSlice>>();

  #told: SlicesTold | null = null;

  /**
   * @param watcher names its watches: each replica has its own
   * @param told for observations: its watch has brought another version of a headless Service's slice
   */
  constructor(
    api: ApiServer,
    addresses: AddressTable,
    watcher: string,
    zone: string,
    told: SlicesTold | null = null,
  ) {
    this.#addresses = addresses;
    this.#zone = zone;
    this.#services = api.watch("Service", { watcher, handlers: {} });
    const put = (slice: EndpointSlice): void => this.#put(slice);
    const slices = api.watch("EndpointSlice", {
      watcher,
      handlers: {
        added: put,
        updated: (_, slice) => put(slice),
        deleted: (slice) => {
          this.#tell(slice, null);
          this.#slices.get(slice.service)?.delete(objectKey(slice));
        },
      },
    });
    this.#watches = [this.#services, slices];
    for (const slice of slices.values()) put(slice);
    // What it lists at its start is no news.
    this.#told = told;
  }

  /**
   * @param name within one of the plugin's zones, absolute, without the dot at its end
   * @returns null for what falls through to the next plugin
   */
  lookup(name: string, type: RecordTypeCode): ClusterAnswer | null {
    if (isReverse(name)) return type === RecordType.PTR ? this.#reverse(name) : null;
    if (name === this.#zone) return NO_DATA;
    const labels = name.slice(0, -this.#zone.length - 1).split(".");
    const kind = labels.pop();
    if (kind !== "svc" && kind !== "pod") return NXDOMAIN;
    const namespace = labels.pop();
    if (namespace === undefined) return NO_DATA;
    const named = labels.pop();
    if (named === undefined) return this.#hasNamespace(namespace) ? NO_DATA : NXDOMAIN;
    if (labels.length > 2) return NXDOMAIN;
    if (kind === "pod") return this.#pod(namespace, named, type);
    const service = this.#services.get(`${namespace}/${named}`);
    return service === undefined ? NXDOMAIN : this.#recordsOf(service, partOf(labels), type);
  }

  /** The process ends. */
  stop(): void {
    for (const watch of this.#watches) watch.stop();
  }

  #put(slice: EndpointSlice): void {
    let own = this.#slices.get(slice.service);
    if (own === undefined) this.#slices.set(slice.service, (own = new Map()));
    this.#tell(slice, slice);
    own.set(objectKey(slice), slice);
  }

  #tell(slice: EndpointSlice, now: EndpointSlice | null): void {
    if (this.#told === null) return;
    const service = this.#services.get(slice.service);
    if (service?.spec.clusterIP !== "None") return;
    this.#told(this.#slices.get(slice.service)?.get(objectKey(slice)) ?? null, now);
  }

  #hasNamespace(name: string): boolean {
    if (OWN_NAMESPACES.includes(name)) return true;
    for (const { metadata } of this.#services.values())
      if (metadata.namespace === name) return true;
    return false;
  }

  #recordsOf(service: Service, part: Part, type: RecordTypeCode): ClusterAnswer {
    const { spec } = service;
    if (spec.type === "ExternalName") {
      if (part.kind === "endpoint") return NXDOMAIN;
      if (type === RecordType.SRV) return NO_DATA;
      // With the dot of an absolute name or without, it is the same name.
      return { ...NO_DATA, alias: spec.externalName!.replace(/\.$/, "") };
    }
    const isOfEndpoints = spec.clusterIP === "None" || part.kind === "endpoint";
    const found = isOfEndpoints ? this.#endpoints(service, part) : this.#clusterIPs(service, part);
    // A headless Service without a ready endpoint has no name.
    return found.length === 0 ? NXDOMAIN : this.#answer(found, type);
  }

  #clusterIPs(service: Service, part: Part): readonly Found[] {
    const { clusterIP, clusterIPs = [clusterIP], ports } = service.spec;
    const target = this.#nameOf(objectKey(service));
    return ports
      .filter((port) => matches(part, port))
      .flatMap(({ port }) => clusterIPs.map((address) => ({ address, port, target })));
  }

  /** Ready endpoints; the slice says that of all with publishNotReadyAddresses. */
  #endpoints(service: Service, part: Part): readonly Found[] {
    const key = objectKey(service);
    const found: Found[] = [];
    for (const { endpoints, ports } of this.#slices.get(key)?.values() ?? []) {
      const own = ports.length === 0 ? [null] : ports.filter((port) => matches(part, port));
      for (const endpoint of endpoints) {
        if (!endpoint.conditions.ready) continue;
        const name = endpointName(endpoint);
        if (part.kind === "endpoint" && part.name !== name) continue;
        const target = `${name}.${this.#nameOf(key)}`;
        const { address } = endpoint;
        for (const port of own) found.push({ address, port: port?.port ?? null, target });
      }
    }
    return found;
  }

  #answer(found: readonly Found[], type: RecordTypeCode): ClusterAnswer {
    if (type === RecordType.PTR) return NO_DATA;
    const ids = new Set(found.map(({ address }) => this.#addresses.intern(address)));
    if (type !== RecordType.SRV) {
      const family = type === RecordType.A ? 4 : 6;
      return { ...NO_DATA, addresses: [...ids].filter((id) => this.#family(id) === family) };
    }
    const services = new Map<string, SrvRecord>();
    for (const { port, target } of found) {
      if (port !== null) services.set(`${target}:${port}`, { port, target });
    }
    return { ...NO_DATA, services: [...services.values()], additional: [...ids] };
  }

  #family(id: AddressId): 4 | 6 {
    return this.#addresses.family(id);
  }

  /** `pods insecure`: the address that the name itself says, whether or not there is such a pod. */
  #pod(namespace: string, name: string, type: RecordTypeCode): ClusterAnswer {
    const text = podAddress(name);
    if (text === null || !this.#hasNamespace(namespace)) return NXDOMAIN;
    return this.#answer([{ address: text, port: null, target: "" }], type);
  }

  /** A Service's name for its ClusterIP, else a name for each Service that the address is an endpoint of. */
  #reverse(name: string): ClusterAnswer | null {
    for (const service of this.#services.values()) {
      const { clusterIP, clusterIPs = [clusterIP] } = service.spec;
      if (clusterIPs.some((each) => reversed(each) === name)) {
        return { ...NO_DATA, names: [this.#nameOf(objectKey(service))] };
      }
    }
    const names = new Set<string>();
    for (const [key, slices] of this.#slices) {
      for (const { endpoints } of slices.values()) {
        for (const endpoint of endpoints) {
          if (!endpoint.conditions.ready || reversed(endpoint.address) !== name) continue;
          names.add(`${endpointName(endpoint)}.${this.#nameOf(key)}`);
        }
      }
    }
    return names.size === 0 ? null : { ...NO_DATA, names: [...names] };
  }

  #nameOf(key: string): string {
    const [namespace, name] = key.split("/");
    return `${name}.${namespace}.svc.${this.#zone}`;
  }
}

export function isReverse(name: string): boolean {
  return REVERSE_ZONES.some((zone) => name.endsWith(`.${zone}`));
}

/** The address in a pod's name: 10-244-1-5 is 10.244.1.5, and fd00--5 is fd00::5. */
export function podAddress(name: string): string | null {
  const isIpv4 = name.split("-").length === 4 && !name.includes("--");
  const text = name.replaceAll("-", isIpv4 ? "." : ":");
  return isAddress(text, isIpv4 ? 4 : 6) ? text : null;
}

function partOf(labels: readonly string[]): Part {
  const [name = "", protocol] = labels;
  if (labels.length === 0) return { kind: "whole" };
  if (protocol === undefined) return { kind: "endpoint", name };
  const bare = (label: string): string => label.replace(/^_/, "");
  return { kind: "port", name: bare(name), protocol: bare(protocol) };
}

function matches(
  part: Part,
  { name, protocol }: { readonly name: string | null; readonly protocol: string },
): boolean {
  if (part.kind !== "port") return true;
  return part.name === (name ?? "") && part.protocol === protocol.toLowerCase();
}

/** endpointHostname(): the pod's own where it has one under this Service, else its address. */
function endpointName({ hostname, address }: Endpoint): string {
  return hostname ?? address.replaceAll(/[.:]/g, "-");
}

/** Of an address, none for "None". */
function reversed(address: string): string | null {
  return /[.:]/.test(address) ? reverseName(address) : null;
}
