/**
 * A kube-proxy mode: what programming costs, and how its rules decide a first packet.
 *
 * Owns: the contract of the members in modes/; modes/index.ts lists them.
 */
import type { DurationNs, RandomStream } from "../../engine/index.ts";
import type { Prefix, AddressTable } from "../../network/address.ts";
import type { NatRules } from "../../network/nat.ts";
import type { KubeProxyProfile } from "./profile.ts";
import type { RuleEndpoint, RuleTable } from "./rules.ts";

/** How large a node's tables are, for what a sync costs. */
export interface TableSize {
  readonly services: number;
  readonly endpoints: number;
}

/** What the rules of a node need beside the table. */
export interface DataPlane {
  readonly table: RuleTable;
  readonly size: () => TableSize;
  readonly profile: KubeProxyProfile;
  readonly addresses: AddressTable;
  /** Source addresses of pods (--cluster-cidr). */
  readonly podNetwork: Prefix;
  /** Draws the endpoint of each new connection. */
  readonly stream: RandomStream;
  /** For observations: socket `originSocket` was routed to `endpoint`. */
  readonly routed: (originSocket: number, endpoint: RuleEndpoint) => void;
}

export interface ProxyMode {
  syncNs(profile: KubeProxyProfile, size: TableSize, full: boolean): DurationNs;
  rules(dataPlane: DataPlane): NatRules;
}
