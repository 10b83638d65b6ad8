/**
 * What a scenario names by DNS: "dns://NAME:PORT", "dns://_PORT._PROTOCOL.NAME" and lookup(...).
 *
 * Owns: which Service such a name ends at, by way of search domains, ExternalNames and the names of single pods;
 * and what a client's resolver is told. Refuses to own: what DNS answers (workload/dns), and names that are only
 * looked up (lookups.ts).
 */
import { objectKey, type Pod, type PodSpec, type Service } from "../kubernetes/api/types.ts";
import { reverseName } from "../kubernetes/dns/messages.ts";
import { podAddress } from "../kubernetes/dns/records.ts";
import { namesToAsk } from "../workload/dns/resolver.ts";
import { ipAddress } from "./manifests/addresses.ts";
import { DNS_SERVICE } from "./manifests/coredns.ts";
import { ownersOf, type ManifestObjects } from "./manifests/objects.ts";
import { describeValue, nearest, type FileMistakes } from "./mistakes.ts";
import type { ResolvedClient, ServiceTarget } from "./resolved.ts";
import type { ClientPart, ServiceTargetPart } from "./schema/scenario.ts";

export interface NameRules {
  readonly zone: string | null;
  readonly search: readonly string[];
  readonly ndots: number;
}

/** What names can lead to. */
interface Named {
  readonly services: readonly Service[];
  readonly objects: ManifestObjects;
}

const HOST_NAME = "([a-z0-9_]([a-z0-9_-]*[a-z0-9])?(?:\\.[a-z0-9_]([a-z0-9_-]*[a-z0-9])?)*\\.?)";
const DNS_TARGET = new RegExp(`^(?<name>${HOST_NAME}):(?<port>\\d{1,5})$`);
const SRV_TARGET = new RegExp(
  `^_(?<port>[a-z0-9-]+)\\._(?<protocol>tcp|udp|sctp)\\.(?<name>${HOST_NAME})$`,
);
const DNS_NAME = new RegExp(`^${HOST_NAME}$`);
/** RFC 1035, without the dot at its end. */
const LONGEST_NAME = 253;

/** resolv.conf of a pod in namespace default, for a client that has a name to look up. */
export function resolverOf(
  { to, resolver, ipFamily }: Pick<ClientPart, "to" | "resolver" | "ipFamily">,
  zone: string,
): Pick<ResolvedClient, "resolver"> | Record<string, never> {
  if (!("reference" in to) || (to.via !== "dns" && to.via !== "lookup")) return {};
  const { timeout, search, slowStart, ...rest } = resolver;
  const name = to.via === "lookup" ? to.reference : to.reference.replace(/:\d+$/, "");
  const followsTarget = to.via === "dns" && SRV_TARGET.test(to.reference);
  const type = followsTarget ? "SRV" : to.type;
  return {
    resolver: {
      ...rest,
      ...(ipFamily === undefined ? {} : { ipFamily }),
      ...(type === undefined ? {} : { type }),
      ...(followsTarget ? { followsTarget } : {}),
      // gethostbyaddr() has no use for search domains.
      name: type === "PTR" ? `${reverseName(name)}.` : name,
      timeoutNs: timeout,
      ...(slowStart !== undefined && { slowStartNs: slowStart }),
      search: [...searchDomains(zone), ...search],
    },
  };
}

function searchDomains(zone: string): string[] {
  return [`default.svc.${zone}`, `svc.${zone}`, zone];
}

/** A client that looks a name up: at which Service it ends. */
export function resolveName(
  to: ServiceTargetPart,
  named: Named,
  mistakes: FileMistakes,
  { zone, search, ndots }: NameRules,
): ServiceTarget | null {
  if (zone === null) {
    mistakes.add([], "a name, in a cluster without DNS", "cluster.dns: {}");
    return null;
  }
  if (to.via === "lookup") return resolveLookup(to, mistakes);
  const { reference } = to;
  const srv = SRV_TARGET.exec(reference)?.groups;
  // A name of that form has a port of its own.
  const written = srv ?? (reference.startsWith("_") ? null : DNS_TARGET.exec(reference))?.groups;
  const { name, port } = written ?? {};
  const isPort = srv !== undefined || (Number(port) >= 1 && Number(port) <= 65_535);
  if (name === undefined || reference.length > LONGEST_NAME || !isPort) {
    const allowed =
      '"dns://NAME:PORT" with a number as port, or "dns://_PORT._PROTOCOL.NAME" with the name of one';
    mistakes.add([], describeValue(`dns://${reference}`), allowed);
    return null;
  }
  // Of an SRV record's name the dots of all its labels count.
  const whole = srv === undefined ? name : reference;
  const skipped = whole.length - name.length;
  const names = namesToAsk({ name: whole, search: [...searchDomains(zone), ...search], ndots });
  const service = endOf(
    names.map((each) => each.slice(skipped)),
    name,
    named,
    zone,
    mistakes,
  );
  if (service === null) return null;
  return srv === undefined
    ? atPort(service, Number(port), mistakes)
    : atNamedPort(service, port!, srv["protocol"]!, mistakes);
}

