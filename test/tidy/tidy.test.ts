/**
 * The house rules that can be checked: who may import whom, what model code may not touch, how long a
 * function may be. Each rule names the file and line that breaks it.
 */
import { describe, expect, it } from "vitest";
import { importsOf, sourceFiles } from "./source.ts";

/** Rooms from the bottom up: a room imports from itself and from those before it. */
const ROOMS = [
  "engine",
  "stats",
  "observe",
  "network",
  "docker",
  "kubernetes",
  "workload",
  "faults",
  "scenario",
  "output",
  "inspect",
  "report",
  "telemetry",
  "plot",
  "library",
  "answers",
  "testing",
  "cli",
];
/** Rooms whose code runs inside a simulation. */
const MODEL = new Set(ROOMS.slice(0, ROOMS.indexOf("scenario")));
/** Where addresses are parsed, before or at the edge of the model. */
const ADDRESS_EDGES = new Set([
  "src/network/address.ts",
  "src/kubernetes/allocators/cluster-ip.ts",
]);
const FUNCTION_LINES_MAX = 70;
const FILE_LINES_MAX = 700;

const files = sourceFiles("src");
const roomOf = (path: string): string => path.split("/")[1]!;
const model = files.filter(({ path }) => MODEL.has(roomOf(path)));

describe("rooms", () => {
  it("import only from rooms below", () => {
    const wrong = files.flatMap((file) => {
      const own = ROOMS.indexOf(roomOf(file.path));
      return importsOf(file)
        .filter((target) => target.startsWith("src/") && ROOMS.indexOf(roomOf(target)) > own)
        .filter(() => own >= 0)
        .map((target) => `${file.path} imports ${target}`);
    });
    expect(wrong).toEqual([]);
  });

  it("are all known", () => {
    const unknown = files.filter(
      ({ path }) => path.split("/").length > 2 && !ROOMS.includes(roomOf(path)),
    );
    expect(unknown.map(({ path }) => path)).toEqual([]);
  });

  it("keep domain words where they belong: none in the engine, no Kubernetes in the network", () => {
    const words = (path: string, pattern: RegExp): string[] =>
      files
        .filter((file) => file.path.startsWith(path))
        .flatMap(({ path: name, code }) =>
          [...code.matchAll(pattern)].map(([word]) => `${name}: ${word}`),
        );
    expect(words("src/engine/", /\b(pod|packet|kube\w*|endpoint|service)s?\b/gi)).toEqual([]);
    expect(words("src/network/", /\b(kube\w*|pods?|deployment|kubelet)\b/gi)).toEqual([]);
    expect(words("src/docker/", /\b(kube\w*|pods?|deployment|kubelet)\b/gi)).toEqual([]);
  });

  it("import model-side packages only in the engine and at the edge of addresses", () => {
    const wrong = model.flatMap((file) =>
      importsOf(file)
        .filter((target) => !target.startsWith("src/"))
        .filter((target) => !(target === "seedrandom" && file.path === "src/engine/random.ts"))
        .filter((target) => !(target === "ip-address" && ADDRESS_EDGES.has(file.path)))
        .map((target) => `${file.path} imports ${target}`),
    );
    expect(wrong).toEqual([]);
  });
});

describe("model code", () => {
  const banned: readonly [string, RegExp][] = [
    ["Math.random", /\bMath\.random\b/],
    [
      "functions that differ between engines",
      /\bMath\.(log\w*|exp\w*|pow|sin\w*|cos\w*|tan\w*|a(?:sin|cos|tan)\w*|cbrt|hypot)\b/,
    ],
    ["Date", /\bDate\b/],
    ["performance.now", /\bperformance\b/],
    ["timers", /\b(setTimeout|setInterval|setImmediate|queueMicrotask)\b/],
    ["promises", /\b(async|await|Promise)\b/],
    ["locales", /\b(localeCompare|Intl|toLocale\w+)\b/],
    ["the process", /\bprocess\.(exit|stdout|stderr|env|hrtime|argv)\b/],
    ["printing", /\bconsole\./],
    ["for..in, which takes integer keys first", /\bfor\s*\(\s*(const|let)\s+\w+\s+in\b/],
  ];

  it.each(banned)("does not use %s", (_name, pattern) => {
    const wrong = model.flatMap(({ path, code }) =>
      code
        .split("\n")
        .flatMap((line, i) => (pattern.test(line) ? [`${path}:${i + 1}: ${line.trim()}`] : [])),
    );
    expect(wrong).toEqual([]);
  });
});

describe("every file", () => {
  it("opens by saying what it owns", () => {
    const silent = files.filter(({ text }) => !/^(#!.*\n)?\/\*\*/.test(text));
    expect(silent.map(({ path }) => path)).toEqual([]);
  });

  it("has no default export", () => {
    const wrong = files.filter(({ code }) => /^export default\b/m.test(code));
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });

  it("is imported by another, or is a door", () => {
    const imported = new Set(files.flatMap(importsOf));
    const doors = /(^|\/)(index|main)\.tsx?$/;
    const lonely = files.filter(({ path }) => !imported.has(path) && !doors.test(path));
    expect(lonely.map(({ path }) => path)).toEqual([]);
  });

  it(`has no function of more than ${FUNCTION_LINES_MAX} lines and is no longer than ${FILE_LINES_MAX}`, () => {
    const wrong = files.flatMap(({ path, code }) => {
      const long = functionLengths(code)
        .filter(({ lines }) => lines > FUNCTION_LINES_MAX)
        .map(({ line, lines }) => `${path}:${line}: ${lines} lines`);
      const total = code.split("\n").length;
      return total > FILE_LINES_MAX ? [...long, `${path}: ${total} lines`] : long;
    });
    expect(wrong).toEqual([]);
  });
});

/**
 * Functions and methods by their formatting: a header whose own line, or the line that closes its
 * parameters at the same indentation, ends in "{"; closed by "}" at that indentation.
 */
function functionLengths(code: string): { readonly line: number; readonly lines: number }[] {
  const lines = code.split("\n");
  const found: { line: number; lines: number }[] = [];
  for (const [start, line] of lines.entries()) {
    const header =
      /^(\s*)(?:export |private |static |async |override |get |set |function\*? |\*)*#?\w+(?:<.*>)?\(/.exec(
        line,
      );
    if (header === null || /^\s*(if|for|while|switch|return|catch)\b/.test(line)) continue;
    const indent = header[1]!;
    const opensHere = /\)[^()]*\{$/.test(line);
    const closing = new RegExp(`^${indent}\\)[^()]*\\{$`);
    const opensLater =
      line.endsWith("(") &&
      lines.slice(start + 1).find((each) => new RegExp(`^${indent}\\S`).test(each));
    if (!opensHere && !(typeof opensLater === "string" && closing.test(opensLater))) continue;
    const end = lines.findIndex((each, i) => i > start && each.startsWith(`${indent}}`));
    if (end > start) found.push({ line: start + 1, lines: end - start + 1 });
  }
  return found;
}
