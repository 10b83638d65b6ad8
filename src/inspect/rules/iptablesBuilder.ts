/**
 * Tables of iptables being filled, each rule with its text as iptables-save prints it.
 *
 * Owns: the order of a rule's parts, of chains and of tables; the common matches (addresses, protocol,
 * port). Refuses to own: which rules there are (iptables.ts).
 */
import type { AddressId, AddressTable, Prefix } from "../../network/address.ts";
import { parsePrefix } from "../../network/address.ts";
import { TransportProtocol } from "../../network/nat.ts";
import type { Action, Chain, Hook, Rule, Ruleset, Table, WalkedPacket } from "./contract.ts";
import { hostPrefix, prefixText } from "./names.ts";

export interface AddressMatch {
  readonly text: string;
  readonly negated: boolean;
}

export interface RuleSpec {
  readonly source?: AddressMatch | undefined;
  readonly destination?: AddressMatch | undefined;
  /** "tcp", "udp" or "sctp". */
  readonly protocol?: string;
  readonly port?: number;
  /** Matches in front of the comment. */
  readonly before?: readonly string[];
  readonly comment?: string;
  /** Matches behind it. */
  readonly matches?: readonly string[];
  /** What `before` and `matches` come to for a first packet; absent: they match. */
  readonly test?: (packet: WalkedPacket) => boolean;
  /** "-j DROP"; empty for a rule without. */
  readonly target: string;
  readonly action: Action;
}

/** iptables.masqueradeBit 14: value and mask. */
export const MASQUERADE_MARK = "0x4000/0x4000";

const BUILT_IN = {
  filter: ["INPUT", "FORWARD", "OUTPUT"],
  nat: ["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"],
} as const;

type TableName = keyof typeof BUILT_IN;

