/**
 * manifest.json: what was run, by what, with what, and what came of it.
 *
 * Owns: the only wall-clock facts of a results folder, under `wallClock`. Everything else repeats with
 * the run. Refuses to own: figures (summary.ts).
 */
import type { RunEnd } from "../observe/index.ts";
import type { ResolvedScenario } from "../scenario/resolved.ts";
import { generator, type ResultsDigest } from "./folder.ts";
import { notModelled } from "./not-modelled.ts";

/** Raised when a reader of an older folder would misread a newer one. */
export const formatVersion = 1;

/** Facts about this execution rather than about the run: they differ every time. */
export interface WallClock {
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  readonly seconds: number;
  readonly eventsPerSecond: number;
  readonly nodeVersion: string;
  readonly platform: string;
}

export interface ManifestInput {
  readonly scenario: ResolvedScenario;
  readonly podstormVersion: string;
  readonly replay: string;
  readonly end: RunEnd;
  readonly eventsProcessed: number;
  readonly wallClock: WallClock;
}

/** @param digest of the tables; their names are the manifest's `files`, with the two JSON files */
export function manifest(input: ManifestInput, digest: ResultsDigest): object {
  const { scenario, end } = input;
  return {
    generator,
    formatVersion,
    scenario: scenario.name,
    description: scenario.description,
    file: scenario.file,
    seed: scenario.seed,
    replay: input.replay,
    versions: {
      podstorm: input.podstormVersion,
      node: input.wallClock.nodeVersion,
      kubernetes: scenario.profile.kubernetes.version,
    },
    parameters: {
      durationNs: scenario.durationNs,
      windowNs: scenario.windowNs,
      coldStart: scenario.coldStart,
      env: scenario.env,
      nodes: scenario.cluster.nodes.length,
      services: scenario.cluster.services.length,
      docker: scenario.docker,
      clients: scenario.clients,
      faults: scenario.faults,
      thresholds: scenario.thresholds.map(({ text }) => text),
    },
    profile: scenario.profile,
    fingerprints: { events: end.eventFingerprint, results: digest.fingerprint },
    eventsProcessed: input.eventsProcessed,
    brokenLaws: end.brokenLaws,
    ignored: scenario.ignored,
    notModelled,
    files: [...Object.keys(digest.files), "manifest.json", "summary.json", ...drawnFile(scenario)],
    sha256: digest.files,
    wallClock: input.wallClock,
  };
}

/** faults.json: only where chaos has drawn some. */
function drawnFile({ drawnFaults }: ResolvedScenario): string[] {
  return drawnFaults === undefined ? [] : ["faults.json"];
}
