/**
 * The documents say what is so: links lead somewhere, commands are understood, what is shown as output
 * was printed, and examples can be run.
 *
 * Seen to fail: with a link and an anchor misspelt, with `sim run --sed 7`, with a figure of the README's
 * summary and one of the trace in docs/cli.md changed, with a field of its scenario misspelt, and with a sentence missing in not-modelled.md.
 */
import { existsSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { describe, expect, it, test } from "vitest";
import { runCli } from "../../src/cli/program.ts";
import { notModelled } from "../../src/output/index.ts";
import { defaultProfile } from "../../src/scenario/profile.ts";
import { fakeDependencies, fakeTerminal } from "../cli/fakes.ts";
import { mistakesIn } from "../scenario/files.ts";
import { codeBlocks, document, documents, prose, root, type Document } from "./markdown.ts";

const all = documents();

describe.each(all.map((each) => [each.path, each] as const))("%s", (_path, each) => {
  it("links to what is there", () => {
    const targets = [...prose(each).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target!);
    const broken = targets
      .filter((target) => !/^https?:/.test(target))
      .filter((target) => !leadsSomewhere(each, target));
    expect(broken).toEqual([]);
  });

  it("shows commands that sim understands", async () => {
    const wrong: string[] = [];
    for (const command of commandsIn(each)) {
      if (!(await isUnderstood(command))) wrong.push(command);
    }
    expect(wrong).toEqual([]);
  });
});

function leadsSomewhere({ path }: Document, target: string): boolean {
  const [file = "", anchor] = target.split("#");
  const whole = file === "" ? path : posix.join(posix.dirname(path), file);
  if (!existsSync(join(root, whole))) return false;
  return anchor === undefined || anchors(document(whole)).has(anchor);
}

/** Headings as GitHub names them: lower case, dashes for spaces, without other signs. */
function anchors(target: Document): Set<string> {
  const headings = [...prose(target).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => heading!);
  return new Set(
    headings.map((text) =>
      text
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}

/** `sim ...` in code of either kind, without npx, comments, pipes and what is only hinted at. */
function commandsIn(each: Document): string[] {
  const shell = codeBlocks(each).filter(({ language }) => language === "sh");
  const lines = shell.flatMap(({ text }) => text.split(/\n|&&/));
  const inline = [...prose(each).matchAll(/`([^`\n]+)`/g)].map(([, text]) => text!);
  return [...lines, ...inline]
    .map((line) => line.replace(/#.*|\|.*/, "").trim())
    .map((line) => line.replace(/^npx /, ""))
    .filter((line) => line.startsWith("sim "))
    .map((line) => line.replace(" ...", " FILE").replace("COMMAND", "run"));
}

/** By the real command line; only loading is replaced. */
async function isUnderstood(command: string): Promise<boolean> {
  const loaded = new Error("understood");
  loaded.name = "UserError";
  // What a command would read first: nothing is run or written.
  const unread = () => Promise.reject(loaded);
  const dependencies = fakeDependencies({
    loadScenario: unread,
    template: unread,
    importCluster: unread,
    answer: unread,
    plot: unread,
    diffFolders: unread,
    report: { check: unread, write: unread },
  });
  const terminal = fakeTerminal();
  // As a shell takes words: what is in quotes is one.
  const words = [...command.matchAll(/'([^']*)'|\S+/g)].map(([word, quoted]) => quoted ?? word);
  const code = await runCli(words.slice(1), terminal, dependencies);
  return code === 0 || terminal.err() === "understood\n";
}

test("commands are found at all", () => {
  expect(commandsIn(document("README.md"))).toEqual([
    "sim run scenarios/reset-storm.ts",
    "sim run scenarios/mine.ts --seed 7",
    "sim list",
    "sim report results/reset-storm",
  ]);
});

/** Blocks that name the file of which they show parts, with those that are not in it. */
function excerpts(path: string): { readonly parts: number; readonly wrong: readonly string[] }[] {
  const shown = codeBlocks(document(path)).filter(({ language, file }) => {
    return language === "text" && file !== null;
  });
  return shown.map(({ file, text }) => {
    const printed = readFileSync(join(root, file!), "utf8");
    const parts = text.split("...\n");
    return { parts: parts.length, wrong: parts.filter((part) => !printed.includes(part)) };
  });
}

test("docs/cli.md shows what its commands print", () => {
  const wrong = excerpts("docs/cli.md").map((each) => each.wrong);
  expect(wrong).toEqual([[], [], [], [], []]);
});
describe.each(all.filter(({ path }) => path.startsWith("docs/scenarios/")).map((each) => [each]))(
  "$path",
  (page) => {
    it("shows what its scenario prints", () => {
      const name = posix.basename(page.path, ".md");
      expect(page.text).toContain(`sim run scenarios/${name}.ts`);
      const shown = codeBlocks(page).filter(({ file }) => file === `test/golden/${name}.txt`);
      expect(shown.length).toBeGreaterThan(0);
      const printed = readFileSync(join(root, `test/golden/${name}.txt`), "utf8");
      const parts = shown.flatMap(({ text }) => text.split("...\n"));
      expect(parts.filter((part) => !printed.includes(part))).toEqual([]);
    });
  },
);

describe("README.md", () => {
  const blocks = codeBlocks(document("README.md"));

  it("shows the summary that its first command prints", () => {
    const [shown] = excerpts("README.md");
    expect(shown!.parts).toBeGreaterThan(1);
    expect(shown!.wrong).toEqual([]);
  });

  it("shows a scenario without a mistake", async () => {
    const scenario = blocks.find(({ language }) => language === "ts");
    const manifest = readFileSync(join(root, "scenarios/nginx.yaml"));
    const files = { "scenario.ts": scenario!.text, "nginx.yaml": manifest };
    expect(await mistakesIn(files, { profile: defaultProfile })).toEqual([]);
  });
});

/** Seen to fail with a count in docs/scenarios/dns-storm.md changed. */
describe.each(all.filter(({ path }) => path.startsWith("docs/scenarios/")))("$path", (page) => {
  it("shows what its scenario prints", () => {
    const shown = codeBlocks(page).filter(({ file }) => file !== null);
    expect(shown.length).toBeGreaterThan(0);
    for (const { file, text } of shown) {
      const printed = readFileSync(join(root, file!), "utf8");
      expect(text.split("...\n").filter((part) => !printed.includes(part))).toEqual([]);
    }
  });
});

test("docs/not-modelled.md lists what every manifest lists, in the same words", () => {
  const { text } = document("docs/not-modelled.md");
  const [list = ""] = text.split("## Simplified");
  const items = [...list.matchAll(/^- ([\s\S]*?)(?=\n- |\n\n)/gm)].map(([, item]) =>
    item!.replace(/\s+/g, " "),
  );
  expect(items).toEqual(notModelled);
});
