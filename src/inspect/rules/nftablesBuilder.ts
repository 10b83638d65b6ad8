/**
 * A table of nftables being filled, with its text as `nft list ruleset` prints it.
 *
 * Owns: sets, maps and chains and their looks. Refuses to own: what is in them (nftables.ts).
 */
import type { DurationNs } from "../../engine/index.ts";
import type { Action, Chain, Hook, Ruleset, Table, WalkedPacket } from "./contract.ts";

interface SetText {
  readonly kind: "set" | "map";
  readonly lines: readonly string[];
  /** Element as printed, by its key; with what a map does. */
  readonly elements: Map<string, { readonly text: string; readonly action: Action | null }>;
}

type Test = (packet: WalkedPacket) => boolean;

export class NftablesBuilder {
  readonly #family: 4 | 6;
  readonly #sets = new Map<string, SetText>();
  readonly #chains = new Map<string, Chain>();
  /** The line that makes a chain a base chain. */
  readonly #heads = new Map<string, string>();

  constructor(family: 4 | 6) {
    this.#family = family;
  }

  set(name: string, type: string, comment: string): void {
    this.#sets.set(name, {
      kind: "set",
      lines: [`type ${type}`, `comment "${comment}"`],
      elements: new Map(),
    });
  }

  map(name: string, type: string, comment: string): void {
    this.#sets.set(name, {
      kind: "map",
      lines: [`type ${type}`, `comment "${comment}"`],
      elements: new Map(),
    });
  }

  /** The set of clients that an endpoint is to serve again. 65535 is the kernel's own limit. */
  affinity(name: string, timeoutNs: DurationNs): void {
    const type = this.#family === 4 ? "ipv4_addr" : "ipv6_addr";
    this.#sets.set(name, {
      kind: "set",
      lines: [
        `type ${type}`,
        "size 65535",
        "flags dynamic,timeout",
        `timeout ${timeText(timeoutNs)}`,
      ],
      elements: new Map(),
    });
  }

  element(set: string, key: string): void {
    this.#sets.get(set)!.elements.set(key, { text: key, action: null });
  }

  entry(map: string, key: string, action: Action, comment?: string): void {
    const verdict = "chain" in action ? `${action.kind} ${action.chain}` : action.kind;
    const about = comment === undefined ? "" : ` comment "${comment}"`;
    this.#sets.get(map)!.elements.set(key, { text: `${key}${about} : ${verdict}`, action });
    if ("chain" in action) this.chain(action.chain);
  }

  base(name: string, type: string, hook: Hook, priority: string): void {
    this.#heads.set(name, `type ${type} hook ${hook} priority ${priority}; policy accept;`);
    this.#chains.set(name, { name, hook, rules: [] });
  }

  chain(name: string, comment?: string): Chain {
    let chain = this.#chains.get(name);
    if (chain === undefined) {
      chain = { name, hook: null, rules: [], ...(comment !== undefined && { comment }) };
      this.#chains.set(name, chain);
    }
    return chain;
  }

  rule(chain: string, text: string, action: Action, test: Test = () => true): void {
    this.chain(chain).rules.push({ text, apply: (packet) => (test(packet) ? action : null) });
  }

  jump(
    chain: string,
    match: string,
    kind: "jump" | "goto",
    to: string,
    test?: Test,
    comment?: string,
  ): void {
    const about = comment === undefined ? "" : ` comment "${comment}"`;
    const text = `${match === "" ? "" : `${match} `}${kind} ${to}${about}`;
    this.rule(chain, text, { kind, chain: to }, test);
    this.chain(to);
  }

  /** A verdict map asked by the packet's key. */
  lookup(
    chain: string,
    match: string,
    map: string,
    keyOf: (packet: WalkedPacket) => string | null,
  ): void {
    const { elements } = this.#sets.get(map)!;
    this.chain(chain).rules.push({
      text: `${match} @${map}`,
      apply: (packet) => {
        const key = keyOf(packet);
        return key === null ? null : (elements.get(key)?.action ?? null);
      },
    });
  }

  choose(chain: string, text: string, chosen: (packet: WalkedPacket) => string): void {
    this.chain(chain).rules.push({
      text,
      apply: (packet) => ({ kind: "goto", chain: chosen(packet) }),
    });
  }

  ruleset(): Ruleset {
    const table: Table = { name: "kube-proxy", chains: this.#chains };
    const hooked = (...names: readonly string[]) =>
      names.map((name) => [table, this.#chains.get(name)!] as const);
    return {
      tables: [table],
      hooks: {
        prerouting: hooked("filter-prerouting-pre-dnat", "nat-prerouting"),
        input: hooked("filter-input"),
        forward: hooked("filter-forward"),
        output: hooked("filter-output-pre-dnat", "nat-output", "filter-output"),
        postrouting: hooked("nat-postrouting"),
      },
      lines: this.#lines(),
    };
  }

  #lines(): string[] {
    const blocks = [
      ...[...this.#sets].map(([name, set]) => setLines(name, set)),
      ...[...this.#chains.values()].map((chain) => this.#chainLines(chain)),
    ];
    const body = blocks.flatMap((lines, i) => [
      ...(i === 0 ? [] : [""]),
      ...lines.map((line) => `\t${line}`),
    ]);
    const family = this.#family === 4 ? "ip" : "ip6";
    return [`table ${family} kube-proxy {`, '\tcomment "rules for kube-proxy"', ...body, "}"];
  }

  #chainLines({ name, rules, comment }: Chain): string[] {
    const head = this.#heads.get(name);
    return [
      `chain ${name} {`,
      ...(comment === undefined ? [] : [`\tcomment "${comment}"`]),
      ...(head === undefined ? [] : [`\t${head}`]),
      ...rules.map(({ text }) => `\t${text}`),
      "}",
    ];
  }
}

/** Elements stand under one another, as nft sets them. */
function setLines(name: string, { kind, lines, elements }: SetText): string[] {
  const texts = [...elements.values()].map(({ text }) => text);
  const listed = `elements = { ${texts.join(",\n\t\t     ")} }`;
  return [
    `${kind} ${name} {`,
    ...lines.map((line) => `\t${line}`),
    ...(texts.length === 0 ? [] : `\t${listed}`.split("\n")),
    "}",
  ];
}

/** "3h", "1d2h3m4s". */
function timeText(ns: DurationNs): string {
  let seconds = Math.floor(ns / 1e9);
  let text = "";
  for (const [unit, size] of [
    ["d", 86_400],
    ["h", 3600],
    ["m", 60],
    ["s", 1],
  ] as const) {
    const whole = Math.floor(seconds / size);
    if (whole > 0) text += `${whole}${unit}`;
    seconds -= whole * size;
  }
  return text;
}
