/**
 * Reading a Service.
 *
 * Owns: one Service with the defaults of Kubernetes, and which kinds of Service cannot be played yet.
 * Refuses to own: allocation, and whether its selector matches anything (services.ts).
 */
import { z } from "zod";
import { seconds } from "../../engine/index.ts";
import { NODE_PORT_MAX, NODE_PORT_MIN } from "../../kubernetes/allocators/node-port.ts";
import type { ServicePort } from "../../kubernetes/api/types.ts";
import type { FileMistakes } from "../mistakes.ts";
import { boolean, integer, read, scalar, text, word } from "../schema/reading.ts";
import { labelName, labels, metadataSchema, startMeta, type ManifestContext } from "./objects.ts";
import { portNumber, portOrName, protocol } from "./pod.ts";

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
});

const serviceSchema = z.object({
  metadata: metadataSchema.extend({ name: labelName }),
  spec: z.object({
    type: word("ClusterIP", "NodePort", "LoadBalancer", "ExternalName").optional(),
    clusterIP: text('an IPv4 address or "None"').optional(),
    selector: labels.optional(),
    ports: z.array(portSchema).optional(),
    sessionAffinity: word("None", "ClientIP").optional(),
    sessionAffinityConfig: z
      .object({
        clientIP: z.object({ timeoutSeconds: integer("seconds", 1, 86_400).optional() }).optional(),
      })
      .optional(),
    externalTrafficPolicy: word("Cluster", "Local").optional(),
    internalTrafficPolicy: word("Cluster", "Local").optional(),
    publishNotReadyAddresses: boolean.optional(),
    ipFamilyPolicy: text("text").optional(),
    ipFamilies: z.array(word("IPv4", "IPv6")).optional(),
    externalIPs: z.array(text("an address")).optional(),
    trafficDistribution: text("text").optional(),
  }),
});

type WrittenSpec = z.output<typeof serviceSchema>["spec"];

export function readService({ value, mistakes, objects, ignore }: ManifestContext): boolean {
  const written = read(serviceSchema, value, mistakes);
  if (written === undefined) return false;
  const { spec } = written;
  const metadata = startMeta("Service", written.metadata);
  const unplayed = whyUnplayed(spec);
  if (unplayed !== null) {
    objects.unplayedServices.set(`${metadata.namespace}/${metadata.name}`, unplayed);
    ignore([], unplayed);
    return true;
  }
  refuseUnmodelled(spec, mistakes.within(["spec"]));
  if (spec.type === "LoadBalancer") {
    ignore(["spec", "type"], "the load balancer is not modelled yet: node ports and ClusterIP are");
  }
  objects.services.push({
    mistakes,
    object: {
      kind: "Service",
      metadata,
      spec: {
        type: spec.type ?? "ClusterIP",
        clusterIP: spec.clusterIP ?? "",
        selector: spec.selector ?? null,
        ports: buildPorts(spec, mistakes.within(["spec"])),
        sessionAffinity: "None",
        // Default of ClientIPConfig.timeoutSeconds: 3 hours.
        sessionAffinityTimeoutNs: seconds(
          spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? 10_800,
        ),
        externalTrafficPolicy: "Cluster",
        internalTrafficPolicy: "Cluster",
        publishNotReadyAddresses: spec.publishNotReadyAddresses ?? false,
      },
    },
  });
  return true;
}

/** Why a valid Service has no effect, or null. */
function whyUnplayed(spec: WrittenSpec): string | null {
  if (spec.type === "ExternalName") return "ExternalName Services are not modelled yet";
  if (spec.clusterIP === "None") return "headless Services are not modelled yet";
  if (spec.selector === undefined || Object.keys(spec.selector).length === 0) {
    return "Services without a selector are not modelled yet";
  }
  return null;
}

/** What would send traffic elsewhere than the model does: an error, since results would mislead. */
function refuseUnmodelled(spec: WrittenSpec, mistakes: FileMistakes): void {
  const refuse = (field: keyof WrittenSpec, allowed: string) =>
    mistakes.add([field], `${JSON.stringify(spec[field])} is not modelled yet`, allowed);
  if (spec.sessionAffinity === "ClientIP") refuse("sessionAffinity", '"None"');
  if (spec.externalTrafficPolicy === "Local") refuse("externalTrafficPolicy", '"Cluster"');
  if (spec.internalTrafficPolicy === "Local") refuse("internalTrafficPolicy", '"Cluster"');
  if (spec.trafficDistribution !== undefined) refuse("trafficDistribution", "no such field");
  if ((spec.externalIPs ?? []).length > 0) refuse("externalIPs", "no such field");
  if (spec.ipFamilies?.includes("IPv6") === true) refuse("ipFamilies", '["IPv4"]');
  if (spec.ipFamilyPolicy === "RequireDualStack") refuse("ipFamilyPolicy", '"SingleStack"');
}

function buildPorts(spec: WrittenSpec, mistakes: FileMistakes): ServicePort[] {
  const written = spec.ports ?? [];
  if (written.length === 0) mistakes.add(["ports"], "no port", "at least one port");
  const names = new Set<string>();
  const numbers = new Set<string>();
  return written.map((port, index) => {
    const path = ["ports", index];
    const number = `${port.port}/${port.protocol ?? "TCP"}`;
    if (numbers.has(number))
      mistakes.add([...path, "port"], `a second port ${number}`, "unique ports");
    numbers.add(number);
    if (port.name === undefined && written.length > 1) {
      mistakes.add([...path, "name"], "missing", "a name for each of several ports");
    } else if (port.name !== undefined && names.has(port.name)) {
      mistakes.add([...path, "name"], `a second port "${port.name}"`, "unique names");
    }
    names.add(port.name ?? "");
    if (typeof port.nodePort === "number" && (spec.type ?? "ClusterIP") === "ClusterIP") {
      mistakes.add([...path, "nodePort"], "a node port on a ClusterIP Service", 'type "NodePort"');
    }
    return {
      name: port.name ?? null,
      protocol: port.protocol ?? "TCP",
      port: port.port,
      targetPort: port.targetPort ?? port.port,
      nodePort: port.nodePort ?? null,
    };
  });
}
