/**
 * What a report shows, as plain data: compact, bounded, and the same for the same results.
 *
 * Owns: the shapes, which the browser part reads back. Refuses to own: making them (build.ts) and drawing them
 * (browser/). Times ending in Ns are instants or durations of simulated time; lists of one table are as long as one another.
 */

export interface Report {
  readonly scenario: string;
  readonly description: string;
  readonly seed: string;
  readonly durationNs: number;
  readonly windowNs: number;
  readonly versions: { readonly podstorm: string; readonly kubernetes: string };
  readonly fingerprints: { readonly events: string; readonly results: string };
  /** The command that repeats the run. */
  readonly replay: string;
  readonly verdict: Verdict;
  /** The summary's tables. */
  readonly sections: readonly FigureTable[];
  readonly bins: Bins;
  readonly clients: readonly ClientSeries[];
  /** Requests of all clients that failed, by cause and bin. */
  readonly causes: readonly CauseSeries[];
  readonly marks: readonly Mark[];
  readonly cluster: ClusterModel;
  readonly lag: LagModel;
  readonly load: LoadModel;
  readonly failures: FailureModel;
  /** By "file.csv:column". */
  readonly definitions: Readonly<Record<string, string>>;
  readonly ignored: readonly string[];
  readonly notModelled: readonly string[];
  /** What is shown less finely than the results have it. */
  readonly aggregated: readonly string[];
}

export interface Verdict {
  readonly tone: "good" | "bad" | "neutral";
  readonly sentences: readonly string[];
  readonly thresholds: readonly {
    readonly text: string;
    readonly passed: boolean;
    readonly figure: string;
  }[];
  readonly causes: readonly {
    readonly cause: string;
    readonly words: string;
    readonly count: number;
    /** Of count, those whose last try went to a pod that was no longer usable. */
    readonly stale: number;
  }[];
  readonly changes: readonly {
    readonly setting: string;
    readonly because: string;
    /** How many of the failed requests that were looked at it would have avoided. */
    readonly requests: number;
  }[];
  readonly lookedAt: number;
}

export interface FigureTable {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly notes: readonly string[];
}

/** Metrics windows, several of them together where there are too many. */
export interface Bins {
  readonly startNs: readonly number[];
  readonly lengthNs: readonly number[];
  /** Windows in a bin. */
  readonly windows: number;
}

export interface ClientSeries {
  readonly name: string;
  readonly service: string;
  readonly isCall: boolean;
  readonly served: readonly number[];
  readonly failed: readonly number[];
  /** Latency of served requests; null: none. Of several windows the highest. */
  readonly p50Ns: readonly (number | null)[];
  readonly p90Ns: readonly (number | null)[];
  readonly p99Ns: readonly (number | null)[];
}

export interface CauseSeries {
  readonly cause: string;
  readonly counts: readonly number[];
}

export interface Mark {
  readonly fromNs: number;
  /** Of what lasts; as fromNs for what does not. */
  readonly toNs: number;
  readonly label: string;
}

/** A node, or several in a row of a large cluster. */
export interface NodeModel {
  readonly name: string;
  readonly count: number;
  /** Highest share of the run in which its NIC was sending; null: no finite rate. */
  readonly nicUtilisation: number | null;
  readonly linkUtilisation: number | null;
  readonly bridgePackets: number | null;
  readonly queueP99Ns: number | null;
  readonly drops: number;
}

export interface EndpointModel {
  /** Index of the Service. */
  readonly service: number;
  readonly address: string;
  readonly pod: string;
  /** Index of the node or group; -1 where none is known. */
  readonly node: number;
}

export interface PodModel {
  readonly name: string;
  readonly node: number;
  readonly isClient: boolean;
  /** Phase from an instant on: 0 none, 1 starting, 2 ready, 3 not ready, 4 told to go. */
  readonly atNs: readonly number[];
  readonly phase: readonly number[];
}

export interface ClusterModel {
  readonly nodes: readonly NodeModel[];
  readonly services: readonly string[];
  readonly endpoints: readonly EndpointModel[];
  readonly pods: readonly PodModel[];
  readonly changes: ChangeColumns;
  readonly flows: FlowColumns;
}

