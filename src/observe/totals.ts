/**
 * The totals of a run, by subject: what a summary is computed from.
 *
 * Owns: the shapes. Each recorder fills the part it kept; everything is plain data. Refuses to own:
 * judging or formatting them (output/).
 */
import type { DurationNs, SimTimeNs } from "../engine/index.ts";
import type { OutcomeName } from "./observations.ts";

/** Quantiles of a duration over a population. */
export interface DurationQuantiles {
  readonly p50Ns: DurationNs;
  readonly p90Ns: DurationNs;
  readonly p99Ns: DurationNs;
  readonly maxNs: DurationNs;
}

/** All requests of one client to one Service. */
export interface ClientTotals {
  readonly client: string;
  /** A server that calls another to answer a request; absent for clients of the scenario. */
  readonly isCall?: true;
  readonly service: string;
  readonly started: number;
  readonly byOutcome: readonly { readonly outcome: OutcomeName; readonly count: number }[];
  /** Latency of served requests, retries included; null when none was served. */
  readonly servedLatency: DurationQuantiles | null;
  /** Tries beyond the first. */
  readonly retries: number;
  /** Requests whose last try went over a connection that was opened to an endpoint no longer usable. */
  readonly staleRouted: number;
  readonly staleRoutedFailed: number;
}

export type ChangeKind = "added" | "removed" | "condition";

/** Lag over every (change, node) pair of one kind that was programmed. */
export interface ChangeKindTotals {
  readonly change: ChangeKind;
  readonly changes: number;
  readonly programmed: number;
  /** null when no node programmed any. */
  readonly lag: DurationQuantiles | null;
  /** Over the changes of this kind. */
  readonly convergence: readonly ConvergenceTotals[];
  /** Mean over those pairs of what each stage took, which add up to the mean lag; null: none took it. */
  readonly stages: readonly { readonly stage: string; readonly meanNs: DurationNs | null }[];
}

/** How long after a change a share of all nodes had programmed it. */
export interface ConvergenceTotals {
  /** 0.5, 0.9, 0.99 or 1. */
  readonly share: number;
  /** Changes for which that share was reached before the run ended. */
  readonly reached: number;
  /** Over those changes; null when there is none. */
  readonly medianNs: DurationNs | null;
  readonly maxNs: DurationNs | null;
}

export interface LagTotals {
  readonly nodes: number;
  readonly changes: number;
  readonly byKind: readonly ChangeKindTotals[];
  readonly convergence: readonly ConvergenceTotals[];
  /**
   * (change, node) pairs without a time: the node programmed a later change of that endpoint instead, or
   * changes cancelled out before it learnt of them, as with a pod that was ready for a moment.
   */
  readonly superseded: number;
  /** (change, node) pairs without a time, of endpoints that the node still held wrongly at the end. */
  readonly pending: number;
  /** The longest lag of a removal, and whose it was. */
  readonly slowestRemoval: {
    readonly node: string;
    readonly service: string;
    readonly endpoint: string;
    readonly lagNs: DurationNs;
  } | null;
}

/** The connections of one client that brought an answer: which way they went, and from whom servers saw them come. */
export interface RouteTotals {
  readonly client: string;
  readonly isCall?: true;
  readonly service: string;
  readonly answered: number;
  /** Of answered: the node that chose the endpoint had to pass it on to another. */
  readonly toOtherNode: number;
  /** The same for zones; null where a node has none. */
  readonly toOtherZone: number | null;
  /** The server saw another address than the client's own. */
  readonly masqueraded: number;
  /** Different addresses that servers saw. */
  readonly sourcesSeen: number;
  /** Went to another endpoint than the connection before it from the same address of the client. */
  readonly moved: number;
}

/** New connections that a node opened to an endpoint that was no longer usable: not ready, told to go or gone. */
export interface StaleTotals {
  readonly connections: number;
  readonly staleConnections: number;
  /** The stale connection that came longest after its endpoint ceased to be usable. */
  readonly longest: {
    readonly node: string;
    readonly service: string;
    readonly endpoint: string;
    readonly pod: string;
    readonly atNs: SimTimeNs;
    /** null when the change that made the endpoint go was not observed. */
    readonly afterNs: DurationNs | null;
  } | null;
}

