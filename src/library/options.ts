/**
 * What may be said of a run in this process besides its scenario.
 *
 * Owns: the options' types. Refuses to own: what they do (inProcess.ts).
 */
import type { ProgressState } from "./slices.ts";

/** As an AbortSignal is. */
export interface StopSignal {
  readonly aborted: boolean;
  /** @throws its reason, when it was aborted */
  throwIfAborted(): void;
}

/** Manifests instead of a scenario: what they do not say is assumed, as by `sim run -f`. */
export interface Manifests {
  /** Files and folders. */
  readonly filename: readonly string[];
}

export interface RunOptions {
  /** Seed of every random draw, instead of the scenario's. */
  seed?: string | number | undefined;
  /** Simulated time, as "90s", instead of the scenario's. */
  duration?: string | undefined;
  /** Requests per second, as `--rate`: `"500"` for the one client, `"web=500"` for one of several. */
  rates?: readonly string[] | undefined;
  /** Pods that are reset besides the scenario's own faults, as `--reset`: `"deploy/web,how=sigkill,at=20s"`. */
  resets?: readonly string[] | undefined;
  /** Nodes, instead of the scenario's. */
  nodes?: number | undefined;
  /** Zones of these nodes, instead of the scenario's. */
  zones?: number | undefined;
  /** What a scenario that is a function finds in `env`, as `-e KEY=VALUE` gives it. */
  env?: Readonly<Record<string, string>> | undefined;
  /** What the run has to keep to, beside the scenario's own: `"requests_failed.rate<0.1%"`. */
  thresholds?: readonly string[] | undefined;
  /** Kubernetes objects as data, beside those of the scenario's manifests. Not for a scenario's file. */
  objects?: readonly object[] | undefined;
  /** Folder that manifests are relative to. Default: the current one. Not for a scenario's file. */
  folder?: string | undefined;
  /** What the summary calls it. Default "scenario". Not for a scenario's file. */
  name?: string | undefined;
  /** Which repetition of the experiment, from 0: other draws, all else alike. */
  replication?: number | undefined;
  /** Ends the run early: the promise rejects with the signal's reason. */
  signal?: StopSignal | undefined;
  /** Told about 25 times a second, of wall time, how far the run is. */
  onProgress?: ((state: ProgressState) => void) | undefined;
}

export interface ReplicationsOptions extends Omit<RunOptions, "replication"> {
  /** How often it is run, 2 or more. */
  replications: number;
}
