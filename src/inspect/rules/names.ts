/**
 * kube-proxy's names for chains, and addresses and probabilities as the kernel's tools write them.
 *
 * Owns: these texts. Source: portProtoHash and computeProbability of pkg/proxy/iptables/proxier.go,
 * hashAndTruncate and its callers of pkg/proxy/nftables/proxier.go; rules of kube-proxy, sections 5 and 9.
 */
import { createHash } from "node:crypto";
import { Address4, Address6 } from "ip-address";
import type { RuleEndpoint, ServicePortRules } from "../../kubernetes/proxy/rules.ts";
import type { AddressTable, AddressId, Prefix } from "../../network/address.ts";
import { TransportProtocol, type TransportProtocolNumber } from "../../network/nat.ts";

const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** The first characters of the base32 text of the SHA-256 of `text`. */
function hashed(text: string, characters: number): string {
  const bytes = createHash("sha256").update(text).digest();
  let bits = 0n;
  for (const byte of bytes) bits = (bits << 8n) | BigInt(byte);
  let encoded = "";
  for (let i = 1; i <= characters; i++) {
    encoded += BASE32[Number((bits >> BigInt(8 * bytes.length - 5 * i)) & 31n)];
  }
  return encoded;
}

const PROTOCOL_NAMES = new Map<number, string>(
  Object.entries(TransportProtocol).map(([name, number]) => [number, name.toLowerCase()]),
);

export function protocolName(protocol: TransportProtocolNumber): string {
  return PROTOCOL_NAMES.get(protocol)!;
}

export interface IptablesNames {
  readonly cluster: string;
  readonly local: string;
  readonly external: string;
  readonly firewall: string;
}

/** KUBE-SVC-, KUBE-SVL-, KUBE-EXT- and KUBE-FW- chains of a Service port. */
export function iptablesNames({ key, protocol }: ServicePortRules): IptablesNames {
  const hash = hashed(`${key}${protocolName(protocol)}`, 16);
  return {
    cluster: `KUBE-SVC-${hash}`,
    local: `KUBE-SVL-${hash}`,
    external: `KUBE-EXT-${hash}`,
    firewall: `KUBE-FW-${hash}`,
  };
}

export function iptablesEndpointName(
  { key, protocol }: ServicePortRules,
  { text }: RuleEndpoint,
): string {
  return `KUBE-SEP-${hashed(`${key}${protocolName(protocol)}${text}`, 16)}`;
}

/** Longest base of a name: NFT_NAME_MAXLEN less the longest prefix. */
const NFT_BASE_MAX = 240;

/** "ns/name/protocol/port" with 8 characters of its hash in front. */
function nftablesBase({ key, service, protocol }: ServicePortRules, suffix = ""): string {
  const name = `${service}/${protocolName(protocol)}/${key.slice(service.length + 1)}${suffix}`;
  const base = `${hashed(name, 8)}-${name}`;
  return base.length > NFT_BASE_MAX ? `${base.slice(0, NFT_BASE_MAX - 3)}...` : base;
}

export function nftablesNames(rules: ServicePortRules): IptablesNames {
  const base = nftablesBase(rules);
  return {
    cluster: `service-${base}`,
    local: `local-${base}`,
    external: `external-${base}`,
    firewall: `firewall-${base}`,
  };
}

/** Chain and affinity set of an endpoint. Colons are not allowed in names. */
export function nftablesEndpointNames(
  rules: ServicePortRules,
  { text, port }: RuleEndpoint,
): { readonly chain: string; readonly affinity: string } {
  const ip = text.slice(0, text.length - String(port).length - 1).replaceAll(/[[\]]/g, "");
  const base = nftablesBase(rules, `__${ip.replaceAll(":", ".")}/${port}`);
  return { chain: `endpoint-${base}`, affinity: `affinity-${base}` };
}

/** 1/n with ten decimals: what the rule with n candidates left is given. */
export function computeProbability(n: number): string {
  return (1 / n).toFixed(10);
}

/** The network of a prefix, without the host bits that it may have been written with. */
export function prefixText({ family, length, first }: Prefix): string {
  const address =
    family === 4 ? Address4.fromBigInt(first).address : Address6.fromBigInt(first).correctForm();
  return `${address}/${length}`;
}

/** "10.0.0.1/32". */
export function hostPrefix(addresses: AddressTable, address: AddressId): string {
  return `${addresses.text(address)}/${addresses.family(address) === 4 ? 32 : 128}`;
}
