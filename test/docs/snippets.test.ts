/**
 * Every piece of TypeScript in the documents runs, and prints what the document says.
 *
 * Seen to fail: with one digit of an output in docs/engine.md changed; with a word of the scenario in docs/scenarios.md misspelt.
 */
import { describe, expect, it } from "vitest";
import { builtCommand } from "../cli/spawned.ts";
import { sourceFiles } from "../tidy/source.ts";
import { documents } from "./markdown.ts";
import { examplesIn, run as runWith, type Snippet, snippetsIn } from "./snippets.ts";

const comments = sourceFiles("src").map(({ path, text }) => ({ path, text: examplesIn(text) }));
const all = [...documents(), ...comments].flatMap(({ path, text }) => snippetsIn(path, text));
const command = builtCommand();
const run = (snippet: Snippet) => runWith(snippet, command());

describe("the documents and the examples in comments", () => {
  it.each(all)("$document:$line does what it says", async (snippet) => {
    const printed = await run(snippet);
    if (snippet.expected !== null) expect(printed).toBe(snippet.expected);
  });

  it("hold the snippets that readers need, the programs with their output", () => {
    const count = (document: string, filter: (snippet: Snippet) => boolean): number =>
      all.filter((each) => each.document === document).filter(filter).length;
    expect(count("docs/engine.md", ({ expected }) => expected !== null)).toBeGreaterThanOrEqual(6);
    expect(count("docs/order-of-events.md", ({ expected }) => expected !== null)).toBe(2);
    expect(count("docs/time-and-units.md", ({ expected }) => expected !== null)).toBe(1);
    expect(count("docs/scenarios.md", () => true)).toBeGreaterThanOrEqual(1);
    expect(count("docs/library.md", ({ expected }) => expected !== null)).toBeGreaterThanOrEqual(2);
    expect(count("src/library/run.ts", ({ expected }) => expected !== null)).toBe(2);
  });
});

const fenced = (language: string, code: string): string => `\`\`\`${language}\n${code}\`\`\`\n`;
const program = 'import { ms } from "podstorm/engine";\nconsole.log(ms(2), "ns");\n';

describe("the runner", () => {
  it("takes blocks that import podstorm, and leaves fragments alone", () => {
    const markdown = `# Title\n\n${fenced("ts", program)}\n${fenced("ts", "const x = 1;\n")}${fenced("js", program)}`;
    expect(snippetsIn("d.md", markdown)).toEqual([
      { document: "d.md", line: 4, code: program, expected: null },
    ]);
  });

  it("takes an import of several lines for one too", () => {
    const code = 'import {\n  ms,\n} from "podstorm/engine";\n';
    expect(snippetsIn("d.md", fenced("ts", code))).toHaveLength(1);
  });

  it.each<[string, string | null]>([
    ["\n", "2000000 ns\n"],
    ["\nprints:\n\n", "2000000 ns\n"],
    ["\nA sentence.\n\n", null],
    ["\n## Title\n\nOutput:\n", null],
    [`\n${fenced("sh", "npm test\n")}\n`, null],
  ])("takes what follows after %j for the output, or not", (between, expected) => {
    const markdown = fenced("ts", program) + between + fenced("text", "2000000 ns\n");
    expect(snippetsIn("d.md", markdown)[0]!.expected).toBe(expected);
  });

  const snippet = (code: string): Snippet => ({ document: "d.md", line: 1, code, expected: null });

  it("prints as the console does", async () => {
    expect(await run(snippet(program))).toBe("2000000 ns\n");
  });

  it("waits for what a program waits for, and fails with what it rejects with", async () => {
    const waits =
      'import { run } from "podstorm";\nconsole.log(await run.call(null, "no.ts").catch(String));\n';
    expect(await run(snippet(waits))).toContain("no such file");
    await expect(run(snippet(waits.replace(".catch(String)", "")))).rejects.toThrow("no such file");
  });

  it("fails with what the snippet throws, cannot resolve or does not know", async () => {
    await expect(run(snippet(`${program}throw new Error("oh");\n`))).rejects.toThrow("oh");
    await expect(run(snippet('import { x } from "podstorm/nowhere";\nx();\n'))).rejects.toThrow();
    await expect(
      run(snippet('import { nope } from "podstorm/engine";\nnope();\n')),
    ).rejects.toThrow("nope");
  });

  it("refuses a scenario that would not load", async () => {
    const scenario =
      'import { defineScenario } from "podstorm";\nexport default defineScenario({} as any);\n';
    await expect(run(snippet(scenario))).rejects.toThrow("duration");
  });
});
