/** The modes of kube-proxy, as `mode` of its configuration names them: one line each. */
import type { ProxyMode } from "../contract.ts";
import { ebpf } from "./ebpf.ts";
import { iptables } from "./iptables.ts";
import { ipvs } from "./ipvs.ts";
import { nftables } from "./nftables.ts";

export const proxyModes = {
  iptables,
  nftables,
  ipvs,
  ebpf,
} satisfies Readonly<Record<string, ProxyMode>>;

export type ProxyModeName = keyof typeof proxyModes;
