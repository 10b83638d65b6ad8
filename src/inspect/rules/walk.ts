/**
 * A first packet's walk through rendered rules, hook by hook.
 *
 * Owns: following jumps as netfilter does, and which rules matched. Refuses to own: chance: who walks says
 * which endpoint is chosen, as the run has.
 */
import type { AddressId } from "../../network/address.ts";
import type { NatHookPoint } from "../../network/nat.ts";
import type { Action, Chain, Hook, Ruleset, Table, WalkedPacket } from "./contract.ts";

export interface MatchedRule {
  readonly hook: Hook;
  readonly table: string;
  readonly chain: string;
  readonly text: string;
}

export interface Walk {
  readonly matched: readonly MatchedRule[];
  /** "pass": whatever was done to it, it goes on. */
  readonly verdict: "pass" | "drop" | "reject";
  /** A rule accepted it in a filter chain. */
  readonly accepted: boolean;
  readonly masqueraded: boolean;
}

/** How a base chain ended: its policy is to accept. */
type End = "policy" | "accept" | "drop" | "reject" | "masquerade";

/** Where a packet meets the rules first. */
export function firstHook(point: NatHookPoint): Hook {
  return point === "PREROUTING" ? "prerouting" : "output";
}

export function walk(
  { hooks, isLocal }: Ruleset,
  point: NatHookPoint,
  packet: WalkedPacket,
  isOwn: (address: AddressId) => boolean,
): Walk {
  const matched: MatchedRule[] = [];
  let accepted = false;
  let masqueraded = false;
  const through = (hook: Hook, only: string | null = null): "drop" | "reject" | null => {
    for (const [table, chain] of hooks[hook]) {
      if (only !== null && table.name !== only) continue;
      const end = walkChain(table, chain, packet, ({ chain: own, text }) =>
        matched.push({ hook, table: table.name, chain: own, text }),
      );
      if (end === "drop" || end === "reject") return end;
      if (end === "masquerade") masqueraded = true;
      if (end === "accept" && table.name !== "nat") accepted = true;
    }
    return null;
  };
  let verdict = through(firstHook(point));
  const { destination } = packet;
  const comesIn = isOwn(destination) || (isLocal?.(destination) ?? false);
  // What is sent to the host itself comes in again over loopback, after POSTROUTING.
  for (const hook of verdict === null ? laterHooks(point, comesIn) : []) {
    verdict ??= through(hook);
  }
  // What IPVS has taken at INPUT it sends out again; conntrack knows its new destination, so nat's OUTPUT does not.
  if (verdict === null && point === "PREROUTING" && packet.destination !== destination) {
    verdict = through("output", "filter") ?? through("postrouting");
  }
  return { matched, verdict: verdict ?? "pass", accepted, masqueraded };
}

function laterHooks(point: NatHookPoint, isLocal: boolean): readonly Hook[] {
  if (point === "PREROUTING") return isLocal ? ["input"] : ["forward", "postrouting"];
  return isLocal ? ["postrouting", "input"] : ["postrouting"];
}

/**
 * @param matches told of each rule that matches
 * @returns how it ended; "policy" for one that fell off the end of a base chain
 */
function walkChain(
  table: Table,
  base: Chain,
  packet: WalkedPacket,
  matches: (rule: Pick<MatchedRule, "chain" | "text">) => void,
): End {
  const stack: { readonly chain: Chain; next: number }[] = [{ chain: base, next: 0 }];
  for (;;) {
    const at = stack.at(-1);
    if (at === undefined) return "policy";
    const rule = at.chain.rules[at.next++];
    if (rule === undefined) {
      stack.pop();
      continue;
    }
    const action = rule.apply(packet);
    if (action === null) continue;
    matches({ chain: at.chain.name, text: rule.text });
    switch (action.kind) {
      case "goto":
        stack.pop();
        stack.push({ chain: table.chains.get(action.chain)!, next: 0 });
        break;
      case "jump":
        stack.push({ chain: table.chains.get(action.chain)!, next: 0 });
        break;
      case "return":
        stack.pop();
        break;
      default: {
        const end = act(action, packet);
        if (end !== null) return end;
      }
    }
  }
}

function act(action: Exclude<Action, { chain: string }>, packet: WalkedPacket): End | null {
  switch (action.kind) {
    case "mark":
    case "unmark":
      packet.isMarked = action.kind === "mark";
      return null;
    case "dnat":
      packet.destination = action.address;
      packet.destinationPort = action.port;
      return "policy";
    case "return":
    case "continue":
      return null;
    default:
      return action.kind;
  }
}
