/**
 * What one CoreDNS knows of the cluster: plugin kubernetes.
 *
 * Owns: its own watches of Services and EndpointSlices, and the records that they come to. Refuses to
 * own: caching (cache.ts), and the server (workload/dns).
 *
 * Not modelled: SRV and PTR records, and names of single endpoints and pods.
 */
import type { AddressTable, AddressId } from "../../network/address.ts";
import type { ApiServer, Informer } from "../api/contract.ts";
import { objectKey, type EndpointSlice, type Service } from "../api/types.ts";
import { Rcode, RecordType, type RcodeCode, type RecordTypeCode } from "./messages.ts";

/** What plugin kubernetes answers. */
export interface ClusterAnswer {
  readonly rcode: RcodeCode;
  readonly addresses: readonly AddressId[];
  /** Name that an ExternalName Service stands for, or null. */
  readonly alias: string | null;
}

const NXDOMAIN: ClusterAnswer = { rcode: Rcode.NXDOMAIN, addresses: [], alias: null };

export class ClusterRecords {
  readonly #addresses: AddressTable;
  readonly #zone: string;
  readonly #services: Informer<"Service">;
  /** By Service, then by slice. */
  readonly #slices = new Map<string, Map<string, EndpointSlice>>();

  /** @param watcher names its watches: each replica has its own */
  constructor(api: ApiServer, addresses: AddressTable, watcher: string, zone: string) {
    this.#addresses = addresses;
    this.#zone = zone;
    this.#services = api.watch("Service", { watcher, handlers: {} });
    const put = (slice: EndpointSlice): void => this.#put(slice);
    const slices = api.watch("EndpointSlice", {
      watcher,
      handlers: {
        added: put,
        updated: (_, slice) => put(slice),
        deleted: (slice) => void this.#slices.get(slice.service)?.delete(objectKey(slice)),
      },
    });
    for (const slice of slices.values()) put(slice);
  }

  /** @param name within the zone, absolute, without the dot at its end */
  lookup(name: string, type: RecordTypeCode): ClusterAnswer {
    const labels = name.slice(0, -this.#zone.length - 1).split(".");
    const [service, namespace, kind] = labels;
    if (labels.length !== 3 || kind !== "svc") return NXDOMAIN;
    const found = this.#services.get(`${namespace}/${service}`);
    return found === undefined ? NXDOMAIN : this.#recordsOf(found, type);
  }

  #put(slice: EndpointSlice): void {
    let own = this.#slices.get(slice.service);
    if (own === undefined) this.#slices.set(slice.service, (own = new Map()));
    own.set(objectKey(slice), slice);
  }

  #recordsOf(service: Service, type: RecordTypeCode): ClusterAnswer {
    const { spec } = service;
    if (spec.type === "ExternalName") {
      // With the dot of an absolute name or without, it is the same name.
      return { rcode: Rcode.NOERROR, addresses: [], alias: spec.externalName!.replace(/\.$/, "") };
    }
    const texts =
      spec.clusterIP === "None"
        ? this.#ready(objectKey(service))
        : (spec.clusterIPs ?? [spec.clusterIP]);
    // A headless Service without a ready endpoint has no name.
    if (texts.length === 0) return NXDOMAIN;
    const family = type === RecordType.A ? 4 : 6;
    const all = texts.map((text) => this.#addresses.intern(text));
    const addresses = all.filter((id) => this.#addresses.family(id) === family);
    return { rcode: Rcode.NOERROR, addresses, alias: null };
  }

  /** Addresses of ready endpoints; the slice says that of all with publishNotReadyAddresses. */
  #ready(service: string): string[] {
    const found = new Set<string>();
    for (const slice of this.#slices.get(service)?.values() ?? []) {
      for (const { address, conditions } of slice.endpoints) {
        if (conditions.ready) found.add(address);
      }
    }
    return [...found];
  }
}