/** Skew of one Service's load over its endpoints. Means are over windows, weighted by requests. */
export interface SkewTotals {
  readonly service: string;
  readonly requests: number;
  /** Windows with at least one request. */
  readonly windows: number;
  readonly endpointsMin: number;
  readonly endpointsMax: number;
  /** All four null when no window had a request. */
  readonly maxOverMean: number | null;
  readonly cv: number | null;
  readonly jain: number | null;
  readonly gini: number | null;
  /** The most uneven window among those with at least ten requests per endpoint; null: none had. */
  readonly worst: { readonly maxOverMean: number; readonly windowStartNs: SimTimeNs } | null;
}

export interface DropTotals {
  readonly cause: string;
  readonly packets: number;
  readonly hops: number;
  readonly worstHop: string;
  readonly worstHopPackets: number;
}

/** Lookups of one client, and their queries. */
export interface DnsTotals {
  readonly client: string;
  readonly lookupsStarted: number;
  readonly lookups: readonly { readonly result: string; readonly count: number }[];
  readonly queriesSent: number;
  readonly queries: readonly { readonly result: string; readonly count: number }[];
  /** Latency of lookups that gave an address; null when none did. */
  readonly answeredLatency: DurationQuantiles | null;
}

/** What kube-proxies wrote, and what their rules cost. */
export interface KubeProxyTotals {
  readonly syncs: number;
  readonly fullSyncs: number;
  readonly failedSyncs: number;
  /** Over the syncs of all nodes; null when there was none. */
  readonly syncTime: DurationQuantiles | null;
  /** First packets of connections that a node sent to an endpoint of a Service. */
  readonly firstPackets: number;
  /** Time that they spent in the rules; null when there was none. */
  readonly walkTime: DurationQuantiles | null;
  /** The node that spent most time in syncs, and which share of the run that was. */
  readonly busiest: {
    readonly node: string;
    readonly syncNs: DurationNs;
    readonly share: number;
  } | null;
}

/** A load balancer's checks have taken a node out, or in again. */
export interface TargetChange {
  /** "node/NAME". */
  readonly object: string;
  readonly atNs: SimTimeNs;
  readonly healthy: boolean;
  readonly service: string;
}

/** A container that could not start, or a process that could not listen. */
export interface FailedStart {
  /** "kind/name". */
  readonly object: string;
  readonly atNs: SimTimeNs;
  readonly error: string;
}

/** One figure of network programming latency, over all nodes. */
export interface ProgrammingLatency {
  readonly samples: number;
  /** null without a sample. */
  readonly p50Ns: DurationNs | null;
  readonly p99Ns: DurationNs | null;
}

export interface NetworkProgrammingTotals {
  /**
   * By the SLI's definition. p50Ns is over all updates; p99Ns is what the SLO looks at: the 99th percentile over all
   * nodes of each node's 99th percentile of 5 minutes.
   */
  readonly sli: ProgrammingLatency;
  /** What kube-proxy's histogram of trigger times would show. */
  readonly kubeProxyMetric: ProgrammingLatency;
}

/** Deeds of one kind on one target, or on pods or containers whichever they were. */
export interface FaultTotals {
  /** As the event log names it: "partition", or "pod_reset" and how. */
  readonly fault: string;
  /** null: pods or containers, `count` of them. */
  readonly object: string | null;
  readonly count: number;
  readonly firstNs: SimTimeNs;
  /** Of what lasts: its end, null while it was not over. Of pods and containers: the last of them. */
  readonly lastNs: SimTimeNs | null;
}

export interface RunTotals {
  readonly clients: readonly ClientTotals[];
  readonly lag: LagTotals;
  readonly stale: StaleTotals;
  /** What became of new connections to endpoints that were no longer usable. */
  readonly staleOutcomes: readonly { readonly outcome: string; readonly count: number }[];
  /** Absent when no endpoint changed. */
  readonly networkProgrammingLatency?: NetworkProgrammingTotals;
  readonly routes: readonly RouteTotals[];
  readonly skew: readonly SkewTotals[];
  readonly drops: readonly DropTotals[];
  readonly kubeProxy: KubeProxyTotals;
  /** Clients that looked a name up; absent when none did. */
  readonly dns?: readonly DnsTotals[];
  /** In the order of their beginnings. */
  readonly faults: readonly FaultTotals[];
  /** In the order in which they happened, as what follows. */
  readonly targetChanges: readonly TargetChange[];
  readonly failedStarts: readonly FailedStart[];
}
