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
  /** drain: finish what was accepted, then exit. exit: at once. ignore: wait for SIGKILL. Default "drain". */
  onSigterm?: "drain" | "exit" | "ignore";
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
  /**
   * drain: close the listener and idle connections, finish what was accepted, exit. exit: exit at
   * once. ignore: go on until SIGKILL.
   */
  | "onSigterm"
>;

export const requests: ServerModel<RequestServerSpec> = serverModel({
  fields: ({ integer, distribution, messageBytes, word }) => ({
    concurrency: integer("requests at a time", 1, 1_000_000).optional(),
    queueLimit: integer("waiting requests", 0, 10_000_000).optional(),
    serviceTime: distribution.optional(),
    responseSize: messageBytes.optional(),
    startupTime: distribution.optional(),
    onSigterm: word("drain", "exit", "ignore").optional(),
  }),
  resolve: ({ responseSize, ...others }) => {
    const written = Object.entries({ ...others, responseBytes: responseSize });
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