export class IptablesBuilder {
  /** What REJECT answers with, by the family's ICMP. */
  readonly rejectWith: string;
  /** What `recent` compares of an address: all of it. */
  readonly recentMask: string;
  readonly #addresses: AddressTable;
  readonly #tables: Readonly<Record<TableName, Map<string, Chain>>> = {
    filter: new Map(),
    nat: new Map(),
  };

  constructor(addresses: AddressTable, family: 4 | 6) {
    this.#addresses = addresses;
    this.rejectWith = family === 4 ? "icmp-port-unreachable" : "icmp6-port-unreachable";
    const mask = family === 4 ? "255.255.255.255" : Array(8).fill("ffff").join(":");
    this.recentMask = `--mask ${mask} --rsource`;
    for (const table of ["filter", "nat"] as const) {
      for (const name of BUILT_IN[table]) {
        this.#tables[table].set(name, { name, hook: name.toLowerCase() as Hook, rules: [] });
      }
    }
  }

  host(address: AddressId): AddressMatch {
    return { text: hostPrefix(this.#addresses, address), negated: false };
  }

  prefix(prefix: Prefix, negated: boolean): AddressMatch {
    return { text: prefixText(prefix), negated };
  }

  /** The chain is there, with or without rules. */
  chain(table: TableName, name: string): Chain {
    let chain = this.#tables[table].get(name);
    if (chain === undefined) {
      chain = { name, hook: null, rules: [] };
      this.#tables[table].set(name, chain);
    }
    return chain;
  }

  add(table: TableName, chain: string, spec: RuleSpec): void {
    this.chain(table, chain).rules.push(this.#rule(spec));
  }

  /** KUBE-MARK-MASQ, and what becomes of the mark in KUBE-POSTROUTING. */
  addMasquerading(): void {
    this.add("nat", "KUBE-MARK-MASQ", {
      target: `-j MARK --set-xmark ${MASQUERADE_MARK}`,
      action: { kind: "mark" },
    });
    this.add("nat", "KUBE-POSTROUTING", {
      matches: [`-m mark ! --mark ${MASQUERADE_MARK}`],
      test: ({ isMarked }) => !isMarked,
      target: "-j RETURN",
      action: { kind: "return" },
    });
    this.add("nat", "KUBE-POSTROUTING", {
      target: "-j MARK --set-xmark 0x4000/0x0",
      action: { kind: "unmark" },
    });
    this.add("nat", "KUBE-POSTROUTING", {
      comment: "kubernetes service traffic requiring SNAT",
      target: "-j MASQUERADE --random-fully",
      action: { kind: "masquerade" },
    });
  }

  ruleset(): Ruleset {
    const filter = inOrder("filter", this.#tables.filter);
    const nat = inOrder("nat", this.#tables.nat);
    const hooked = (hook: string): (readonly [Table, Chain])[] =>
      // nat's INPUT holds nothing of kube-proxy's.
      [nat, filter].flatMap((table) => {
        const chain = table.chains.get(hook);
        return chain === undefined ? [] : [[table, chain] as const];
      });
    return {
      tables: [filter, nat],
      hooks: {
        prerouting: hooked("PREROUTING"),
        input: hooked("INPUT"),
        forward: hooked("FORWARD"),
        output: hooked("OUTPUT"),
        postrouting: hooked("POSTROUTING"),
      },
      lines: [filter, nat].flatMap(saved),
    };
  }

  #rule(spec: RuleSpec): Rule {
    const source = this.#addressTest(spec.source);
    const destination = this.#addressTest(spec.destination);
    const { test, port, action } = spec;
    const protocol =
      spec.protocol === undefined
        ? null
        : TransportProtocol[spec.protocol.toUpperCase() as keyof typeof TransportProtocol];
    const matches = (packet: WalkedPacket): boolean =>
      source(packet.source) &&
      destination(packet.destination) &&
      (protocol === null || packet.protocol === protocol) &&
      (port === undefined || packet.destinationPort === port) &&
      (test?.(packet) ?? true);
    return { text: ruleText(spec), apply: (packet) => (matches(packet) ? action : null) };
  }

  #addressTest(match: AddressMatch | undefined): (address: AddressId) => boolean {
    if (match === undefined) return () => true;
    const prefix = parsePrefix(match.text);
    return (address) => this.#addresses.contains(prefix, address) !== match.negated;
  }
}

/** The parts in the order in which iptables-save prints them. */
function ruleText(spec: RuleSpec): string {
  const { source, destination, protocol, port, before = [], comment, matches = [], target } = spec;
  const own = port === undefined ? `-m ${protocol}` : `-m ${protocol} --dport ${port}`;
  return [
    addressText("-s", source),
    addressText("-d", destination),
    protocol === undefined ? "" : `-p ${protocol}`,
    ...before,
    comment === undefined ? "" : `-m comment --comment ${quoted(comment)}`,
    ...matches,
    protocol === undefined ? "" : own,
    target,
  ]
    .filter((part) => part !== "")
    .join(" ");
}

function addressText(option: string, match: AddressMatch | undefined): string {
  if (match === undefined || (match.text.endsWith("/0") && !match.negated)) return "";
  return `${match.negated ? "! " : ""}${option} ${match.text}`;
}

/** xtables_save_string: in quotes unless every character is harmless, with a backslash before quotes. */
function quoted(text: string): string {
  return /^[\w-]+$/.test(text) ? text : `"${text.replaceAll(/["'\\]/g, String.raw`\$&`)}"`;
}

/** Built-in chains first, then the others by name. */
function inOrder(name: TableName, chains: ReadonlyMap<string, Chain>): Table {
  const all = [...chains.values()];
  const builtIn = all.filter(({ hook }) => hook !== null);
  const own = all.filter(({ hook }) => hook === null).sort((a, b) => (a.name < b.name ? -1 : 1));
  return { name, chains: new Map([...builtIn, ...own].map((chain) => [chain.name, chain])) };
}

function saved({ name, chains }: Table): string[] {
  const all = [...chains.values()];
  return [
    `*${name}`,
    ...all.map(({ name: chain, hook }) => `:${chain} ${hook === null ? "-" : "ACCEPT"} [0:0]`),
    ...all.flatMap(({ name: chain, rules }) =>
      rules.map(({ text }) => `-A ${chain}${text === "" ? "" : ` ${text}`}`),
    ),
    "COMMIT",
  ];
}
