/** netem(...): latency, jitter, loss, copies, another order or less bandwidth between hosts. */
import type { NetemSpec } from "../../faults/netem.ts";
import { faultWord, type FaultWord } from "./contract.ts";
import { drawLine, lineTargets, resolveLine, type HostsInput } from "./hostTargets.ts";
import { resolveSpan, spanFields, type SpanInput } from "./span.ts";
import type { Duration } from "../language/scenario.ts";

/** Bits per second: a number, or as tc writes it. */
export type BitRate = number | `${number}${"bit" | "kbit" | "mbit" | "gbit"}`;

export interface NetemInput extends SpanInput {
  /** "node-1", "zone/zone-1", "docker-1", "outside", or several of these. */
  from: HostsInput;
  /** The other side. Default: all other hosts. */
  to?: HostsInput;
  /** Only packets of `from` to `to`. Default false: both ways. */
  oneWay?: boolean;
  /** What each packet waits, each way. */
  latency?: Duration;
  /** The wait is drawn uniformly from latency - jitter to latency + jitter. */
  jitter?: Duration;
  /** Share of the packets that are lost, from 0 to 1. */
  loss?: number;
  /** Share of the packets that are sent twice. */
  duplicate?: number;
  /** Share of the packets that do not wait: they overtake those that do. Needs `latency`. */
  reorder?: number;
  /** Bandwidth of each host's NIC to the other side. */
  rate?: BitRate;
  /** Packets that wait at a time; more are dropped. Default 1000. */
  limit?: number;
}

/** tc's own default: q_netem.c of iproute2. */
const DEFAULT_LIMIT = 1000;
const EFFECTS = ["latency", "loss", "duplicate", "rate"] as const;
const UNITS: Readonly<Record<string, number>> = { "": 1, k: 1e3, m: 1e6, g: 1e9 };

function parseRate(input: unknown): { value: number } | null {
  if (typeof input === "number")
    return input > 0 && Number.isFinite(input) ? { value: input } : null;
  const match = typeof input === "string" ? /^(\d+(?:\.\d+)?)([kmg]?)bit$/i.exec(input) : null;
  const value = match === null ? 0 : Number(match[1]) * UNITS[match[2]!.toLowerCase()]!;
  return value > 0 ? { value } : null;
}

/** Makes the lines between hosts worse, as tc's netem does. */
export const netem: FaultWord<"netem", NetemInput, NetemSpec> = faultWord("netem", {
  targets: lineTargets,
  options: (words) => {
    const { boolean, duration, positiveDuration, integer, number, scalar } = words;
    const share = number("a share above 0 up to 1", (n) => n > 0 && n <= 1).optional();
    return {
      ...spanFields(words),
      oneWay: boolean.default(false),
      latency: positiveDuration.optional(),
      jitter: duration.default(0),
      loss: share,
      duplicate: share,
      reorder: share,
      rate: scalar('bits per second, such as 5e6 or "5mbit"', parseRate).optional(),
      limit: integer("packets", 1, 1_000_000).default(DEFAULT_LIMIT),
    };
  },
  chaos: (draw) => {
    const { below, pick, share, between } = draw;
    const line = drawLine(draw);
    if (line === null) return null;
    const effect = pick([
      () => ({ latency: between(1, 400) }),
      () => ({ latency: between(20, 200), jitter: between(1, 100) }),
      () => ({ latency: between(20, 200), reorder: share(0.01, 0.5) }),
      () => ({ loss: share(0.01, 0.5) }),
      () => ({ duplicate: share(0.01, 0.5) }),
      () => ({ rate: 1e6 * (1 + below(50)), limit: 10 + below(200) }),
      () => ({ latency: between(1, 50), loss: share(0.01, 0.2), duplicate: share(0.01, 0.2) }),
    ]);
    return { ...line, ...effect(), for: between(100, 20_000) };
  },
  resolve(written, surroundings, mistakes) {
    const { latency, jitter, reorder, limit, oneWay } = written;
    if (EFFECTS.every((field) => written[field] === undefined)) {
      mistakes.add([], "a line that is as before", `at least one of ${EFFECTS.join(", ")}`);
    }
    if (latency === undefined && jitter > 0) {
      mistakes.add(["jitter"], "jitter without latency", "latency as well");
    }
    if (latency === undefined && reorder !== undefined) {
      mistakes.add(["reorder"], "nothing to overtake without latency", "latency as well");
    }
    return {
      kind: "netem",
      ...resolveSpan(written, mistakes),
      ...resolveLine(written, surroundings, undefined),
      oneWay,
      latencyNs: latency ?? 0,
      jitterNs: jitter,
      lossShare: written.loss ?? 0,
      duplicateShare: written.duplicate ?? 0,
      reorderShare: reorder ?? 0,
      rateBps: written.rate ?? Infinity,
      limit,
    };
  },
});
