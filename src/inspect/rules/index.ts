/** Renderers of a node's rules, by the mode of kube-proxy: one line each. */
import type { ProxyModeName } from "../../kubernetes/proxy/modes/index.ts";
import type { RuleRenderer } from "./contract.ts";
import { ebpf } from "./ebpf.ts";
import { iptables } from "./iptables.ts";
import { ipvs } from "./ipvs.ts";
import { nftables } from "./nftables.ts";

/** A mode without a renderer does not compile. */
export const ruleRenderers: Readonly<Record<ProxyModeName, RuleRenderer>> = {
  ebpf,
  iptables,
  ipvs,
  nftables,
};
