/**
 * Reading a Service.
 *
 * Owns: its fields, with the defaults of Kubernetes. Refuses to own: which fields go together
 * (serviceRules.ts), allocation (../allocate.ts), and whether its selector matches anything (../services.ts).
 */
import { z } from "zod";
import { seconds } from "../../engine/index.ts";
import { NODE_PORT_MAX, NODE_PORT_MIN } from "../../kubernetes/allocators/node-port.ts";
import type { LoadBalancerIngress, ServicePort } from "../../kubernetes/api/types.ts";
import { boolean, integer, read, scalar, text, word } from "../schema/reading.ts";
import { addressRange, ipAddress } from "./addresses.ts";
import {
  labelName,
  labels,
  metadataSchema,
  startMeta,
  type ManifestContext,
  type ServiceDraft,
} from "./objects.ts";
import { portNumber, portOrName, protocol } from "./pod.ts";
import { checkServiceFields } from "./serviceRules.ts";

const nodePort = scalar(`a node port from ${NODE_PORT_MIN} to ${NODE_PORT_MAX}`, (input) => {
  if (input === 0) return { value: null };
  const isInRange = Number.isInteger(input) && Number(input) >= NODE_PORT_MIN;
  return isInRange && Number(input) <= NODE_PORT_MAX ? { value: Number(input) } : null;
});

const portSchema = z.object({
  name: labelName.optional(),
  protocol: protocol.optional(),
  port: portNumber,
  targetPort: portOrName.optional(),
  nodePort: nodePort.optional(),
  appProtocol: text("text").optional(),
});

const clusterAddress = scalar('an IP address, "None" or ""', (input) =>
  input === "" || input === "None" ? { value: input } : ipAddress.parse(input),
);

const ingressSchema = z.object({
  ip: ipAddress.schema.optional(),
  hostname: text("a host name").optional(),
  ipMode: word("VIP", "Proxy").optional(),
});

const serviceSchema = z.object({
  metadata: metadataSchema.extend({ name: labelName }),
  spec: z.object({
    type: word("ClusterIP", "NodePort", "LoadBalancer", "ExternalName").optional(),
    clusterIP: clusterAddress.optional(),
    clusterIPs: z.array(clusterAddress).optional(),
    ipFamilyPolicy: word("SingleStack", "PreferDualStack", "RequireDualStack").optional(),
    ipFamilies: z.array(word("IPv4", "IPv6")).optional(),
    selector: labels.optional(),
    ports: z.array(portSchema).optional(),
    externalName: text(
      "a DNS name",
      /^([a-z0-9]([-a-z0-9]*[a-z0-9])?\.)*[a-z0-9]([-a-z0-9]*[a-z0-9])?\.?$/,
      254,
    ).optional(),
    externalIPs: z.array(ipAddress.schema).optional(),
    sessionAffinity: word("None", "ClientIP").optional(),
    sessionAffinityConfig: z
      .object({
        // MaxClientIPServiceAffinitySeconds: one day.
        clientIP: z.object({ timeoutSeconds: integer("seconds", 1, 86_400).optional() }).optional(),
      })
      .optional(),
    externalTrafficPolicy: word("Cluster", "Local").optional(),
    internalTrafficPolicy: word("Cluster", "Local").optional(),
    trafficDistribution: word("PreferClose", "PreferSameZone", "PreferSameNode").optional(),
    publishNotReadyAddresses: boolean.optional(),
    allocateLoadBalancerNodePorts: boolean.optional(),
    healthCheckNodePort: nodePort.optional(),
    loadBalancerClass: text("a name").optional(),
    loadBalancerIP: ipAddress.schema.optional(),
    loadBalancerSourceRanges: z.array(addressRange).optional(),
  }),
  status: z
    .object({ loadBalancer: z.object({ ingress: z.array(ingressSchema).optional() }).optional() })
    .optional(),
});

export type WrittenService = z.output<typeof serviceSchema>;

