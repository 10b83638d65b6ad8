/**
 * Network namespaces of the machine's own kernel, for tests that need root and the tools of netfilter.
 *
 * Owns: whether there can be any, making them, running programs in them, and taking them away. Names begin
 * with the test process's number: nothing else is ever touched.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";

const TOOLS = ["ip", "iptables-restore", "iptables-save", "ip6tables-restore", "nft"];

/** Why this machine cannot run the tests; null: it can. */
export function whyNot(): string | null {
  if (process.platform !== "linux") return "not Linux";
  if (process.getuid?.() !== 0) return "not root";
  const missing = TOOLS.filter((tool) => spawnSync(tool, ["--help"]).error !== undefined);
  if (missing.length > 0) return `not installed: ${missing.join(", ")}`;
  deleteLeftovers();
  const probe = `podstorm-${process.pid}-probe`;
  if (spawnSync("ip", ["netns", "add", probe]).status !== 0) return "no right to add a namespace";
  try {
    return whyNoRules(probe);
  } finally {
    spawnSync("ip", ["netns", "del", probe]);
  }
}

/** Namespaces of test processes that were killed before they could clean up. */
function deleteLeftovers(): void {
  const folder = "/run/netns";
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    const pid = /^podstorm-(\d+)-\w+$/.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) spawnSync("ip", ["netns", "del", name]);
  }
}

/** Containers often have the tools, but not the kernel's modules. */
function whyNoRules(namespace: string): string | null {
  const accepts = (tool: readonly string[], input: string): boolean =>
    spawnSync("ip", ["netns", "exec", namespace, ...tool], { input }).status === 0;
  const rules = [
    "-A OUTPUT -m recent --rcheck --name x -m comment --comment x -j ACCEPT",
    "-A OUTPUT -m statistic --mode random --probability 0.5 -j MARK --or-mark 0x1",
    "-A OUTPUT -m addrtype --dst-type LOCAL -p tcp -m tcp -j DNAT --to-destination 10.0.0.1:80",
  ];
  const iptables = ["*nat", ":OUTPUT ACCEPT [0:0]", ...rules, "COMMIT", ""].join("\n");
  if (!accepts(["iptables-restore"], iptables)) return "no iptables modules in the kernel";
  const nft = [
    "table ip x {",
    "chain c {",
    "type nat hook output priority -100",
    "numgen random mod 2 vmap { 0 : accept }",
    "}",
    "}",
    "",
  ].join("\n");
  return accepts(["nft", "-f", "-"], nft) ? null : "no nftables modules in the kernel";
}

/** Why it cannot load ipsets and rules that look into them; asked of a machine that can run the tests. */
export function whyNoSets(): string | null {
  if (spawnSync("ipset", ["--version"]).error !== undefined) return "not installed: ipset";
  const namespaces = new Namespaces();
  const probe = namespaces.add("sets");
  try {
    const types = ["hash:ip", "hash:ip,port", "hash:ip,port,ip", "hash:ip,port,net"];
    const makes = types.map((type, i) => ["ipset", "create", `s${i}`, type]);
    makes.push(["ipset", "create", "ports", "bitmap:port", "range", "0-65535"]);
    if (!makes.every((argv) => namespaces.accepts(probe, argv)))
      return "no ipset modules in the kernel";
    const rule =
      "iptables -A INPUT -m set --match-set s0 dst -m physdev ! --physdev-is-in -j REJECT";
    return namespaces.accepts(probe, rule.split(" ")) ? null : "no set match in the kernel";
  } finally {
    namespaces.delete();
  }
}

export class Namespaces {
  readonly #made: string[] = [];

  add(name: string): string {
    const whole = `podstorm-${process.pid}-${name}`;
    execFileSync("ip", ["netns", "add", whole]);
    this.#made.push(whole);
    this.run(whole, ["ip", "link", "set", "lo", "up"]);
    return whole;
  }

  /** @throws Error with what the program said, unless it ends with 0 */
  run(namespace: string, argv: readonly string[], input = ""): string {
    const ended = spawnSync("ip", ["netns", "exec", namespace, ...argv], {
      input,
      encoding: "utf8",
      maxBuffer: 2 ** 26,
    });
    if (ended.status === 0) return ended.stdout;
    throw new Error(`${argv.join(" ")}: ${ended.stderr}${ended.stdout}`);
  }

  accepts(namespace: string, argv: readonly string[]): boolean {
    return spawnSync("ip", ["netns", "exec", namespace, ...argv]).status === 0;
  }

  delete(): void {
    for (const name of this.#made.splice(0)) spawnSync("ip", ["netns", "del", name]);
  }
}
