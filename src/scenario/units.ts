/**
 * Durations and quantities as people write them for Go and Kubernetes.
 *
 * Owns: text to integer nanoseconds, milli-CPU and bytes, and back. Refuses to own: error reports; a
 * parser answers with a value or with the reason why there is none.
 */
import type { DurationNs } from "../engine/index.ts";

export type Parsed<T> = { readonly value: T } | { readonly problem: string };

/** Nanoseconds per unit. Go: time.ParseDuration. */
const NS_PER_UNIT: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};

const DURATION_TERM = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)/y;
const LONGEST_TEXT = 64;
const LONGEST_NS = BigInt(Number.MAX_SAFE_INTEGER);

export const DURATION_ALLOWED = 'a duration such as "30s", "1m30s" or "250ms"';

/** "1h30m", "1.5s", "100ms", "0": to whole nanoseconds. */
export function parseDuration(text: string): Parsed<DurationNs> {
  if (text.startsWith("-")) return { problem: "a duration cannot be negative" };
  const digits = text.startsWith("+") ? text.slice(1) : text;
  if (digits === "0") return { value: 0 };
  if (digits === "" || digits.length > LONGEST_TEXT) return { problem: "not a duration" };
  if (/^[\d.]+$/.test(digits)) return { problem: "the unit is missing" };
  let totalNs = 0n;
  DURATION_TERM.lastIndex = 0;
  while (DURATION_TERM.lastIndex < digits.length) {
    const [, amount = "", unit = ""] = DURATION_TERM.exec(digits) ?? [];
    if (unit === "") return { problem: "not a duration" };
    const termNs = scale(amount, NS_PER_UNIT[unit] ?? 1n);
    if (termNs === null) return { problem: "shorter than the nanosecond that is the finest step" };
    totalNs += termNs;
  }
  if (totalNs > LONGEST_NS) return { problem: "longer than 2^53 ns (104 days)" };
  return { value: Number(totalNs) };
}

/** The shortest text that parses back to the same duration, as Go prints it: "1m30s", "1.5ms". */
export function formatDuration(durationNs: DurationNs): string {
  if (durationNs < 1_000_000_000) {
    if (durationNs === 0) return "0s";
    if (durationNs < 1_000) return `${durationNs}ns`;
    if (durationNs < 1_000_000) return `${decimal(durationNs, 1_000)}us`;
    return `${decimal(durationNs, 1_000_000)}ms`;
  }
  const wholeSeconds = Math.floor(durationNs / 1e9);
  const hours = Math.floor(wholeSeconds / 3600);
  const minutes = Math.floor((wholeSeconds % 3600) / 60);
  const secondsNs = durationNs - (hours * 3600 + minutes * 60) * 1e9;
  return [
    hours > 0 ? `${hours}h` : "",
    minutes > 0 ? `${minutes}m` : "",
    secondsNs > 0 ? `${decimal(secondsNs, 1e9)}s` : "",
  ].join("");
}

/** Decimal and binary suffixes. Kubernetes: apimachinery resource.Quantity. */
const SUFFIX: Readonly<Record<string, readonly [numerator: bigint, denominator: bigint]>> = {
  n: [1n, 1_000_000_000n],
  u: [1n, 1_000_000n],
  m: [1n, 1_000n],
  "": [1n, 1n],
  k: [1_000n, 1n],
  M: [1_000_000n, 1n],
  G: [1_000_000_000n, 1n],
  T: [10n ** 12n, 1n],
  P: [10n ** 15n, 1n],
  E: [10n ** 18n, 1n],
  Ki: [1n << 10n, 1n],
  Mi: [1n << 20n, 1n],
  Gi: [1n << 30n, 1n],
  Ti: [1n << 40n, 1n],
  Pi: [1n << 50n, 1n],
  Ei: [1n << 60n, 1n],
};

const QUANTITY = /^([+-]?)(\d+(?:\.\d*)?|\.\d+)(?:[eE]([+-]?\d{1,3})|([numkMGTPE]|[KMGTPE]i)?)$/;

export const CPU_ALLOWED = 'a CPU quantity such as "500m" or 2';
export const BYTES_ALLOWED = 'a number of bytes such as "128Mi", "8Ki" or 512';

/** "100m", "1", 0.5: to thousandths of a CPU, rounded up as Kubernetes does. */
export function parseCpuMillis(value: string | number): Parsed<number> {
  return parseQuantity(String(value), 1000n);
}

/** "128Mi", "1e6", 512: to bytes, rounded up as Kubernetes does. */
export function parseBytes(value: string | number): Parsed<number> {
  return parseQuantity(String(value), 1n);
}

export function formatCpu(cpuMillis: number): string {
  return cpuMillis % 1000 === 0 ? String(cpuMillis / 1000) : `${cpuMillis}m`;
}

export function formatBytes(bytes: number): string {
  if (bytes === 0) return "0";
  for (const [suffix, shift] of Object.entries({ Ti: 40, Gi: 30, Mi: 20, Ki: 10 })) {
    if (bytes % 2 ** shift === 0) return `${bytes / 2 ** shift}${suffix}`;
  }
  return String(bytes);
}

function parseQuantity(text: string, unitsPerOne: bigint): Parsed<number> {
  const match = text.length > LONGEST_TEXT ? null : QUANTITY.exec(text);
  if (match === null) return { problem: "not a quantity" };
  const [, sign, amount = "", exponent, suffix = ""] = match;
  if (sign === "-") return { problem: "a quantity cannot be negative" };
  const [whole = "", fraction = ""] = amount.split(".");
  let [numerator, denominator] = SUFFIX[suffix] ?? [1n, 1n];
  const power = Number(exponent ?? 0);
  if (power > 0) numerator *= 10n ** BigInt(power);
  else denominator *= 10n ** BigInt(-power);
  numerator *= BigInt(whole + fraction) * unitsPerOne;
  denominator *= 10n ** BigInt(fraction.length);
  const units = (numerator + denominator - 1n) / denominator;
  if (units > LONGEST_NS) return { problem: "greater than 2^53" };
  return { value: Number(units) };
}

/** `amount` (decimal text) times `factor`, or null unless that is a whole number. */
function scale(amount: string, factor: bigint): bigint | null {
  const [whole = "", fraction = ""] = amount.split(".");
  const product = BigInt(whole + fraction) * factor;
  const divisor = 10n ** BigInt(fraction.length);
  return product % divisor === 0n ? product / divisor : null;
}

/** value / unit without a rounding step: both are integers, unit a power of ten. */
function decimal(value: number, unit: number): string {
  const whole = Math.floor(value / unit);
  const digits = String(unit).length - 1;
  const fraction = String(value % unit)
    .padStart(digits, "0")
    .replace(/0+$/, "");
  return fraction === "" ? String(whole) : `${whole}.${fraction}`;
}
