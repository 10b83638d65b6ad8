/** A server that answers requests by itself: what an entry of `servers` is unless it says otherwise. */
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
  /**
   * drain: stop listening, finish what was accepted, then exit. drainListening: the same, but go on
   * listening to the end. exit: at once. ignore: wait for SIGKILL. Default "drain".
   */
  onSigterm?: "drain" | "drainListening" | "exit" | "ignore";
  /** How long it goes on as before after SIGTERM, before it does that. Default "0". */
  lameDuck?: Duration;
  /** Part of a service time that is CPU time, which limits.cpu stretches; the rest waits for others. Default 1. */
  cpuShare?: number;
  /** Memory of the process without a request. limits.memory ends what has more. Default 0: not counted. */
  memory?: Quantity;
  /** Memory that each request in progress or waiting adds. Default 0. */
  memoryPerRequest?: Quantity;
}

/** What the author wrote; the rest is the profile's. */
export interface RequestServerSpec extends Partial<RequestServerFields> {
  readonly kind: "requests";
}

type RequestServerFields = Pick<
  ServerProfile,
  | "concurrency"
  | "queueLimit"
  | "serviceTime"
  | "responseBytes"
  | "startupTime"
  | "onSigterm"
  | "lameDuckNs"
  | "cpuShare"
  | "memoryBytes"
  | "memoryPerRequestBytes"
>;

export const requests: ServerModel<RequestServerSpec> = serverModel({
  fields: ({ integer, number, bytes, duration, distribution, messageBytes, word }) => ({
    concurrency: integer("requests at a time", 1, 1_000_000).optional(),
    queueLimit: integer("waiting requests", 0, 10_000_000).optional(),
    serviceTime: distribution.optional(),
    responseSize: messageBytes.optional(),
    startupTime: distribution.optional(),
    onSigterm: word("drain", "drainListening", "exit", "ignore").optional(),
    lameDuck: duration.optional(),
    cpuShare: number("a number from 0 to 1", (value) => value >= 0 && value <= 1).optional(),
    memory: bytes.optional(),
    memoryPerRequest: bytes.optional(),
  }),
  resolve: ({ responseSize, lameDuck, memory, memoryPerRequest, ...others }) => {
    const written = Object.entries({
      ...others,
      responseBytes: responseSize,
      lameDuckNs: lameDuck,
      memoryBytes: memory,
      memoryPerRequestBytes: memoryPerRequest,
    });
    const given = written.filter(([, value]) => value !== undefined);
    return { kind: "requests", ...Object.fromEntries(given) };
  },
  program: (spec, profile, workload) => {
    const { kind: _, ...written } = spec;
    return { kind: "server", options: { ...profile, ...written, workload } };
  },
});

/** What a workload without an entry runs: all as in the profile. */
export const defaultServer: RequestServerSpec = { kind: "requests" };
