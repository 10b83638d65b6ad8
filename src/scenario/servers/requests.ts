/** A server that answers requests by itself: what an entry of `servers` is unless it says otherwise. */
import type { ServerProfile } from "../../workload/profile.ts";
import type { WarmUpSpec } from "../../workload/warmUp.ts";
import type { DistributionInput } from "../language/distributions.ts";
import type { ConnectionsInput, Duration, Quantity, RetriesInput } from "../language/scenario.ts";
import type { CallPart } from "../schema/calling.ts";
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
   * Slow at first, as with code that is not compiled yet or an empty cache: a service takes `factor` times as long,
   * evenly down to once after so many `requests` or so much `time`. What ran before the beginning is warm. Default: none.
   */
  warmUp?: WarmUpInput;
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
  /**
   * What it asks others when its own part of the work is done, one after the other; those in a list of their own at
   * the same time: ["svc/users:80", ["svc/cart:7070", { to: "svc/ads:80", optional: true }]]. Default none.
   */
  calls?: (CallInput | CallInput[])[];
}

/** One of `requests` and `time`. */
export interface WarmUpInput {
  /** How many times as long the first request of a process takes. */
  factor: number;
  /** Requests that the process has served when it is warm. */
  requests?: number;
  /** From its listening until it is warm, whatever it serves. */
  time?: Duration;
}

/** A Service, or a call of it with more to say. */
export type CallInput =
  | string
  | {
      /** "svc/NAME:PORT", or "dns://NAME:PORT" for what DNS says. */
      to: string;
      /** With which a request makes this call at all. Default 1. */
      probability?: number;
      /** Deadline of one try. Default "5s". */
      timeout?: Duration;
      /** Default "256". */
      requestSize?: Quantity;
      /** Default keepAlive(): as many connections as there are calls at a time. */
      connections?: ConnectionsInput;
      /** Default: one try, no retry. */
      retries?: RetriesInput;
      /** The request goes on when the call fails. Default false. */
      optional?: boolean;
    };

/** What the author wrote; the rest is the profile's. */
export interface RequestServerSpec extends Partial<RequestServerFields> {
  readonly kind: "requests";
  readonly warmUp?: WarmUpSpec;
  /** As written: ../calls.ts finds what they mean. */
  readonly calls?: readonly (readonly CallPart[])[];
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
  fields: ({
    integer,
    number,
    bytes,
    duration,
    distribution,
    messageBytes,
    word,
    calls,
    ...words
  }) => ({
    concurrency: integer("requests at a time", 1, 1_000_000).optional(),
    queueLimit: integer("waiting requests", 0, 10_000_000).optional(),
    serviceTime: distribution.optional(),
    responseSize: messageBytes.optional(),
    startupTime: distribution.optional(),
    warmUp: words
      .object({
        factor: number("a factor from 1 to 1000", (value) => value >= 1 && value <= 1000),
        requests: integer("requests", 1, 1_000_000_000).optional(),
        time: words.positiveDuration.optional(),
      })
      .refine(({ requests, time }) => (requests === undefined) !== (time === undefined), {
        params: { allowed: "one of requests and time" },
      })
      .optional(),
    onSigterm: word("drain", "drainListening", "exit", "ignore").optional(),
    lameDuck: duration.optional(),
    cpuShare: number("a number from 0 to 1", (value) => value >= 0 && value <= 1).optional(),
    memory: bytes.optional(),
    memoryPerRequest: bytes.optional(),
    calls: calls.optional(),
  }),
  resolve: ({ responseSize, lameDuck, memory, memoryPerRequest, warmUp, ...others }) => {
    const written = Object.entries({
      ...others,
      warmUp: warmUp && {
        factor: warmUp.factor,
        requests: warmUp.requests ?? null,
        timeNs: warmUp.time ?? null,
      },
      responseBytes: responseSize,
      lameDuckNs: lameDuck,
      memoryBytes: memory,
      memoryPerRequestBytes: memoryPerRequest,
    });
    const given = written.filter(([, value]) => value !== undefined);
    return { kind: "requests", ...Object.fromEntries(given) };
  },
  program: (spec: RequestServerSpec, profile, workload) => {
    const { kind: _, calls: _calls, ...written } = spec;
    return { kind: "server", options: { ...profile, ...written, workload } };
  },
});

/** What a workload without an entry runs: all as in the profile. */
export const defaultServer: RequestServerSpec = { kind: "requests" };
