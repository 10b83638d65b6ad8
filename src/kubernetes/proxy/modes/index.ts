/** The modes of kube-proxy: one line each. */
import type { ProxyMode } from "../contract.ts";
import type { ProxyModeName } from "../profile.ts";
import { iptables } from "./iptables.ts";
import { nftables } from "./nftables.ts";

export const proxyModes: Readonly<Record<ProxyModeName, ProxyMode>> = { iptables, nftables };
