/**
 * What an application does unless a scenario says otherwise.
 *
 * Owns: the defaults of servers. They are judgements, not facts: a scenario that cares
 * sets its own, and `sim run` prints which it used.
 */
import { ms, seconds, type DistributionSpec } from "../engine/index.ts";
import type { OnSigterm } from "./server.ts";

export const serverProfile = {
  /** Requests served at a time: a worker per core of a small container, times a few that wait. */
  concurrency: 8,
  /** Requests that may wait beyond those. */
  queueLimit: 64,
  serviceTime: { kind: "exponential", mean: ms(4) } as DistributionSpec,
  responseBytes: 8192,
  /** From the start of the process until it listens. */
  startupTime: { kind: "deterministic", value: ms(500) } as DistributionSpec,
  /** nginx' image sends SIGQUIT on stop, which drains. */
  onSigterm: "drain" as OnSigterm,
  /** How long it goes on as before after SIGTERM. */
  lameDuckNs: 0,
  /** A service time is all CPU time: what a CPU limit stretches. */
  cpuShare: 1,
  /** Memory is not counted unless a scenario says how much there is. */
  memoryBytes: 0,
  memoryPerRequestBytes: 0,
  /** An init container whose command does not say how long it sleeps. */
  initTime: { kind: "deterministic", value: seconds(1) } as DistributionSpec,
  /** A probe is answered from memory. */
  probeServiceNs: ms(0.1),
  /** Request and answer of a probe or a 503: a few headers. */
  smallMessageBytes: 200,
};

export type ServerProfile = typeof serverProfile;
