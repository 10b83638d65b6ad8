/**
 * Runs random scenarios with random faults for as long as it is told, all laws on.
 *
 * Usage, through start.mjs: npm run soak [-- -- [--for 10m] [--seed 1] [--out soak-failures]]. Each failure is shrunk and
 * written as a folder that `sim run` takes; the exit code is 1 if there was any. Failures that are alike are
 * written once.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { parseDuration } from "../../src/scenario/units.ts";
import { writeScenario } from "../laws/written.ts";
import { drawCase, judge, type Verdict } from "./case.ts";
import { shrink } from "./shrink.ts";

const MOST_TRIES = 400;
const NS_PER_MS = 1e6;
const REPORT_MS = 30_000;

function options(): { forMs: number; seed: number; out: string } {
  const { values } = parseArgs({
    options: {
      for: { type: "string", default: "1m" },
      seed: { type: "string", default: "1" },
      out: { type: "string", default: "soak-failures" },
    },
  });
  const duration = parseDuration(values.for);
  const seed = Number(values.seed);
  if (!("value" in duration)) throw new Error(`--for ${values.for}: ${duration.problem}`);
  if (!Number.isSafeInteger(seed)) throw new Error(`--seed ${values.seed}: a whole number`);
  return { forMs: duration.value / NS_PER_MS, seed, out: values.out };
}

function report(seed: number, { signature, detail }: Verdict, out: string): void {
  const whole = drawCase(seed);
  const smallest = shrink(whole, (each) => judge(each).signature === signature, MOST_TRIES);
  const question = `What breaks ${signature}? Found by soak, seed ${seed}.`;
  const file = writeScenario(smallest, question, join(out, `seed-${seed}`));
  console.log(
    `seed ${seed}: ${signature}\n  ${detail.split("\n").slice(0, 4).join("\n  ")}\n  ${file}`,
  );
}

function main(): void {
  const { forMs, seed: first, out } = options();
  const startMs = Date.now();
  const signatures = new Map<string, number>();
  let simulatedNs = 0;
  let reportedMs = startMs;
  let seed = first;
  const say = (): void => {
    const hours = (simulatedNs / 3.6e12).toFixed(2);
    const failures = [...signatures.values()].reduce((sum, count) => sum + count, 0);
    console.log(
      `${seed - first} scenarios, ${hours} h simulated, ${failures} failures of ${signatures.size} kinds`,
    );
  };
  for (; Date.now() - startMs < forMs; seed++) {
    const verdict = judge(drawCase(seed));
    simulatedNs += verdict.simulatedNs;
    const { signature } = verdict;
    if (signature !== null) {
      if (!signatures.has(signature)) report(seed, verdict, out);
      signatures.set(signature, (signatures.get(signature) ?? 0) + 1);
    }
    if (Date.now() - reportedMs >= REPORT_MS) {
      reportedMs = Date.now();
      say();
    }
  }
  say();
  for (const [signature, count] of signatures) console.log(`  ${count} x ${signature}`);
  process.exitCode = signatures.size > 0 ? 1 : 0;
}

main();