export function readService({ value, mistakes, objects, ignore }: ManifestContext): boolean {
  const written = read(serviceSchema, value, mistakes);
  if (written === undefined) return false;
  checkServiceFields(written, mistakes);
  listWithoutEffect(written, ignore);
  objects.services.push({ mistakes, object: buildService(written) });
  return true;
}

/** Valid, and without effect in the simulation. */
function listWithoutEffect(
  { spec, status }: WrittenService,
  ignore: ManifestContext["ignore"],
): void {
  for (const [index, { appProtocol }] of (spec.ports ?? []).entries()) {
    if (appProtocol === undefined) continue;
    ignore(
      ["spec", "ports", index, "appProtocol"],
      "appProtocol: no part of the model looks at it",
    );
  }
  if (spec.loadBalancerClass !== undefined) {
    ignore(["spec", "loadBalancerClass"], "all classes get the same load balancer");
  }
  for (const [index, { hostname }] of (status?.loadBalancer?.ingress ?? []).entries()) {
    if (hostname === undefined) continue;
    const path = ["status", "loadBalancer", "ingress", index, "hostname"];
    ignore(path, "names are not modelled yet: the load balancer gets an address");
  }
}

function buildService({ metadata, spec, status }: WrittenService): ServiceDraft {
  const type = spec.type ?? "ClusterIP";
  const isAlias = type === "ExternalName";
  const clusterIPs = spec.clusterIPs ?? (spec.clusterIP ? [spec.clusterIP] : []);
  const hasSelector = !isAlias && Object.keys(spec.selector ?? {}).length > 0;
  const ingress = ingressOf(status);
  return {
    kind: "Service",
    metadata: startMeta("Service", metadata),
    spec: {
      type,
      clusterIP: isAlias ? "" : (clusterIPs[0] ?? ""),
      selector: hasSelector ? spec.selector! : null,
      ports: buildPorts(spec),
      sessionAffinity: spec.sessionAffinity ?? "None",
      // Default of ClientIPConfig.timeoutSeconds: 3 hours.
      sessionAffinityTimeoutNs: seconds(
        spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? 10_800,
      ),
      externalTrafficPolicy: spec.externalTrafficPolicy ?? "Cluster",
      internalTrafficPolicy: spec.internalTrafficPolicy ?? "Cluster",
      publishNotReadyAddresses: spec.publishNotReadyAddresses ?? false,
      externalIPs: spec.externalIPs ?? [],
      loadBalancerSourceRanges: spec.loadBalancerSourceRanges ?? [],
      healthCheckNodePort: spec.healthCheckNodePort ?? null,
      trafficDistribution: spec.trafficDistribution ?? null,
      externalName: isAlias ? (spec.externalName ?? null) : null,
    },
    ...(ingress === null ? {} : { status: { ingress } }),
    wishes: {
      ipFamilyPolicy: spec.ipFamilyPolicy ?? null,
      ipFamilies: spec.ipFamilies ?? [],
      clusterIPs: isAlias ? [] : clusterIPs,
      allocatesNodePorts: spec.allocateLoadBalancerNodePorts ?? true,
      loadBalancerIP: spec.loadBalancerIP ?? null,
    },
  };
}

/** An entry with a name only says that clients come by a proxy; its address is made up later. */
function ingressOf(status: WrittenService["status"]): LoadBalancerIngress[] | null {
  const entries = status?.loadBalancer?.ingress ?? [];
  if (entries.length === 0) return null;
  return entries.map(({ ip, ipMode }) => ({
    ip: ip ?? "",
    ipMode: ip === undefined ? "Proxy" : (ipMode ?? "VIP"),
  }));
}

function buildPorts({ ports = [] }: WrittenService["spec"]): ServicePort[] {
  return ports.map((port) => ({
    name: port.name ?? null,
    protocol: port.protocol ?? "TCP",
    port: port.port,
    targetPort: port.targetPort ?? port.port,
    nodePort: port.nodePort ?? null,
  }));
}
