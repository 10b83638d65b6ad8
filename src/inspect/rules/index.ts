/** Renderers of a node's rules, by the mode of kube-proxy: one line each. */
import type { ProxyModeName } from "../../kubernetes/proxy/modes/index.ts";
import type { RuleRenderer } from "./contract.ts";
import { iptables } from "./iptables.ts";
import { nftables } from "./nftables.ts";

/** Not every mode has one: IPVS' virtual servers and eBPF's maps are no rules that a packet walks. */
export const ruleRenderers: Readonly<Partial<Record<ProxyModeName, RuleRenderer>>> = {
  iptables,
  nftables,
};
