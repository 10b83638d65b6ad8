/**
 * Why a request failed, as plain data: what `-o json` prints.
 *
 * Owns: the record. Times ending in AtNs are instants of the run; null is "not in this run".
 */
import type { DurationNs, SimTimeNs } from "../../engine/index.ts";
import type { OutcomeName } from "../../observe/index.ts";
import type { PodLife } from "../timeline/record.ts";
import type { Trace } from "../trace/record.ts";

export interface Try {
  readonly startedAtNs: SimTimeNs;
  /** null: it had not ended when the run did. */
  readonly endedAtNs: SimTimeNs | null;
  readonly outcome: OutcomeName | null;
  /** When its connection was opened: by this try, or by an earlier request; null: there was none. */
  readonly dialledAtNs: SimTimeNs | null;
  readonly endpoint: string | null;
  readonly pod: string | null;
  /** Whose rules chose it. */
  readonly node: string | null;
  /** Of this try's connection, as of the last one's below. */
  readonly rules: Rules | null;
  readonly departure: Departure | null;
  readonly life: PodLife | null;
}

/** What a node routed by when it chose. */
export interface Rules {
  readonly node: string;
  /** When the connection was given its endpoint. */
  readonly decidedAtNs: SimTimeNs;
  /** Greatest resourceVersion of the EndpointSlices that its rules were made of; null: as when the run began. */
  readonly version: number | null;
  readonly inForceSinceNs: SimTimeNs | null;
  /** No rules chose: the client dialled an address that DNS had told it, of a headless Service. */
  readonly viaDns: boolean;
}

/** The change that the rules did not hold yet. */
export interface Departure {
  readonly change: "removed" | "condition";
  readonly atNs: SimTimeNs;
  /** Told to go with a grace period, rather than removed at once. */
  readonly isGraceful: boolean;
  /** On the node that chose; null: not before the run ended. */
  readonly programmedAtNs: SimTimeNs | null;
  readonly stages: readonly { readonly stage: string; readonly tookNs: DurationNs | null }[];
  /** When the last of all nodes held it; null: not all did. */
  readonly lastNodeAtNs: SimTimeNs | null;
}

export interface Advice {
  /** Name of the rule. */
  readonly rule: string;
  readonly setting: string;
  readonly because: string;
}

export interface Explanation {
  readonly scenario: string;
  readonly seed: string;
  readonly request: number;
  readonly client: string;
  readonly service: string;
  readonly startedAtNs: SimTimeNs;
  readonly endedAtNs: SimTimeNs | null;
  /** null: still in flight when the run ended. */
  readonly outcome: OutcomeName | null;
  readonly tries: readonly Try[];
  /** Of the last try's connection; null where no node's rules chose. */
  readonly rules: Rules | null;
  /** null: the endpoint could be used when it was chosen. */
  readonly departure: Departure | null;
  /** The pod behind the endpoint; null where there is none. */
  readonly life: PodLife | null;
  /** Other endpoints of the Service that could be used when it was chosen. */
  readonly others: number;
  /** The first packet of the last try's connection; null where none was sent. */
  readonly packet: Trace | null;
  readonly advice: readonly Advice[];
}
