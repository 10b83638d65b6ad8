/**
 * Traffic that somebody measured: one line for each format that is read.
 *
 * Owns: the table, finding the format of a file by what it holds, and putting the traffic in place of a client's load.
 */
import { decode } from "../manifests/yaml.ts";
import { FileMistakes, UserError, type Mistake } from "../mistakes.ts";
import { readSources } from "../import/sources.ts";
import { accessLog } from "./accessLog.ts";
import { durationText, type Traffic, type TrafficFormat } from "./contract.ts";
import { k6 } from "./k6.ts";
import { csv, prometheus } from "./series.ts";

export { durationText, type Traffic } from "./contract.ts";

/** The first that knows the text. */
const formats: readonly TrafficFormat[] = [prometheus, k6, accessLog, csv];

const ALLOWED =
  "k6 options in JSON (k6 inspect script.js), CSV of timestamp,rps, a Prometheus range query's answer, or an access log of nginx or Envoy";

/** @throws UserError */
export function readTraffic(path: string, stdin: () => Uint8Array): Traffic {
  const sink: Mistake[] = [];
  const { files } = readSources([path], stdin, sink);
  const [file] = files;
  if (sink.length > 0 || file === undefined) {
    throw new UserError(
      sink.map((each) => ({ ...each, path: each.path.replace("-f ", "--traffic ") })),
    );
  }
  const mistakes = (line?: number): FileMistakes =>
    new FileMistakes(file.shown, () => (line === undefined ? null : { line, column: 1 }), sink);
  const text = decode(file.content, mistakes());
  if (text === null) throw new UserError(sink);
  for (const { read } of formats) {
    const traffic = read(text, mistakes);
    if (sink.length > 0) throw new UserError(sink);
    if (traffic !== null) return checked(traffic, mistakes, sink);
  }
  const isScript = /\bexport\s+(const|let|default)\b|\bimport\b.*\bk6\b/.test(
    text.slice(0, 10_000),
  );
  mistakes().add(
    [],
    isScript ? "a script, which is not run" : "traffic of no known format",
    ALLOWED,
  );
  throw new UserError(sink);
}

function checked(
  traffic: Traffic,
  mistakes: (line?: number) => FileMistakes,
  sink: Mistake[],
): Traffic {
  if (traffic.loads.length > 0 && traffic.durationNs > 0) return traffic;
  mistakes().add([], "no traffic in it", ALLOWED);
  throw new UserError(sink);
}

/** A client for each load: the one that is given, with a name and hours of its own. */
export function clientsFor(
  client: Readonly<Record<string, unknown>>,
  { loads, durationNs }: Traffic,
): Record<string, unknown>[] {
  const taken = new Set<string>();
  return loads.map(({ name, load, startNs, stopNs }) => {
    const base = String(client["name"]);
    const wanted = name === null ? base : labelOf(`${base}-${name}`);
    const own = taken.has(wanted) ? `${wanted.slice(0, 55)}-${taken.size}` : wanted;
    taken.add(own);
    return {
      ...client,
      name: own,
      load,
      ...(startNs > 0 && { start: durationText(startNs) }),
      ...(stopNs !== null && stopNs < durationNs && { stop: durationText(stopNs) }),
    };
  });
}

/** A name as clients may have it. */
function labelOf(text: string): string {
  const label = text
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, "-")
    .slice(0, 63);
  return label.replace(/^-+|-+$/g, "") || "client";
}
