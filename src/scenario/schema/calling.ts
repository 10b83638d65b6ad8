/**
 * The fields of whoever calls a Service: clients, and servers that call others.
 *
 * Owns: connections and tries, and the calls of a server. Refuses to own: what is called (../targets.ts,
 * ../calls.ts).
 */
import { z } from "zod";
import { ms, seconds } from "../../engine/index.ts";
import {
  boolean,
  choice,
  duration,
  fields,
  integer,
  list,
  messageBytes,
  number,
  object,
  reading,
  text,
  tryTimeout,
} from "./reading.ts";

export const connections = choice("perRequest() or keepAlive(...)", {
  perRequest: fields("perRequest", {}),
  keepAlive: fields("keepAlive", { poolSize: integer("connections", 1, 1_000_000).optional() }),
});

export const retries = object({
  attempts: integer("tries in all", 1, 100),
  initialBackoff: duration.default(ms(100)),
  backoffFactor: number("a factor from 1 to 100", (n) => n >= 1 && n <= 100).default(2),
  maxBackoff: duration.default(seconds(10)),
  jitter: number("a share from 0 to 1", (n) => n >= 0 && n <= 1).default(0.2),
});

const oneCall = object({
  to: text('a Service such as "svc/cart:7070" or "dns://cart.shop:7070"', undefined, 512),
  probability: number("a share from 0 to 1", (n) => n >= 0 && n <= 1).default(1),
  timeout: tryTimeout.default(seconds(5)),
  requestSize: messageBytes.default(256),
  connections: connections.prefault({ kind: "keepAlive" }),
  retries: retries.prefault({ attempts: 1 }),
  optional: boolean.default(false),
});
/** One call of a server, as it was read. */
export type CallPart = z.output<typeof oneCall>;

const call: z.ZodType<CallPart> = reading((input, context) =>
  context.nested(oneCall, typeof input === "string" ? { to: input } : input),
);

/** Stages, one after another; a list within the list is a stage of calls at the same time. */
const stage: z.ZodType<readonly CallPart[]> = reading((input, context) => {
  if (!Array.isArray(input)) {
    const only = context.nested(call, input);
    return only === undefined ? undefined : [only];
  }
  return context.nested(list(call, 1, 1000), input);
});

export const calls = list(stage, 0, 1000);