function resolveLookup(
  { reference, type }: ServiceTargetPart,
  mistakes: FileMistakes,
): ServiceTarget | null {
  const target = {
    service: DNS_SERVICE,
    port: 53,
    protocol: "UDP",
    via: "lookup",
    node: null,
  } as const;
  if (type === "PTR") {
    const parsed = ipAddress.parse(reference);
    if (parsed !== null && "value" in parsed) return target;
    mistakes.add([], describeValue(reference), "an IP address, for type PTR");
    return null;
  }
  if (reference.length <= LONGEST_NAME && DNS_NAME.test(reference)) return target;
  mistakes.add([], describeValue(reference), 'a DNS name such as "www.example.com"');
  return null;
}

/** The Service that one of `names` is of, or one of its pods; null after having said that there is none. */
function endOf(
  names: readonly string[],
  written: string,
  { services, objects }: Named,
  zone: string,
  mistakes: FileMistakes,
): Service | null {
  for (const name of names) {
    const found = serviceNamed(name, services, zone);
    if (found !== undefined && found.spec.type !== "ExternalName") return found;
    if (found !== undefined) {
      refuseOutside(found, mistakes);
      return null;
    }
    const [pod = "", ...rest] = name.split(".");
    const above = serviceNamed(rest.join("."), services, zone);
    if (above === undefined || above.spec.type === "ExternalName") continue;
    if (checkPodName(pod, above, objects, mistakes)) return above;
    return null;
  }
  if (names.some((name) => name.endsWith(`.pod.${zone}`))) {
    const found = `${written} is the name of an address, behind which no Service stands`;
    const allowed = "a Service's name, or a pod's under that; or lookup(...), which dials nothing";
    mistakes.add([], found, allowed);
    return null;
  }
  mistakes.add([], `no Service has the name ${written}`, "the name of a Service of this cluster");
  return null;
}

/** The Service that a name leads to, by way of ExternalNames: one that leads out of the cluster is returned itself. */
function serviceNamed(
  name: string,
  services: readonly Service[],
  zone: string,
): Service | undefined {
  const at = (wanted: string): Service | undefined =>
    services.find(
      ({ metadata }) => `${metadata.name}.${metadata.namespace}.svc.${zone}` === wanted,
    );
  const first = at(name);
  let found = first;
  // No ExternalName twice: each turn follows one.
  for (let turn = 0; turn <= services.length && found?.spec.type === "ExternalName"; turn++) {
    found = at(found.spec.externalName!.replace(/\.$/, ""));
  }
  return found ?? first;
}

/** Whether a pod under a Service may have this name; reports one that none has. */
function checkPodName(
  name: string,
  service: Service,
  objects: ManifestObjects,
  mistakes: FileMistakes,
): boolean {
  if (podAddress(name) !== null) return true;
  const { own, ofSets } = podNames(service, objects);
  const isOfSet = ofSets.some((set) => name.startsWith(`${set}-`) && /-\d+$/.test(name));
  if (isOfSet || own.includes(name)) return true;
  const known = [...own, ...ofSets.map((set) => `${set}-0`)];
  const some = known.length === 0 ? "" : `${known.join(", ")}, or `;
  const found = `no pod has the name ${name} in ${objectKey(service)}`;
  const allowed = `${some}a pod's address with dashes such as 10-244-1-5; StatefulSets name theirs under their serviceName`;
  mistakes.add([], found, allowed, nearest(name, known));
  return false;
}