/** Endpoint changes in the order in which they happened. */
export interface ChangeColumns {
  readonly endpoint: readonly number[];
  /** Index in changeKinds. */
  readonly kind: readonly number[];
  readonly atNs: readonly number[];
  /** 1 if the endpoint may get connections from then on. */
  readonly usable: readonly number[];
  /** By change and then node: how long it took; -1: never in force there. */
  readonly lagNs: readonly number[];
}

export const changeKinds = ["added", "removed", "condition"] as const;

/** New connections by bin, from the node that chose to the endpoint's node. */
export interface FlowColumns {
  /** Whether they were recorded: else flows are not known, and `to` alone has been filled in. */
  readonly recorded: boolean;
  readonly bin: readonly number[];
  /** -1: outside of the cluster, or not known. */
  readonly from: readonly number[];
  readonly to: readonly number[];
  readonly service: readonly number[];
  readonly connections: readonly number[];
  readonly stale: readonly number[];
}

export interface LagModel {
  readonly kinds: readonly {
    readonly kind: string;
    readonly changes: number;
    readonly programmed: number;
    readonly stages: readonly { readonly stage: string; readonly meanNs: number | null }[];
    /** Share of (change, node) pairs with at most the lag at the same place of `atNs`. */
    readonly share: readonly number[];
  }[];
  readonly atNs: readonly number[];
  /** Columns of the heat map: a change, or several in a row. */
  readonly columns: readonly { readonly label: string; readonly atNs: number }[];
  /** By node and then column: the longest lag; -1: never in force, -2: no change. */
  readonly cells: readonly number[];
}

export interface LoadModel {
  readonly bins: Bins;
  /** Index in cluster.endpoints. */
  readonly endpoint: readonly number[];
  /** By endpoint and then bin. */
  readonly requests: readonly number[];
  readonly inFlight: readonly number[];
  readonly stale: readonly number[];
  readonly skew: readonly {
    readonly service: number;
    readonly indices: Readonly<Record<SkewIndex, readonly (number | null)[]>>;
  }[];
  readonly hops: readonly HopModel[];
  /** Of hops over time; empty where it was not recorded. The first two have the cluster's nodes as their first rows. */
  readonly tracks: readonly HopTrack[];
  readonly drops: readonly {
    readonly cause: string;
    readonly packets: number;
    readonly worstHop: string;
  }[];
}

export const skewIndices = ["max_over_mean", "cv", "jain", "gini", "kolmogorov"] as const;
export type SkewIndex = (typeof skewIndices)[number];

export interface HopModel {
  readonly hop: string;
  readonly kind: string;
  readonly packets: number;
  readonly bytes: number;
  readonly drops: number;
  readonly utilisation: number | null;
  readonly queueP99Ns: number | null;
}

/** Load of several hops, by hop and then bin; -2: nothing went through it then, -1: nothing waits at such a hop. */
export interface HopTrack {
  readonly title: string;
  readonly rows: readonly string[];
  readonly utilisation: readonly number[];
  /** Of several windows or hops the highest. */
  readonly queueP99Ns: readonly number[];
  readonly packets: readonly number[];
  readonly drops: readonly number[];
}

/** One by one, the first that failed. */
export interface FailureModel {
  readonly total: number;
  readonly texts: readonly string[];
  readonly request: readonly number[];
  /** Client, Service, cause, endpoint, pod and node as indices in `texts`; "" where there was none. */
  readonly client: readonly number[];
  readonly service: readonly number[];
  readonly cause: readonly number[];
  readonly endpoint: readonly number[];
  readonly pod: readonly number[];
  readonly node: readonly number[];
  readonly startedAtNs: readonly number[];
  readonly endedAtNs: readonly number[];
  readonly attempts: readonly number[];
  readonly stale: readonly number[];
  /** Index in `departures`; -1: the endpoint was usable, or there was none. */
  readonly departure: readonly number[];
  readonly advice: readonly (readonly number[])[];
  /** How the pod's end reached the node that chose. */
  readonly departures: readonly Departure[];
  readonly advices: readonly { readonly setting: string; readonly because: string }[];
  /** The command that says more of a request, without its number; null: no command repeats it. */
  readonly explain: string | null;
}

export interface Departure {
  readonly kind: string;
  readonly atNs: number;
  readonly programmedAtNs: number | null;
  readonly lastNodeAtNs: number | null;
  readonly stages: readonly { readonly stage: string; readonly tookNs: number | null }[];
}
