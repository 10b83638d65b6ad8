/**
 * The command that an answer ends with gives that answer again: each question is asked with every option set, its
 * command is split as a shell splits it, and what the command line makes of that has to come to the same.
 *
 * Trials are told by all that they are given and not run, so that nothing but the options can make a difference; that
 * a trial is repeatable is ask.test.ts's affair, and documented.test.ts runs one command for good.
 *
 * Seen to fail with `--zones`, `--services`, `--duration`, `--confidence` or `--goal` left out of the command, with the
 * Deployment named without its namespace, and with the file's name not quoted.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  answerBy,
  questions,
  type AnswerOptions,
  type TrialBase,
} from "../../src/answers/index.ts";
import type { Measures, Question } from "../../src/answers/contract.ts";
import type { Runner } from "../../src/answers/lab.ts";
import { runCli } from "../../src/cli/program.ts";
import { fakeDependencies, fakeTerminal } from "../cli/fakes.ts";
import { deployment } from "./asked.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "podstorm-commands-"));
  const both = deployment("cart", { namespace: "shop" }) + deployment("cart");
  writeFileSync(join(folder, "it's mine.yaml"), both);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Measures made of all that a trial is given. */
function tellingRunner(base: TrialBase): Runner {
  return (settings, from, to) =>
    Promise.resolve(
      Array.from({ length: to - from }, (_, i) =>
        tellingMeasures(JSON.stringify([base, Object.entries(settings).sort(), from + i])),
      ),
    );
}

function tellingMeasures(given: string): Measures {
  return new Proxy({} as Measures, {
    get(_target, name) {
      if (name === "ended") return 1e6;
      const digest = createHash("sha256")
        .update(`${String(name)} ${given}`)
        .digest();
      const share = digest.readUInt32LE() / 2 ** 32;
      return String(name).endsWith("Ns") ? Math.round(share * 1e9) : share;
    },
  });
}

/** As `sh` gives them to a program. */
function wordsOf(command: string): string[] {
  const printed = execFileSync("sh", ["-c", `printf '%s\\0' ${command}`], { encoding: "utf8" });
  return printed.split("\0").slice(0, -1);
}

describe("the command of", () => {
  it.each(Object.values(questions))("$name", async (question: Question) => {
    const options: AnswerOptions = {
      filename: [join(folder, "it's mine.yaml")],
      deploy: "shop/cart",
      rate: 30.5,
      nodes: 3,
      zones: 2,
      services: 7,
      duration: "9s",
      seed: "a seed",
      replications: 3,
      confidence: 0.9,
      ...(question.hasGoal && { goal: 0.875 }),
    };
    const asked = await answerBy(question.name, options, tellingRunner);
    const io = fakeTerminal();
    const dependencies = fakeDependencies({
      answer: (name, given) => answerBy(name, given, tellingRunner),
    });
    const [sim, ...argv] = wordsOf(asked.command);
    expect(sim).toBe("sim");
    expect(await runCli([...argv, "-o", "json"], io, dependencies)).toBe(0);
    expect(JSON.parse(io.out())).toEqual(JSON.parse(JSON.stringify(asked)));
    const other = await answerBy(question.name, { ...options, zones: 3 }, tellingRunner);
    expect(other.figures).not.toEqual(asked.figures);
  });
});