/** Host names under a Service: pods' own, and StatefulSets, whose pods have theirs. */
function podNames(
  { metadata: { name, namespace } }: Service,
  objects: ManifestObjects,
): { readonly own: readonly string[]; readonly ofSets: readonly string[] } {
  const specs: [string, PodSpec][] = [
    ...ownersOf(objects).map(({ object }): [string, PodSpec] => [
      object.metadata.namespace,
      object.spec.template.spec,
    ]),
    ...objects.pods.map(({ object }: { object: Pod }): [string, PodSpec] => [
      object.metadata.namespace,
      object.spec,
    ]),
  ];
  const ofPods = specs.flatMap(([own, { hostname, subdomain }]) =>
    own === namespace && subdomain === name && hostname !== undefined ? [hostname] : [],
  );
  const ofSlices = objects.endpointSlices.flatMap(({ object }) =>
    object.service === `${namespace}/${name}`
      ? object.endpoints.flatMap(({ hostname }) => hostname ?? [])
      : [],
  );
  const ofSubsets = objects.endpoints.flatMap(({ object }) =>
    object.metadata.namespace === namespace && object.metadata.name === name
      ? object.subsets.flatMap(({ addresses }) =>
          addresses.flatMap(({ hostname }) => hostname ?? []),
        )
      : [],
  );
  const ofSets = objects.workloads.flatMap(({ object }) => {
    const isUnder =
      object.kind === "StatefulSet" &&
      object.spec.serviceName === name &&
      object.metadata.namespace === namespace;
    return isUnder ? [object.metadata.name] : [];
  });
  return { own: [...ofPods, ...ofSlices, ...ofSubsets], ofSets };
}

function atPort(service: Service, port: number, mistakes: FileMistakes): ServiceTarget | null {
  const { ports } = service.spec;
  const isHeadless = service.spec.clusterIP === "None";
  // Nothing translates the port of a headless Service: it is the pod's.
  const own = ports.find((each) => port === each.port || (isHeadless && port === each.targetPort));
  if (own === undefined && !isHeadless) {
    const known = ports.map((each) => each.port).join(", ");
    mistakes.add([], `no port ${port} in ${objectKey(service)}`, `one of the ports ${known}`);
    return null;
  }
  const protocol = own?.protocol ?? "TCP";
  return { service: objectKey(service), port, protocol, via: "dns", node: null };
}

function atNamedPort(
  service: Service,
  wanted: string,
  protocol: string,
  mistakes: FileMistakes,
): ServiceTarget | null {
  const { ports } = service.spec;
  const named = ports.filter(({ name }) => name !== null);
  const own = named.find(
    (each) => each.name === wanted && each.protocol.toLowerCase() === protocol,
  );
  if (own === undefined) {
    const known = named.map((each) => `_${each.name}._${each.protocol.toLowerCase()}`);
    const found = `no port _${wanted}._${protocol} in ${objectKey(service)}`;
    const allowed = `one of ${known.join(", ") || "its ports by number: none has a name"}`;
    mistakes.add([], found, allowed, nearest(`_${wanted}._${protocol}`, known));
    return null;
  }
  // The record says which port it is.
  const { port } = own;
  return { service: objectKey(service), port, protocol: own.protocol, via: "dns", node: null };
}

/** Reports a Service that has no address of its own, with the way that leads to it if there is one. */
export function refuseWithoutAddress(
  service: Service,
  services: readonly Service[],
  zone: string | null,
  mistakes: FileMistakes,
): void {
  const { name, namespace } = service.metadata;
  const isExternal = service.spec.type === "ExternalName";
  const key = objectKey(service);
  const end =
    zone === null ? undefined : serviceNamed(`${name}.${namespace}.svc.${zone}`, services, zone);
  if (isExternal && zone !== null && end?.spec.type === "ExternalName") {
    refuseOutside(service, mistakes);
    return;
  }
  const kind = isExternal ? "an ExternalName" : "a headless Service";
  const found = `${key} is ${kind}, which only DNS leads to`;
  mistakes.add([], found, `"dns://${name}.${namespace}:PORT", with cluster.dns: {}`);
}

function refuseOutside({ metadata, spec }: Service, mistakes: FileMistakes): void {
  const { name, namespace } = metadata;
  const found = `${namespace}/${name} is an ExternalName for ${spec.externalName}, outside the cluster, where nothing answers`;
  const allowed = `lookup("${name}.${namespace}"), which dials nothing; or an ExternalName for a Service of this cluster, as "dns://${name}.${namespace}:PORT"`;
  mistakes.add([], found, allowed);
}
