/**
 * Reading EndpointSlices and Endpoints that a user keeps.
 *
 * Owns: both kinds with the defaults of Kubernetes. Those that a controller made are left out: the
 * simulated controller makes its own. Refuses to own: which Service they belong to (../services.ts).
 */
import { z } from "zod";
import {
  familyOf,
  MANAGED_BY_LABEL,
  MIRRORING_CONTROLLER,
  SLICE_CONTROLLER,
  type Endpoint,
  type EndpointSlice,
  type EndpointSubset,
} from "../../kubernetes/api/types.ts";
import type { FileMistakes } from "../mistakes.ts";
import { boolean, read, text, word } from "../schema/reading.ts";
import { ipAddress, whySpecial } from "./addresses.ts";
import { metadataSchema, startMeta, type ManifestContext } from "./objects.ts";
import { portNumber, protocol } from "./pod.ts";

const SERVICE_NAME_LABEL = "kubernetes.io/service-name";
/** maxEndpoints of pkg/apis/discovery/validation. */
const MOST_ENDPOINTS = 1000;

const name = text("a name", undefined, 253);
const portSchema = z.object({
  name: name.optional(),
  protocol: protocol.optional(),
  port: portNumber.optional(),
});
const hint = z.array(z.object({ name }));

const sliceSchema = z.object({
  metadata: metadataSchema,
  addressType: word("IPv4", "IPv6", "FQDN"),
  endpoints: z
    .array(
      z.object({
        addresses: z.array(text("an address")),
        conditions: z
          .object({
            ready: boolean.nullish(),
            serving: boolean.nullish(),
            terminating: boolean.nullish(),
          })
          .optional(),
        hostname: name.optional(),
        nodeName: name.optional(),
        zone: name.optional(),
        targetRef: z.object({ name: name.optional() }).optional(),
        hints: z.object({ forZones: hint.optional(), forNodes: hint.optional() }).optional(),
      }),
    )
    .nullish(),
  ports: z.array(portSchema).nullish(),
});
type WrittenSlice = z.output<typeof sliceSchema>;
type WrittenEndpoint = NonNullable<WrittenSlice["endpoints"]>[number];

export function readEndpointSlice(context: ManifestContext): boolean {
  const { value, mistakes, objects, ignore } = context;
  const written = read(sliceSchema, value, mistakes);
  if (written === undefined) return false;
  const labels = written.metadata.labels ?? {};
  const keeper = labels[MANAGED_BY_LABEL] ?? "";
  const service = labels[SERVICE_NAME_LABEL];
  if (keeper === SLICE_CONTROLLER || keeper === MIRRORING_CONTROLLER) {
    ignore([], "the simulated controller makes its own");
  } else if (service === undefined) {
    ignore([], `belongs to no Service: no label ${SERVICE_NAME_LABEL}`);
  } else if (written.addressType === "FQDN") {
    ignore(["addressType"], "kube-proxy leaves slices of names alone");
  } else {
    checkEndpoints(written, mistakes);
    const metadata = startMeta("EndpointSlice", written.metadata);
    const object: EndpointSlice = {
      kind: "EndpointSlice",
      metadata,
      service: `${metadata.namespace}/${service}`,
      addressType: written.addressType,
      ports: portsOf(written.ports ?? []),
      endpoints: (written.endpoints ?? []).map(buildEndpoint),
    };
    objects.endpointSlices.push({ mistakes, object });
  }
  return true;
}

function checkEndpoints(
  { addressType, endpoints, ports }: WrittenSlice,
  mistakes: FileMistakes,
): void {
  const count = endpoints?.length ?? 0;
  if (count > MOST_ENDPOINTS) mistakes.add(["endpoints"], `${count}`, `at most ${MOST_ENDPOINTS}`);
  for (const [index, { addresses }] of (endpoints ?? []).entries()) {
    const own = mistakes.within(["endpoints", index, "addresses"]);
    if (addresses.length === 0) own.add([], "none", "at least one address");
    for (const [at, address] of addresses.entries()) {
      checkAddress(address, addressType, own.within([at]));
    }
  }
  const names = new Set<string>();
  for (const [index, { name: port = "" }] of (ports ?? []).entries()) {
    if (names.has(port))
      mistakes.add(["ports", index, "name"], `a second "${port}"`, "unique names");
    names.add(port);
  }
}

function checkAddress(address: string, family: string, mistakes: FileMistakes): void {
  const parsed = ipAddress.parse(address);
  if (parsed === null || !("value" in parsed) || familyOf(parsed.value) !== family) {
    mistakes.add([], JSON.stringify(address), `an ${family} address`);
    return;
  }
  const why = whySpecial(parsed.value);
  if (why !== null) {
    mistakes.add([], `${address} is ${why}`, "an address that packets can be sent to");
  }
}

/** Only the first of an endpoint's addresses counts, to kube-proxy as well. */
function buildEndpoint({ addresses, conditions, ...written }: WrittenEndpoint): Endpoint {
  const { hostname, nodeName, zone, targetRef, hints } = written;
  return {
    address: addresses[0] ?? "",
    podUid: "",
    podName: targetRef?.name ?? "",
    nodeName: nodeName ?? "",
    // Absent: ready, serving, and not terminating.
    conditions: {
      ready: conditions?.ready ?? true,
      serving: conditions?.serving ?? true,
      terminating: conditions?.terminating ?? false,
    },
    observedCauseNs: null,
    ...(hostname === undefined ? {} : { hostname }),
    ...(zone === undefined ? {} : { zone }),
    ...(hints?.forZones === undefined
      ? {}
      : { zoneHints: hints.forZones.map((each) => each.name) }),
    ...(hints?.forNodes === undefined
      ? {}
      : { nodeHints: hints.forNodes.map((each) => each.name) }),
  };
}

/** A port without a number stands for all ports, of which kube-proxy can make no rule. */
function portsOf(ports: readonly z.output<typeof portSchema>[]): EndpointSlice["ports"] {
  return ports.flatMap((each) =>
    each.port === undefined
      ? []
      : [{ name: each.name || null, protocol: each.protocol ?? "TCP", port: each.port }],
  );
}

const address = z.object({
  ip: ipAddress.schema,
  hostname: name.nullish(),
  nodeName: name.nullish(),
});
const endpointsSchema = z.object({
  metadata: metadataSchema,
  subsets: z
    .array(
      z.object({
        addresses: z.array(address).nullish(),
        notReadyAddresses: z.array(address).nullish(),
        ports: z.array(portSchema.extend({ port: portNumber })).nullish(),
      }),
    )
    .nullish(),
});

export function readEndpoints({ value, mistakes, objects }: ManifestContext): boolean {
  const written = read(endpointsSchema, value, mistakes);
  if (written === undefined) return false;
  const subsets = (written.subsets ?? []).map(
    ({ addresses, notReadyAddresses, ports }): EndpointSubset => ({
      addresses: (addresses ?? []).map(buildAddress),
      notReadyAddresses: (notReadyAddresses ?? []).map(buildAddress),
      ports: portsOf(ports ?? []),
    }),
  );
  const metadata = startMeta("Endpoints", written.metadata);
  objects.endpoints.push({ mistakes, object: { kind: "Endpoints", metadata, subsets } });
  return true;
}

function buildAddress({
  ip,
  hostname,
  nodeName,
}: z.output<typeof address>): EndpointSubset["addresses"][number] {
  return { ip, nodeName: nodeName ?? null, ...(hostname && { hostname }) };
}
