/**
 * Measures the benchmarks and prints a table, or JSON lines for another program.
 *
 * Usage, through start.mjs: npm run bench [-- [--json] [--cpu] [word...]]; words select by name, and those that take
 * minutes are run only so. --cpu: rates by CPU time, of all threads.
 */
import { clocks, type Measurement, measure } from "./harness.ts";
import { benchmarks } from "./registry.ts";

const WIDTHS = [44, 14, 12, 18] as const;

function row(cells: readonly [string, string, string, string, string]): string {
  const [name, work, unit, rate, hash] = cells;
  const [nameWidth, workWidth, unitWidth, rateWidth] = WIDTHS;
  return (
    `${name.padEnd(nameWidth)} ${work.padStart(workWidth)} ${unit.padEnd(unitWidth)} ` +
    `${rate.padStart(rateWidth)}  ${hash}`
  );
}

function show(measurement: Measurement, asJson: boolean): void {
  if (asJson) {
    console.log(JSON.stringify(measurement));
    return;
  }
  const { name, work, unit, perSecond, hash } = measurement;
  const rate = perSecond < 100 ? perSecond.toPrecision(3) : Math.round(perSecond).toString();
  console.log(row([name, String(work), unit, rate, hash]));
}

async function main(words: readonly string[]): Promise<void> {
  const asJson = words.includes("--json");
  const now = words.includes("--cpu") ? clocks.cpu : clocks.wall;
  const wanted = words.filter((word) => !word.startsWith("--"));
  const selected = benchmarks.filter(({ name, isLong = false }) =>
    wanted.length === 0 ? !isLong : wanted.some((word) => name.includes(word)),
  );
  if (selected.length === 0) throw new Error(`no benchmark named like ${wanted.join(", ")}`);
  if (!asJson) console.log(row(["benchmark", "work", "unit", "per second", "result"]));
  for (const benchmark of selected) show(await measure(benchmark, now), asJson);
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
