/** The modes of kube-proxy, as `mode` of its configuration names them: one line each. */
import type { ProxyMode } from "../contract.ts";
import { iptables } from "./iptables.ts";
import { nftables } from "./nftables.ts";

export const proxyModes = {
  iptables,
  nftables,
} satisfies Readonly<Record<string, ProxyMode>>;

export type ProxyModeName = keyof typeof proxyModes;
