/**
 * What a node has programmed, as rules that can be printed and walked.
 *
 * Owns: the contract of the renderers in this folder, one for each mode of kube-proxy (index.ts lists
 * them), and the shape of tables, chains and rules. Refuses to own: how a packet is decided in a run:
 * that is kubernetes/proxy/route.ts, which these rules are held against by test/inspect.
 */
import type { ProgrammedRules, TableSize } from "../../kubernetes/proxy/contract.ts";
import type { KubeProxyProfile } from "../../kubernetes/proxy/profile.ts";
import type { NodeView } from "../../kubernetes/proxy/route.ts";
import type { RuleTable } from "../../kubernetes/proxy/rules.ts";
import type { AddressId } from "../../network/address.ts";
import type { TransportProtocolNumber } from "../../network/nat.ts";

/** The model's state that rules are rendered from. */
export interface Programmed {
  readonly table: RuleTable;
  readonly view: NodeView;
  readonly size: TableSize;
  readonly profile: KubeProxyProfile;
  /** What the mode keeps in the kernel beside the table; null where nothing runs. */
  readonly kernel: ProgrammedRules | null;
  /** Addresses of the node itself, loopback not among them. */
  readonly ownAddresses: readonly AddressId[];
  readonly family: 4 | 6;
}

/** The hooks of netfilter that kube-proxy's chains hang on. */
export type Hook = "prerouting" | "input" | "forward" | "output" | "postrouting";

/** A first packet on its way through the rules. */
export interface WalkedPacket {
  readonly protocol: TransportProtocolNumber;
  readonly source: AddressId;
  destination: AddressId;
  destinationPort: number;
  /** Carries the mark 0x4000: to be masqueraded. */
  isMarked: boolean;
  /** "ip:port" of the endpoint that chance or memory picks. */
  readonly chosen: string | null;
  /** It is picked by session affinity, not by chance. */
  readonly isRemembered: boolean;
}

export type Action =
  | { readonly kind: "jump" | "goto"; readonly chain: string }
  | { readonly kind: "dnat"; readonly address: AddressId; readonly port: number }
  | {
      readonly kind:
        | "mark"
        | "unmark"
        | "masquerade"
        | "return"
        | "accept"
        | "drop"
        | "reject"
        /** It matches and changes nothing that shows here. */
        | "continue";
    };

export interface Rule {
  /** As the tool prints it. */
  readonly text: string;
  /** null: it does not match. */
  readonly apply: (packet: WalkedPacket) => Action | null;
}

export interface Chain {
  readonly name: string;
  /** Base chains only. */
  readonly hook: Hook | null;
  readonly rules: Rule[];
  readonly comment?: string;
}

export interface Table {
  /** "nat" and "filter", or nftables' "kube-proxy". */
  readonly name: string;
  readonly chains: ReadonlyMap<string, Chain>;
}

/** Base chains of one hook in the order of their priorities. */
export interface Ruleset {
  readonly tables: readonly Table[];
  readonly hooks: Readonly<Record<Hook, readonly (readonly [table: Table, chain: Chain])[]>>;
  /** Addresses that are the node's beside its own: those of kube-ipvs0. Absent: none. */
  readonly isLocal?: (address: AddressId) => boolean;
  /** What the tool prints, line by line. */
  readonly lines: readonly string[];
}

export interface RuleRenderer {
  /** The tool whose output it is, for each IP family. */
  readonly tool: Readonly<Record<4 | 6, string>>;
  /** Names of hooks that are not netfilter's. */
  readonly hookNames?: Partial<Readonly<Record<Hook, string>>>;
  render(programmed: Programmed): Ruleset;
}
