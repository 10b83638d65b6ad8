/**
 * A first packet's way, as plain data.
 *
 * Owns: the record that a trace leaves, which `-o json` prints as it is. Times ending in Ns count from when
 * the packet left its socket, but for atNs of the whole.
 */
import type { DurationNs, SimTimeNs } from "../../engine/index.ts";
import { TransportProtocol, type TransportProtocolNumber } from "../../network/nat.ts";
import type { SocketError } from "../../network/socket.ts";
import type { MatchedRule } from "../rules/walk.ts";

export const protocolNames: Readonly<Record<TransportProtocolNumber, Trace["protocol"]>> = {
  [TransportProtocol.TCP]: "TCP",
  [TransportProtocol.UDP]: "UDP",
  [TransportProtocol.SCTP]: "SCTP",
};

/** "10.244.0.2:32768" to "10.96.0.1:8080". */
export interface Flow {
  readonly source: string;
  readonly destination: string;
}

interface Step {
  /** The namespace that it is in: "pod/web-0", "node/node-1", "outside/a", "switch". */
  readonly place: string;
  readonly afterNs: DurationNs;
}

export interface HopStep extends Step {
  readonly kind: "hop";
  readonly hop: string;
  readonly hopKind: string;
  /** In the queue, being sent, and under way. */
  readonly waitNs: DurationNs;
  readonly sendNs: DurationNs;
  readonly latencyNs: DurationNs;
}

/** A rule that matched, with the name of the hook: "FORWARD", "tc ingress", "connect()". */
export type TraceRule = Omit<MatchedRule, "hook"> & { readonly hook: string };

/** Rules that judged where the packet goes. */
interface Judged extends Step {
  readonly before: Flow;
  readonly after: Flow;
  /** Rules that matched, in their order, where kube-proxy's decided. */
  readonly rules: readonly TraceRule[];
  readonly verdict: "pass" | "drop" | "reject";
  /** Why it was dropped or rejected; empty for one that passed. */
  readonly cause: string;
}

/** connect(), before there is a packet: eBPF's rules at the socket. */
export interface ConnectStep extends Judged {
  readonly kind: "connect";
}

export interface NetfilterStep extends Judged {
  readonly kind: "netfilter";
  /** The hook at which the packet enters: of netfilter, or "tc ingress" and "tc egress" with eBPF. */
  readonly point: string;
  /** Not the connection's first packet for this conntrack table. */
  readonly isKnown: boolean;
  readonly walkNs: DurationNs;
}

export interface RouteStep extends Step {
  readonly kind: "route";
  /** Where it goes next: a place, or why nowhere. */
  readonly to: string;
}

export type TraceStep = ConnectStep | HopStep | NetfilterStep | RouteStep;

export interface Verdict {
  readonly kind: "delivered" | "dropped" | "rejected" | "under way";
  /** Where it was delivered or lost. */
  readonly place: string;
  readonly cause: string;
  readonly afterNs: DurationNs;
}

export interface Trace {
  readonly scenario: string;
  readonly seed: string;
  readonly atNs: SimTimeNs;
  readonly from: string;
  readonly to: string;
  readonly protocol: "TCP" | "UDP" | "SCTP";
  /** Address and port that the sender's application asked for. */
  readonly aimedAt: string;
  /** As the packet left its socket: connect() may have been given another destination. */
  readonly flow: Flow;
  readonly steps: readonly TraceStep[];
  readonly verdict: Verdict;
  /** What the sender was told; null: nothing in the time that was looked at. */
  readonly answer: {
    readonly outcome: "connected" | SocketError;
    readonly afterNs: DurationNs;
  } | null;
}
