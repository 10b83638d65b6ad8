/**
 * Services and EndpointSlices as the conformance data words them, as the model's objects. A field that a file leaves out
 * has the value of one that was not set; 0 is no port.
 */
import { newMeta } from "../../src/kubernetes/controllers/pods.ts";
import type { EndpointSlice, Protocol, Service } from "../../src/kubernetes/api/types.ts";

export interface CaseService {
  readonly namespace: string;
  readonly name: string;
  readonly type?: Service["spec"]["type"];
  readonly clusterIP?: string | null;
  readonly ports: readonly {
    readonly name: string | null;
    readonly protocol?: Protocol | null;
    readonly port: number;
    readonly nodePort?: number | null;
  }[];
  readonly externalIPs?: readonly string[] | null;
  readonly loadBalancerIPs?: readonly string[] | null;
  readonly loadBalancerSourceRanges?: readonly string[] | null;
  readonly externalTrafficPolicy?: "Cluster" | "Local" | null;
  readonly internalTrafficPolicy?: "Cluster" | "Local" | null;
  readonly sessionAffinity?: "None" | "ClientIP" | null;
  readonly sessionAffinityTimeoutSeconds?: number | null;
  readonly healthCheckNodePort?: number | null;
}

export interface CaseSlice {
  readonly service: string;
  readonly name: string;
  readonly addressType: "IPv4" | "IPv6" | "FQDN";
  readonly ports: readonly {
    readonly name: string | null;
    readonly protocol?: Protocol | null;
    readonly port: number;
  }[];
  readonly endpoints?:
    | readonly {
        readonly ip: string;
        readonly nodeName?: string | null;
        readonly ready?: boolean | null;
        readonly serving?: boolean | null;
        readonly terminating?: boolean | null;
        readonly hints?: {
          readonly forZones?: readonly (string | { readonly name: string })[] | null;
          readonly forNodes?: readonly (string | { readonly name: string })[] | null;
        } | null;
      }[]
    | null;
}

export function serviceOf(written: CaseService): Service {
  return {
    kind: "Service",
    metadata: newMeta(written.namespace, written.name),
    spec: {
      type: written.type ?? "ClusterIP",
      clusterIP: written.clusterIP ?? "",
      selector: null,
      ports: written.ports.map((port) => ({
        ...port,
        protocol: port.protocol ?? "TCP",
        nodePort: port.nodePort || null,
        targetPort: port.port,
      })),
      sessionAffinity: written.sessionAffinity ?? "None",
      sessionAffinityTimeoutNs: (written.sessionAffinityTimeoutSeconds ?? 10_800) * 1e9,
      externalTrafficPolicy: written.externalTrafficPolicy ?? "Cluster",
      internalTrafficPolicy: written.internalTrafficPolicy ?? "Cluster",
      publishNotReadyAddresses: false,
      externalIPs: written.externalIPs ?? [],
      loadBalancerSourceRanges: written.loadBalancerSourceRanges ?? [],
      healthCheckNodePort: written.healthCheckNodePort || null,
    },
    status: {
      // The API server takes an ingress without an address: a balancer that only has a name.
      ingress: (written.loadBalancerIPs ?? []).flatMap((ip) =>
        ip === "" ? [] : [{ ip, ipMode: "VIP" as const }],
      ),
    },
  };
}

/** None for a slice of names: there is no proxier for those. */
export function sliceOf({
  service,
  name,
  addressType,
  ports,
  endpoints,
}: CaseSlice): EndpointSlice[] {
  if (addressType === "FQDN") return [];
  const made: EndpointSlice = {
    kind: "EndpointSlice",
    metadata: newMeta(service.split("/")[0]!, name),
    service,
    addressType,
    ports: ports.map((port) => ({ ...port, protocol: port.protocol ?? "TCP" })),
    endpoints: (endpoints ?? []).map(({ ip, nodeName, ready, serving, terminating, hints }) => ({
      address: ip,
      podUid: "",
      podName: "",
      nodeName: nodeName ?? "",
      // A condition that is not set means ready, serving, and not terminating.
      conditions: {
        ready: ready ?? true,
        serving: serving ?? true,
        terminating: terminating ?? false,
      },
      observedCauseNs: null,
      ...(hints?.forZones && { zoneHints: namesOf(hints.forZones) }),
      ...(hints?.forNodes && { nodeHints: namesOf(hints.forNodes) }),
    })),
  };
  return [made];
}

function namesOf(hints: readonly (string | { readonly name: string })[]): string[] {
  return hints.map((hint) => (typeof hint === "string" ? hint : hint.name));
}
