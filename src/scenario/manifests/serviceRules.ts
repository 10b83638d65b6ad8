/**
 * Which fields of a Service go together.
 *
 * Owns: the checks of the API server on one Service by itself. Source: Kubernetes
 * pkg/apis/core/validation/validation.go, ValidateService and what it calls. Refuses to own: single
 * fields (service.ts), and what depends on the cluster (../allocate.ts).
 */
import { familyOf } from "../../kubernetes/api/types.ts";
import type { FileMistakes } from "../mistakes.ts";
import { whySpecial } from "./addresses.ts";
import type { WrittenService } from "./service.ts";

type WrittenSpec = WrittenService["spec"];

/** Port of the kubelet: a load balancer in front of it would open every node. */
const KUBELET_PORT = 10_250;

export function checkServiceFields({ spec, status }: WrittenService, mistakes: FileMistakes): void {
  const own = mistakes.within(["spec"]);
  checkType(spec, own);
  checkPorts(spec, own);
  checkClusterIPs(spec, own);
  checkExternalIPs(spec, own);
  checkAffinity(spec, own);
  checkExternalTraffic(spec, own);
  checkLoadBalancer(spec, own);
  for (const [index, { ip, ipMode }] of (status?.loadBalancer?.ingress ?? []).entries()) {
    if (ip !== undefined || ipMode === undefined) continue;
    const path = ["status", "loadBalancer", "ingress", index, "ipMode"];
    mistakes.add(path, `"${ipMode}" without ip`, "ipMode beside ip only");
  }
}

function typeOf(spec: WrittenSpec): string {
  return spec.type ?? "ClusterIP";
}

function checkType(spec: WrittenSpec, mistakes: FileMistakes): void {
  const type = typeOf(spec);
  if (type === "ExternalName") {
    if (spec.externalName === undefined) mistakes.add(["externalName"], "missing", "a DNS name");
    for (const field of ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] as const) {
      if (spec[field] === undefined || spec[field].length === 0) continue;
      mistakes.add([field], "on an ExternalName Service", "no such field");
    }
  } else if (spec.externalName !== undefined) {
    mistakes.add(["externalName"], `on a ${type} Service`, 'type "ExternalName"');
  }
  const isHeadless = spec.clusterIP === "None";
  if (isHeadless && (type === "NodePort" || type === "LoadBalancer")) {
    mistakes.add(["clusterIP"], `"None" on a ${type} Service`, 'type "ClusterIP"');
  }
}

function checkPorts(spec: WrittenSpec, mistakes: FileMistakes): void {
  const ports = spec.ports ?? [];
  const type = typeOf(spec);
  if (ports.length === 0 && spec.clusterIP !== "None" && type !== "ExternalName") {
    mistakes.add(["ports"], "no port", "at least one port");
  }
  const names = new Set<string>();
  const numbers = new Set<string>();
  const nodePorts = new Set<string>();
  for (const [index, { name, port, protocol = "TCP", nodePort = null }] of ports.entries()) {
    const own = mistakes.within(["ports", index]);
    const number = `${port}/${protocol}`;
    if (numbers.has(number)) own.add(["port"], `a second port ${number}`, "unique ports");
    numbers.add(number);
    if (name === undefined && ports.length > 1) {
      own.add(["name"], "missing", "a name for each of several ports");
    } else if (name !== undefined && names.has(name)) {
      own.add(["name"], `a second port "${name}"`, "unique names");
    }
    names.add(name ?? "");
    if (type === "LoadBalancer" && port === KUBELET_PORT) {
      own.add(["port"], `${port} is the kubelet's`, "another port");
    }
    if (nodePort === null) continue;
    if (type !== "NodePort" && type !== "LoadBalancer") {
      own.add(["nodePort"], `a node port on a ${type} Service`, 'type "NodePort"');
    } else if (nodePorts.has(`${nodePort}/${protocol}`)) {
      own.add(["nodePort"], `a second node port ${nodePort}/${protocol}`, "unique node ports");
    }
    nodePorts.add(`${nodePort}/${protocol}`);
  }
}

