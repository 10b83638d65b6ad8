/**
 * Single lines of access logs.
 *
 * Owns: nginx's combined format with its usual additions, Envoy's and Istio's default text format, and both as JSON.
 * Source: nginx.org ngx_http_log_module; envoyproxy.io "Access logging", default format string.
 */
import { isRecord } from "../schema/reading.ts";
import { secondsOf, parsed } from "./series.ts";

export interface Line {
  readonly atS: number;
  readonly status: number;
  /** How long the server behind took; null where the log does not say. */
  readonly serviceNs: number | null;
  readonly bytes: number | null;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const NGINX =
  /^\S+ \S+ \S+ \[(\d\d)\/(\w{3})\/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)\] "(?:[^"\\]|\\.)*" (\d{3}) (\d+|-)(.*)$/;
/** $upstream_response_time and $request_time by the names that people give them, or as the last number of a line. */
const UPSTREAM = /(?:urt|upstream_response_time|upstream_time|uht)[=:]"?(\d+\.\d+)/;
const REQUEST = /(?:rt|request_time|reqtime)[=:]"?(\d+\.\d+)/;
const LAST_NUMBERS = /(?:^|[ "])(\d+\.\d{3})"?(?: "?(\d+\.\d{3})"?)?(?: \S+)*\s*$/;
const ENVOY =
  /^\[(\d{4}-\d\d-\d\dT[\d:.]+Z?)\] "(?:[^"\\]|\\.)*" (\d{1,3}) \S+ (?:\S+ \S+ (?:"[^"]*"|\S+) )?(\d+) (\d+) (\d+) (\d+|-)/;
const MS = 1e6;

export function nginxLine(text: string): Line | null {
  const match = NGINX.exec(text);
  if (match === null) return null;
  const [
    ,
    day,
    month = "",
    year,
    hour,
    minute,
    second,
    sign,
    zoneHours,
    zoneMinutes,
    status,
    bytes,
    rest = "",
  ] = match;
  const index = MONTHS.indexOf(month);
  if (index < 0) return null;
  const zone = (Number(zoneHours) * 60 + Number(zoneMinutes)) * (sign === "-" ? -1 : 1);
  const atMs = Date.UTC(
    Number(year),
    index,
    Number(day),
    Number(hour),
    Number(minute) - zone,
    Number(second),
  );
  const named = UPSTREAM.exec(rest)?.[1] ?? REQUEST.exec(rest)?.[1];
  const last = LAST_NUMBERS.exec(rest);
  const tookS = named ?? last?.[2] ?? last?.[1];
  return {
    atS: atMs / 1000,
    status: Number(status),
    serviceNs: tookS === undefined ? null : Math.round(Number(tookS) * 1e6) * 1e3,
    bytes: bytes === "-" ? null : Number(bytes),
  };
}

export function envoyLine(text: string): Line | null {
  const match = ENVOY.exec(text);
  if (match === null) return null;
  const [, time = "", status, , sent, duration, upstream] = match;
  const atS = secondsOf(time);
  if (atS === null) return null;
  const tookMs = Number(upstream === "-" ? duration : upstream);
  return {
    atS,
    status: Number(status),
    serviceNs: tookMs * MS,
    bytes: Number(sent),
  };
}

/** By the names of nginx' variables, and of Envoy's JSON logs. */
export function jsonLine(text: string): Line | null {
  if (!text.trimStart().startsWith("{")) return null;
  const value = parsed(text);
  if (!isRecord(value)) return null;
  const field = (...names: string[]): string | null => {
    const found = names
      .map((name) => value[name])
      .find((each) => each !== undefined && each !== null);
    return typeof found === "string" || typeof found === "number" ? String(found) : null;
  };
  const time = field("time_iso8601", "start_time", "@timestamp", "timestamp", "time", "msec");
  const atS = time === null ? null : secondsOf(time);
  const status = field("status", "response_code", "code");
  if (atS === null || status === null) return null;
  const seconds = field("upstream_response_time", "request_time");
  const millis = field(
    "upstream_service_time",
    "x-envoy-upstream-service-time",
    "duration",
    "duration_ms",
  );
  const bytes = field("body_bytes_sent", "bytes_sent");
  const tookNs =
    seconds !== null
      ? Math.round(Number(seconds) * 1e6) * 1e3
      : millis === null
        ? Number.NaN
        : Number(millis) * MS;
  return {
    atS,
    status: Number(status),
    serviceNs: Number.isFinite(tookNs) && tookNs >= 0 ? tookNs : null,
    bytes: bytes === null || !(Number(bytes) >= 0) ? null : Number(bytes),
  };
}

export function listOfNumbers(lines: readonly Line[], of: (line: Line) => number | null): number[] {
  return lines.flatMap((line) => of(line) ?? []);
}
