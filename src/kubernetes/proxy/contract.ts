/**
 * A kube-proxy mode: what programming costs, and how its rules decide a first packet.
 *
 * Owns: the contract of the members in modes/; modes/index.ts lists them.
 */
import type { DurationNs, RandomStream, Simulation } from "../../engine/index.ts";
import type { ConntrackEntry } from "../../network/conntrack.ts";
import type { EntryId } from "../../network/conntrackTable.ts";
import type {
  ConnectionWatcher,
  FirstPacket,
  NatRules,
  TransportProtocolNumber,
} from "../../network/nat.ts";
import type { KubeProxyProfile } from "./profile.ts";
import type { NodeView } from "./route.ts";
import type { RuleEndpoint, RuleTable, ServicePortRules } from "./rules.ts";

/** How large a node's tables are, for what a sync costs. */
export interface TableSize {
  readonly services: number;
  readonly endpoints: number;
}

/** What one sync writes. */
export interface SyncWork {
  /** The tables as they will be. */
  readonly size: TableSize;
  /** Service ports whose rules are written anew, and of their endpoints those that have come or gone. */
  readonly changedServices: number;
  readonly changedEndpoints: number;
  /** Endpoints of those Service ports: those that are there, changed or not, and those that have gone. */
  readonly rewrittenEndpoints: number;
  /** Everything is written, not only what changed. */
  readonly full: boolean;
  /** Endpoints that are gone and whose chains are still in the table (large-cluster mode). */
  readonly staleEndpoints: number;
}

/** The node's connection tracking, for a sync that cleans it up and a mode that keeps books of its own. */
export interface ConnectionTable {
  /** `conntrack -D -p`: deletes those entries of a protocol that are wanted; returns how many. */
  deleteEntries(
    protocol: TransportProtocolNumber,
    wanted: (entry: ConntrackEntry) => boolean,
  ): number;
  /** Whether an entry's time is up, though it has not been taken out yet. */
  isExpired(entry: EntryId): boolean;
  /** Takes an entry out: the flow's next packet is a first packet. */
  forget(entry: EntryId): void;
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
  /** null where nothing is tracked. */
  readonly connections: ConnectionTable | null;
  /** For observations: the socket that sent `packet` was routed to `endpoint`, by rules that took so long. */
  readonly routed: (packet: FirstPacket, endpoint: RuleEndpoint, walkNs: DurationNs) => void;
}

/** What a node's kube-proxy has programmed into its kernel. */
export interface ProgrammedRules {
  /** Judges first packets in netfilter, or at the NIC. */
  readonly nat: NatRules;
  /** Judges connect() of the node's sockets; null: the mode leaves them alone. */
  readonly socketNat: NatRules | null;
  /** Is told of connections; null for a mode that does not ask. */
  readonly watcher: ConnectionWatcher | null;
  /** One Service's rules have come into force in the place of `before`. */
  changed(before: readonly ServicePortRules[], after: readonly ServicePortRules[]): void;
}

/** The settings of kube-proxy that each mode has for itself, by upstream's names. */
export interface ModeSettings {
  readonly minSyncPeriodNs: DurationNs;
  readonly syncPeriodNs: DurationNs;
  readonly masqueradeAll: boolean;
  readonly localhostNodePorts: boolean;
  /** --nodeport-addresses where none is given; empty: every address. */
  readonly defaultNodePortAddresses: readonly string[];
}

export interface ProxyMode {
  settings(profile: KubeProxyProfile): ModeSettings;
  /** Above which number of endpoints chains of gone ones are only cleaned up each syncPeriod. */
  readonly hasLargeClusterMode: boolean;
  syncNs(profile: KubeProxyProfile, work: SyncWork): DurationNs;
  rules(dataPlane: DataPlane): ProgrammedRules;
}