/** ValidateServiceClusterIPsRelatedFields. */
function checkClusterIPs(spec: WrittenSpec, mistakes: FileMistakes): void {
  const { clusterIP, clusterIPs = [], ipFamilies = [], ipFamilyPolicy } = spec;
  if (typeOf(spec) === "ExternalName") return;
  if (clusterIPs.length > 0 && !clusterIP) {
    mistakes.add(["clusterIPs"], "without clusterIP", "clusterIP with the first of them");
  } else if (clusterIPs.length > 0 && clusterIPs[0] !== clusterIP) {
    const found = `${clusterIPs[0]} first, while clusterIP is ${clusterIP}`;
    mistakes.add(["clusterIPs"], found, "the same address first");
  }
  if (clusterIPs.length > 1 && clusterIPs.includes("None")) {
    mistakes.add(["clusterIPs"], '"None" with others', '"None" alone');
    return;
  }
  const addresses = clusterIPs.length > 0 ? clusterIPs : clusterIP ? [clusterIP] : [];
  for (const [field, values] of [
    ["clusterIPs", addresses.filter((each) => each !== "None").map(familyOf)],
    ["ipFamilies", ipFamilies],
  ] as const) {
    if (values.length > 2 || new Set(values).size < values.length) {
      mistakes.add([field], `${values.join(", ")}`, "at most one of each IP family");
    }
  }
  for (const [index, address] of addresses.entries()) {
    const wanted = ipFamilies[index];
    if (address === "None" || wanted === undefined || familyOf(address) === wanted) continue;
    const path = clusterIPs.length > 0 ? ["clusterIPs", index] : ["clusterIP"];
    mistakes.add(path, address, `an ${wanted} address, as ipFamilies[${index}] says`);
  }
  const isHeadlessAlone = clusterIP === "None" && spec.selector === undefined;
  const isSingle =
    ipFamilyPolicy === "SingleStack" || (ipFamilyPolicy === undefined && !isHeadlessAlone);
  if (isSingle && (addresses.length > 1 || ipFamilies.length > 1)) {
    const found = `${ipFamilyPolicy ?? "missing, so SingleStack,"} with two ${addresses.length > 1 ? "cluster IPs" : "IP families"}`;
    mistakes.add(["ipFamilyPolicy"], found, '"PreferDualStack", "RequireDualStack"');
  }
}

function checkExternalIPs({ externalIPs = [] }: WrittenSpec, mistakes: FileMistakes): void {
  for (const [index, address] of externalIPs.entries()) {
    const why = whySpecial(address);
    if (why === null) continue;
    mistakes.add(
      ["externalIPs", index],
      `${address} is ${why}`,
      "an address that packets can be sent to",
    );
  }
}

function checkAffinity(spec: WrittenSpec, mistakes: FileMistakes): void {
  if (spec.sessionAffinity === "ClientIP" || spec.sessionAffinityConfig === undefined) return;
  mistakes.add(["sessionAffinityConfig"], "without session affinity", 'sessionAffinity "ClientIP"');
}

/** validateServiceExternalTrafficPolicy. */
function checkExternalTraffic(spec: WrittenSpec, mistakes: FileMistakes): void {
  const type = typeOf(spec);
  const hasExternalIPs = type === "ClusterIP" && (spec.externalIPs ?? []).length > 0;
  const isExternal = type === "NodePort" || type === "LoadBalancer" || hasExternalIPs;
  if (spec.externalTrafficPolicy !== undefined && !isExternal) {
    const found = `"${spec.externalTrafficPolicy}" on a ${type} Service without external IPs`;
    mistakes.add(
      ["externalTrafficPolicy"],
      found,
      'type "NodePort", "LoadBalancer", or externalIPs',
    );
  }
  const isChecked = type === "LoadBalancer" && spec.externalTrafficPolicy === "Local";
  if (typeof spec.healthCheckNodePort === "number" && !isChecked) {
    const allowed = 'type "LoadBalancer" with externalTrafficPolicy "Local"';
    mistakes.add(["healthCheckNodePort"], `${spec.healthCheckNodePort}`, allowed);
  }
}

function checkLoadBalancer(spec: WrittenSpec, mistakes: FileMistakes): void {
  const type = typeOf(spec);
  if (type === "LoadBalancer") return;
  const fields = [
    "allocateLoadBalancerNodePorts",
    "loadBalancerClass",
    "loadBalancerSourceRanges",
  ] as const;
  for (const field of fields) {
    if (spec[field] !== undefined)
      mistakes.add([field], `on a ${type} Service`, 'type "LoadBalancer"');
  }
}
