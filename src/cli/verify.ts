/**
 * `sim verify`: the same run twice in this process and once in a fresh one, compared byte by byte.
 *
 * Owns: the comparison and what is said of a difference. Refuses to own: the run (run.ts).
 */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { counted, printable, replayOptions, subjectWords } from "../output/index.ts";
import type { Dependencies, ScenarioOverrides } from "./dependencies.ts";
import { ExitCode, type ExitCodeValue, type Io } from "./io.ts";
import { refuseStdin, runCommand } from "./run.ts";

export interface VerifyArguments extends ScenarioOverrides {
  readonly file: string;
}

/** The only file with facts of the execution. */
const excepted = new Set(["manifest.json"]);

/** @throws UserError, ResultsError, Interrupted, InternalFault */
export async function verifyCommand(
  args: VerifyArguments,
  io: Io,
  dependencies: Dependencies,
): Promise<ExitCodeValue> {
  refuseStdin(args, "a file");
  const folder = await mkdtemp(join(tmpdir(), "podstorm-verify-"));
  try {
    const [first, second, fresh] = ["first", "second", "fresh"].map((name) => join(folder, name));
    for (const out of [first!, second!]) {
      const run = { ...args, out, quiet: true, output: "table" } as const;
      const code = await runCommand(run, io, dependencies);
      if (code === ExitCode.fault) return code;
    }
    const words = [
      "run",
      ...subjectWords(args),
      ...replayOptions(args),
      "--out",
      fresh!,
      "--quiet",
    ];
    const code = await dependencies.runFresh(words, io.signal);
    if (code !== ExitCode.done && code !== ExitCode.thresholdCrossed) {
      io.stderr.write(`the run in a fresh process ended with exit code ${code}\n`);
      return ExitCode.fault;
    }
    const again = await difference(first!, second!);
    if (again !== null) return differs("twice in one process", again, io);
    const elsewhere = await difference(first!, fresh!);
    if (elsewhere !== null) return differs("in a fresh process", elsewhere, io);
    const files = (await readdir(first!)).filter((name) => !excepted.has(name));
    io.stdout.write(
      `${printable(args.file)}: the same bytes in ${counted(files.length, "file")}, ` +
        "twice in one process and once in a fresh one\n",
    );
    return ExitCode.done;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function differs(where: string, what: string, io: Io): ExitCodeValue {
  io.stderr.write(
    `The same scenario and seed gave other bytes ${where}: ${what}\n` +
      "A scenario that reads a clock, Math.random or the environment does that; otherwise it is a fault in podstorm.\n",
  );
  return ExitCode.fault;
}

/** The first file and line in which two results folders differ; null for none. */
async function difference(a: string, b: string): Promise<string | null> {
  const [inA, inB] = await Promise.all([readdir(a), readdir(b)]);
  const names = [...new Set([...inA, ...inB])].filter((name) => !excepted.has(name)).toSorted();
  for (const name of names) {
    if (!inA.includes(name) || !inB.includes(name))
      return `${printable(name)} is in one of them only`;
    const [left, right] = await Promise.all([
      readFile(join(a, name), "utf8"),
      readFile(join(b, name), "utf8"),
    ]);
    if (left === right) continue;
    const lines = [left.split("\n"), right.split("\n")] as const;
    const at = lines[0].findIndex((line, i) => line !== lines[1][i]);
    const line = at < 0 ? lines[0].length : at;
    const shown = lines.map(
      (each) => `  ${printable((each[line] ?? "(end of the file)").trimEnd())}`,
    );
    return `${printable(name)}, line ${line + 1}:\n${shown.join("\n")}`;
  }
  return null;
}
