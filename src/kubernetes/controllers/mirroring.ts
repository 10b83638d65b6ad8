/**
 * The EndpointSliceMirroring controller: from a legacy Endpoints object to slices, as a pure function.
 *
 * Owns: what becomes of one Endpoints object. Source: pkg/controller/endpointslicemirroring; timings §2.
 * Not modelled: later changes of the object, for nobody in a run writes any.
 */
import {
  familyOf,
  MANAGED_BY_LABEL,
  MIRRORING_CONTROLLER,
  objectKey,
  type Endpoint,
  type EndpointSlice,
  type IpFamily,
  type IpText,
  type Service,
} from "../api/types.ts";
import { newMeta } from "./pods.ts";

/** Label of an Endpoints object that is not to be mirrored. */
export const SKIP_MIRROR_LABEL = "endpointslice.kubernetes.io/skip-mirror";

export interface EndpointAddress {
  readonly ip: IpText;
  /** Absent: none. */
  readonly hostname?: string;
  readonly nodeName: string | null;
}

/** Every address has every port. */
export interface EndpointSubset {
  readonly addresses: readonly EndpointAddress[];
  readonly notReadyAddresses: readonly EndpointAddress[];
  readonly ports: EndpointSlice["ports"];
}

/** The Endpoints object of a Service "namespace/name" that has no selector. */
export interface MirroredEndpoints {
  readonly service: string;
  readonly subsets: readonly EndpointSubset[];
}

const LABELS = { [MANAGED_BY_LABEL]: MIRRORING_CONTROLLER };

/**
 * One slice for each list of ports and each family, however many subsets.
 * @param maxPerSubset --mirroring-max-endpoints-per-subset: addresses beyond it are left out
 */
export function mirroredSlices(
  service: Service,
  subsets: readonly EndpointSubset[],
  maxPerSubset: number,
  nextName: () => string,
): EndpointSlice[] {
  const slices = new Map<string, EndpointSlice & { endpoints: Endpoint[] }>();
  for (const { addresses, notReadyAddresses, ports } of subsets) {
    const all = [
      ...addresses.map((address) => mirrored(address, true)),
      ...notReadyAddresses.map((address) => mirrored(address, false)),
    ];
    for (const endpoint of all.slice(0, maxPerSubset)) {
      const addressType = familyOf(endpoint.address);
      const key = JSON.stringify([addressType, ports]);
      let slice = slices.get(key);
      if (slice === undefined) {
        slice = { ...emptySlice(service, addressType, nextName()), ports, endpoints: [] };
        slices.set(key, slice);
      }
      slice.endpoints.push(endpoint);
    }
  }
  return [...slices.values()];
}

function emptySlice(service: Service, addressType: IpFamily, name: string): EndpointSlice {
  const { namespace, name: serviceName } = service.metadata;
  return {
    kind: "EndpointSlice",
    metadata: {
      ...newMeta(namespace, name),
      uid: `endpointslice/${namespace}/${name}`,
      labels: { ...LABELS, "kubernetes.io/service-name": serviceName },
      ownerUid: service.metadata.uid,
    },
    service: objectKey(service),
    addressType,
    ports: [],
    endpoints: [],
  };
}

function mirrored({ ip, hostname, nodeName }: EndpointAddress, ready: boolean): Endpoint {
  return {
    address: ip,
    podUid: "",
    podName: "",
    ...(hostname === undefined ? {} : { hostname }),
    nodeName: nodeName ?? "",
    conditions: { ready, serving: true, terminating: false },
    observedCauseNs: null,
  };
}
