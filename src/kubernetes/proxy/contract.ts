/**
 * A kube-proxy mode: what programming costs, and how its rules decide a first packet.
 *
 * Owns: the contract of the members in modes/; modes/index.ts lists them.
 */
import type { DurationNs, RandomStream, Simulation } from "../../engine/index.ts";
import type { NatRules } from "../../network/nat.ts";
import type { KubeProxyProfile } from "./profile.ts";
import type { NodeView } from "./route.ts";
import type { RuleEndpoint, RuleTable } from "./rules.ts";

/** How large a node's tables are, for what a sync costs. */
export interface TableSize {
  readonly services: number;
  readonly endpoints: number;
}

/** What one sync writes. */
export interface SyncWork {
  /** The tables as they will be. */
  readonly size: TableSize;
  /** Service ports whose rules are written anew, and their endpoints. */
  readonly changedServices: number;
  readonly changedEndpoints: number;
  /** Everything is written, not only what changed. */
  readonly full: boolean;
}

/** What the rules of a node need beside the table. */
export interface DataPlane {
  readonly sim: Simulation;
  readonly table: RuleTable;
  readonly view: NodeView;
  readonly size: () => TableSize;
  readonly profile: KubeProxyProfile;
  /** Draws the endpoint of each new connection. */
  readonly stream: RandomStream;
  /** For observations: socket `originSocket` was routed to `endpoint`. */
  readonly routed: (originSocket: number, endpoint: RuleEndpoint) => void;
}

export interface ProxyMode {
  syncNs(profile: KubeProxyProfile, work: SyncWork): DurationNs;
  rules(dataPlane: DataPlane): NatRules;
}
