/** A server that answers requests by itself: what an entry of `servers` is unless it says otherwise. */
import type { DistributionSpec } from "../../engine/index.ts";
import type { ServerProfile } from "../../workload/profile.ts";
import type { DistributionInput } from "../language/distributions.ts";
import type { Duration, Quantity } from "../language/scenario.ts";
import { serverModel, type ServerModel } from "./contract.ts";

export interface RequestServerInput {
  kind?: "requests";
  /** Requests that a container serves at a time. Default 8. */
  concurrency?: number;
  /** Requests that may wait beyond those; one more is answered 503. Default 64. */
  queueLimit?: number;
  /** Time to serve one request. Default exponential("4ms"). */
  serviceTime?: DistributionInput | Duration;
  /** Size of an answer. Default "8Ki". */
  responseSize?: Quantity;
  /** From the start of the process until it listens. Default "500ms". */
  startupTime?: DistributionInput | Duration;
  /** drain: finish what was accepted, then exit. exit: at once. ignore: wait for SIGKILL. Default "drain". */
  onSigterm?: "drain" | "exit" | "ignore";
}

export interface RequestServerSpec {
  readonly kind: "requests";
  /** Requests served at a time. */
  readonly concurrency: number;
  /** Requests waiting beyond those; one more is answered 503. */
  readonly queueLimit: number;
  readonly serviceTime: DistributionSpec;
  readonly responseBytes: number;
  /** Time from process start to listening. */
  readonly startupTime: DistributionSpec;
  /**
   * drain: close the listener and idle connections, finish what was accepted, exit. exit: exit at
   * once. ignore: go on until SIGKILL.
   */
  readonly onSigterm: "drain" | "exit" | "ignore";
}

const MS = 1_000_000;
const KIB = 1024;

export const requests: ServerModel<RequestServerSpec> = serverModel({
  fields: ({ integer, distribution, bytes, word }) => ({
    concurrency: integer("requests at a time", 1, 1_000_000).default(8),
    queueLimit: integer("waiting requests", 0, 10_000_000).default(64),
    serviceTime: distribution.default({ kind: "exponential", mean: 4 * MS }),
    responseSize: bytes.default(8 * KIB),
    startupTime: distribution.default({ kind: "deterministic", value: 500 * MS }),
    onSigterm: word("drain", "exit", "ignore").default("drain"),
  }),
  resolve: ({ responseSize, ...others }) => ({
    kind: "requests",
    ...others,
    responseBytes: responseSize,
  }),
  program: (spec, { probeServiceNs, smallMessageBytes }, workload) => ({
    kind: "server",
    options: { ...spec, workload, probeServiceNs, smallMessageBytes },
  }),
});

/** What a workload without an entry runs. */
export function defaultServer(profile: ServerProfile): RequestServerSpec {
  const { concurrency, queueLimit, serviceTime, responseBytes, startupTime, onSigterm } = profile;
  return {
    kind: "requests",
    concurrency,
    queueLimit,
    serviceTime,
    responseBytes,
    startupTime,
    onSigterm,
  };
}
