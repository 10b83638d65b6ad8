/** Renderers of a node's rules, by the mode of kube-proxy: one line each. */
import type { ProxyModeName } from "../../kubernetes/proxy/modes/index.ts";
import type { RuleRenderer } from "./contract.ts";
import { iptables } from "./iptables.ts";
import { ipvs } from "./ipvs.ts";
import { nftables } from "./nftables.ts";

/** A mode without a renderer does not compile; eBPF's maps have none. */
const members = { iptables, ipvs, nftables, ebpf: null } satisfies Readonly<
  Record<ProxyModeName, RuleRenderer | null>
>;

export const ruleRenderers: Readonly<Record<ProxyModeName, RuleRenderer | null>> = members;

/** The modes that have one. */
export const renderedModes: readonly string[] = Object.keys(members).filter(
  (mode) => members[mode as ProxyModeName] !== null,
);
