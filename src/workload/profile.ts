/**
 * What an application does unless a scenario says otherwise.
 *
 * Owns: the defaults of servers and clients. They are judgements, not facts: a scenario that cares
 * sets its own, and `sim run` prints which it used.
 */
import { ms, seconds, type DistributionSpec } from "../engine/index.ts";

export const serverProfile = {
  /** A worker per core of a small container, times a few for waiting on others. */
  concurrency: 16,
  queueLimit: 128,
  serviceTime: { kind: "exponential", mean: ms(2) } as DistributionSpec,
  responseBytes: 4096,
  startupTime: { kind: "deterministic", value: ms(200) } as DistributionSpec,
  /** nginx' image sends SIGQUIT on stop, which drains. */
  onSigterm: "drain" as "drain" | "exit" | "ignore",
  /** A probe is answered from memory. */
  probeServiceNs: ms(0.1),
  /** Request and answer of a probe or a 503: a few headers. */
  smallMessageBytes: 200,
  /** Deadline of a client's try. */
  clientTimeoutNs: seconds(2),
};

export type ServerProfile = typeof serverProfile;
