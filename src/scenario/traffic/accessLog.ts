/**
 * Access logs of nginx and Envoy: when requests came, how long they took, how large answers were.
 *
 * Owns: their lines in the default formats and as JSON, the rate over time, and the service time that is fitted.
 * Refuses to own: which Service a line's path belongs to: all of a log is one client's.
 */
import { Word } from "../import/text.ts";
import { decimals, durationText, type Traffic, type TrafficFormat } from "./contract.ts";
import { fitOf } from "./fit.ts";
import { envoyLine, jsonLine, listOfNumbers, nginxLine, type Line } from "./logLines.ts";
import { profileOf, type Sample } from "./series.ts";

/** Steps of the rate: as many as people look at, and none shorter than a second. */
const STEPS = 60;
const MOST_LINES = 5_000_000;
/** Lines that are no log's, before the file is none: rotated files begin in mid-line. */
const MOST_FOREIGN = 0.05;

const formats: readonly (readonly [name: string, read: (line: string) => Line | null])[] = [
  ["Envoy access log", envoyLine],
  ["nginx access log", nginxLine],
  ["access log in JSON", jsonLine],
];

export const accessLog: TrafficFormat = {
  read(text, mistakes) {
    const lines = text.split("\n").filter((line) => line.trim() !== "");
    const first = lines.slice(0, 20);
    const format = formats.find(
      ([, read]) => first.filter((line) => read(line) !== null).length * 2 > first.length,
    );
    if (format === undefined) return null;
    if (lines.length > MOST_LINES) {
      mistakes().add([], `${lines.length} lines`, `at most ${MOST_LINES}`);
      return null;
    }
    const [name, read] = format;
    const found: Line[] = [];
    let foreign = 0;
    for (const line of lines) {
      const own = read(line);
      if (own === null) foreign++;
      else found.push(own);
    }
    if (foreign > MOST_FOREIGN * lines.length) {
      const index = text.split("\n").findIndex((line) => line.trim() !== "" && read(line) === null);
      mistakes(index + 1).add(
        [],
        `no line of an ${name}, as ${foreign} others`,
        "one format in a file",
      );
      return null;
    }
    return trafficOf(name, found, foreign);
  },
};

function trafficOf(format: string, lines: readonly Line[], foreign: number): Traffic {
  const times = lines.map(({ atS }) => atS).toSorted((a, b) => a - b);
  const startS = Math.floor(times[0]!);
  const endS = Math.floor(times.at(-1)!) + 1;
  const stepS = Math.max(1, Math.ceil((endS - startS) / STEPS));
  const samples = countsOf(times, startS, endS, stepS);
  const durations = listOfNumbers(lines, ({ serviceNs }) => serviceNs);
  const sizes = listOfNumbers(lines, ({ bytes }) => bytes);
  const fit = durations.length === 0 ? null : fitOf(durations);
  const failed = lines.filter(({ status }) => status >= 500).length;
  const meanBytes = sizes.reduce((sum, each) => sum + each, 0) / Math.max(1, sizes.length);
  return {
    format,
    loads: [
      {
        name: null,
        load: new Word("openLoop", [profileOf(samples, endS)]),
        startNs: 0,
        stopNs: null,
      },
    ],
    durationNs: Math.round((endS - startS) * 1e9),
    thresholds: [],
    ...(fit !== null && { serviceTime: fit.word }),
    ...(meanBytes > 0 && { responseBytes: Math.round(meanBytes) }),
    report: [
      `${lines.length} requests over ${durationText((endS - startS) * 1e9)}: ` +
        `${decimals(lines.length / (endS - startS), 1)}/s on average, in steps of ${stepS}s; Poisson arrivals within a step`,
      ...(fit === null
        ? ["no durations in it: service times are not fitted"]
        : [`service time, of ${durations.length} durations`]),
      ...(fit?.report.map((line) => `  ${line}`) ?? []),
      ...(durations.length > 0
        ? [
            "the measured times include what the servers waited for: queueing there is counted twice under load",
          ]
        : []),
      ...(failed > 0 ? [`${failed} answers were 5xx: they are requests like the others`] : []),
      ...(foreign > 0 ? [`${foreign} lines of another format were passed over`] : []),
    ],
  };
}

function countsOf(times: readonly number[], startS: number, endS: number, stepS: number): Sample[] {
  const counts = Array.from({ length: Math.ceil((endS - startS) / stepS) }, () => 0);
  for (const atS of times) counts[Math.floor((atS - startS) / stepS)]!++;
  return counts.map((count, index) => {
    const fromS = startS + index * stepS;
    return { atS: fromS, rps: decimals(count / Math.min(stepS, endS - fromS), 3) };
  });
}
