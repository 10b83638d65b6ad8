/** Services and EndpointSlices as the conformance data words them, as the model's objects. */
import { newMeta } from "../../src/kubernetes/controllers/pods.ts";
import type { EndpointSlice, Protocol, Service } from "../../src/kubernetes/api/types.ts";

export interface CaseService {
  readonly namespace: string;
  readonly name: string;
  readonly type: Service["spec"]["type"];
  readonly clusterIP: string;
  readonly ports: readonly {
    readonly name: string | null;
    readonly protocol: Protocol;
    readonly port: number;
    readonly nodePort: number | null;
  }[];
  readonly externalIPs: readonly string[];
  readonly loadBalancerIPs: readonly string[];
  readonly loadBalancerSourceRanges: readonly string[];
  readonly externalTrafficPolicy: "Cluster" | "Local";
  readonly internalTrafficPolicy: "Cluster" | "Local";
  readonly sessionAffinity: "None" | "ClientIP";
  readonly sessionAffinityTimeoutSeconds: number | null;
  readonly healthCheckNodePort: number | null;
}

export interface CaseSlice {
  readonly service: string;
  readonly name: string;
  readonly addressType: "IPv4" | "IPv6";
  readonly ports: readonly {
    readonly name: string | null;
    readonly protocol: Protocol;
    readonly port: number;
  }[];
  readonly endpoints: readonly {
    readonly ip: string;
    readonly nodeName: string | null;
    readonly ready: boolean | null;
    readonly serving: boolean | null;
    readonly terminating: boolean | null;
    readonly hints: {
      readonly forZones?: readonly (string | { readonly name: string })[];
      readonly forNodes?: readonly (string | { readonly name: string })[];
    } | null;
  }[];
}

export function serviceOf(written: CaseService): Service {
  return {
    kind: "Service",
    metadata: newMeta(written.namespace, written.name),
    spec: {
      type: written.type,
      clusterIP: written.clusterIP,
      selector: null,
      ports: written.ports.map((port) => ({ ...port, targetPort: port.port })),
      sessionAffinity: written.sessionAffinity,
      sessionAffinityTimeoutNs: (written.sessionAffinityTimeoutSeconds ?? 10_800) * 1e9,
      externalTrafficPolicy: written.externalTrafficPolicy,
      internalTrafficPolicy: written.internalTrafficPolicy,
      publishNotReadyAddresses: false,
      externalIPs: written.externalIPs,
      loadBalancerSourceRanges: written.loadBalancerSourceRanges,
      healthCheckNodePort: written.healthCheckNodePort,
    },
    status: { ingress: written.loadBalancerIPs.map((ip) => ({ ip, ipMode: "VIP" as const })) },
  };
}

export function sliceOf({
  service,
  name,
  addressType,
  ports,
  endpoints,
}: CaseSlice): EndpointSlice {
  return {
    kind: "EndpointSlice",
    metadata: newMeta(service.split("/")[0]!, name),
    service,
    addressType,
    ports,
    endpoints: endpoints.map(({ ip, nodeName, ready, serving, terminating, hints }) => ({
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
}

function namesOf(hints: readonly (string | { readonly name: string })[]): string[] {
  return hints.map((hint) => (typeof hint === "string" ? hint : hint.name));
}
