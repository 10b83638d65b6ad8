/**
 * The address ranges of a cluster, from the addresses that were read.
 *
 * Owns: podCIDR, serviceCIDR and nodeCIDR of the scenario, IPv4. Refuses to own: giving addresses.
 */
import { Address4 } from "ip-address";
import { parsePrefix, type Prefix } from "../../network/address.ts";
import { isRecord } from "../schema/reading.ts";
import { listAt, textAt } from "./json.ts";
import type { Subject } from "./subject.ts";

/** Fields of `cluster`, each only where it differs from the default. */
export type Ranges = Partial<Record<keyof typeof USUAL, string>>;

/** The scenario language's default, and what is taken where that overlaps with a range that was read. */
const USUAL = {
  podCIDR: ["10.244.0.0/16", "100.96.0.0/11", "10.0.0.0/11"],
  serviceCIDR: ["10.96.0.0/12", "172.20.0.0/16", "192.168.128.0/17"],
  nodeCIDR: ["172.18.0.0/16", "172.30.0.0/16", "192.168.0.0/17"],
} as const;
/** Pods of many nodes. */
const WIDE = ["10.128.0.0/9", "10.0.0.0/10", "100.64.0.0/10"];
const NODE_MASK = 24;
/** Nodes that the default pod range has a /24 for. */
const MOST_NARROW = 256;
/** A pod range is as narrow as the nodes allow; a service range as wide as Kubernetes' own. */
const WIDENING = [16, 15, 14, 13, 12, 11, 10, 9, 8];
const SERVICE_LENGTHS = [12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 11, 10];

/** @param more nodes that are generated */
export function rangesFor(subjects: readonly Subject[], more: number): Ranges {
  const nodes = subjects.filter(({ kind }) => kind === "Node");
  const podRanges = nodes.flatMap((node) => prefix(textAt(node.value, "spec", "podCIDR")));
  const clusterIPs = subjects
    .filter(({ kind }) => kind === "Service")
    .flatMap((each) => prefix(textAt(each.value, "spec", "clusterIP")));
  const hosts = nodes.flatMap((node) => prefix(internalAddress(node)));
  const podBits = NODE_MASK - Math.ceil(Math.log2(Math.max(nodes.length + more, 256)));
  const podCIDR = covering(podRanges, WIDENING.slice(WIDENING.indexOf(podBits)), hosts);
  const pods = podCIDR === null ? [] : [podCIDR];
  const serviceCIDR = covering(clusterIPs, SERVICE_LENGTHS, [...pods, ...hosts]);
  const read = { podCIDR, serviceCIDR, nodeCIDR: null };
  const taken = [...hosts, read.podCIDR, read.serviceCIDR].filter((each) => each !== null);
  const result: Ranges = {};
  for (const field of ["podCIDR", "serviceCIDR", "nodeCIDR"] as const) {
    const [standard, ...others] = USUAL[field];
    let cidr = read[field]?.text;
    if (cidr === undefined) {
      const isFree = (text: string) => taken.every((each) => !overlap(parsePrefix(text), each));
      const wide = field === "podCIDR" && nodes.length + more > MOST_NARROW;
      cidr = (wide ? WIDE : [standard, ...others]).find(isFree) ?? standard;
      taken.push(parsePrefix(cidr));
    }
    if (cidr !== standard) result[field] = cidr;
  }
  return result;
}

function overlap(a: Prefix, b: Prefix): boolean {
  return a.first <= b.last && b.first <= a.last;
}

/** The first of these prefix lengths whose range holds all and overlaps with nothing else; null for none. */
function covering(
  ranges: readonly Prefix[],
  lengths: readonly number[],
  others: readonly Prefix[],
): Prefix | null {
  if (ranges.length === 0) return null;
  const { first } = ranges.reduce((a, b) => (b.first < a.first ? b : a));
  const { last } = ranges.reduce((a, b) => (b.last > a.last ? b : a));
  for (const bits of lengths) {
    const size = 1n << BigInt(32 - bits);
    const start = (first / size) * size;
    if (last >= start + size) continue;
    const range = parsePrefix(`${Address4.fromBigInt(start).address}/${bits}`);
    if (others.every((other) => !overlap(range, other))) return range;
  }
  return null;
}

/** Of IPv4 only. */
function prefix(text: string | null): Prefix[] {
  if (text === null || !Address4.isValid(text)) return [];
  return [parsePrefix(text.includes("/") ? text : `${text}/32`)];
}

function internalAddress({ value }: Subject): string | null {
  const addresses = listAt(value, "status", "addresses").filter(isRecord);
  return textAt(
    addresses.find((each) => each["type"] === "InternalIP"),
    "address",
  );
}
