/** Files and values that nobody meant well: always a UserError, never another one, never a hang. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { validateScenario } from "../../src/scenario/validate.ts";
import { readYaml } from "../../src/scenario/manifests/yaml.ts";
import { FileMistakes, type Mistake } from "../../src/scenario/mistakes.ts";
import { noObjects, readManifestFile } from "../../src/scenario/manifests/read.ts";
import { mistakesIn, scenarioText, webManifest } from "./files.ts";
import { stubProfile } from "./profile-stub.ts";

const bomb = [..."abcdefghi"]
  .map((name, i, all) => `${name}: &${name} [${`*${all[i - 1] ?? "z"},`.repeat(9)}]`)
  .join("\n");

const hostile: Record<string, string | Uint8Array> = {
  "an alias bomb": `z: &z [lol]\n${bomb}`,
  "an alias of itself": "a: &a [*a]",
  "a merge of itself": "a: &a { <<: *a }",
  "an unknown alias": "a: *nowhere",
  "a __proto__ key": "apiVersion: v1\nkind: Service\n__proto__: { polluted: true }",
  "a __proto__ key by alias": "- &k __proto__\n- { *k : 1 }",
  "a __proto__ merge": "apiVersion: v1\nkind: Pod\n<<: { __proto__: { polluted: true } }",
  "duplicate keys": "apiVersion: v1\nkind: Pod\nkind: Service",
  "deep brackets": "[".repeat(100_000),
  "deep braces": "{a: ".repeat(100_000),
  "deep dashes": "- ".repeat(100_000),
  "deep indentation": Array.from({ length: 3000 }, (_, i) => `${" ".repeat(i)}a:`).join("\n"),
  "a syntax error": "a: b: c",
  "a tab": "a:\n\t- b",
  "an unknown tag": "a: !!js/function 'process.exit()'",
  "a binary": "apiVersion: v1\nkind: !!binary aGVsbG8=",
  "a list as a key": "? [a]\n: b",
  "UTF-16": new Uint8Array([0xff, 0xfe, 0x61, 0]),
  "no UTF-8": new Uint8Array([0x61, 0xff, 0xfe]),
  "NUL bytes": new Uint8Array(64),
  "one long line": "x".repeat(1_000_000),
};

describe("hostile YAML", () => {
  test.each(Object.entries(hostile))("%s is a user's mistake", async (_, content) => {
    const found = await mistakesIn({ "scenario.ts": scenarioText(), "web.yaml": content });
    expect(found.length).toBeGreaterThan(0);
    expect(found.length).toBeLessThan(50);
    expect(Math.max(...found.map((text) => text.length))).toBeLessThan(1000);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  test("an honest anchor and a merge key are understood", () => {
    const sink: Mistake[] = [];
    const text = "base: &b { a: 1, c: 2 }\nuse: { <<: *b, a: 3 }\n";
    const [document] = readYaml("x.yaml", new TextEncoder().encode(text), sink);
    expect(document?.value).toEqual({ base: { a: 1, c: 2 }, use: { a: 3, c: 2 } });
    expect(sink).toEqual([]);
  });

  test("of a list of merges the first wins, and the map's own keys win over all", () => {
    const maps = "a: &a { x: 1, y: 1 }\nb: &b { x: 2, y: 2, z: 2 }\n";
    for (const use of ["{ <<: [*a, *b], y: 3 }", "{ y: 3, <<: [*a, *b] }"]) {
      const text = new TextEncoder().encode(`${maps}use: ${use}\n`);
      const [document] = readYaml("x.yaml", text, []);
      expect(document?.value).toMatchObject({ use: { x: 1, y: 3, z: 2 } });
    }
  });

  test("any text is read or refused", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
        readYaml("x.yaml", new TextEncoder().encode(text), []);
      }),
    );
  });

  test("any change of one line of a good manifest is read or refused", async () => {
    const lines = webManifest().split("\n");
    const part = fc.constantFrom(
      "{",
      "[",
      ": ",
      "- ",
      "&a",
      "*a",
      "null",
      "1e999",
      "''",
      "!!str ",
      "true",
      "  ",
    );
    await fc.assert(
      fc.asyncProperty(fc.nat(lines.length - 1), fc.nat(30), part, async (line, column, text) => {
        const changed = lines.with(
          line,
          lines[line]!.slice(0, column) + text + lines[line]!.slice(column),
        );
        await mistakesIn({ "scenario.ts": scenarioText(), "web.yaml": changed.join("\n") });
      }),
      { numRuns: 60 },
    );
  });
});

/** A scenario whose every part is filled in. */
function good(): unknown {
  return {
    duration: "10s",
    cluster: { nodes: 2, nodeShape: { cpu: 4 } },
    clients: [
      {
        name: "c",
        to: "svc/a:1",
        load: { kind: "openLoop", rate: { kind: "constant", rps: 1 } },
      },
    ],
    faults: [{ kind: "resetPods", selector: "a=b", count: 1, at: "1s" }],
    profile: { kubernetes: { kubeProxy: { minSyncPeriod: "1s" } } },
  };
}

function validate(written: unknown): { found: Mistake[]; scenario: unknown } {
  const found: Mistake[] = [];
  const surroundings = { name: "x", description: "", file: null, env: {}, folder: "/nonexistent" };
  const scenario = validateScenario(
    written,
    { ...surroundings, shownFolder: "", defaultProfile: stubProfile },
    new FileMistakes("x.ts", () => null, found),
    found,
  );
  return { found, scenario };
}

describe("hostile scenarios", () => {
  const names = ["duration", "cluster", "clients", "servers", "faults", "profile", "nodes", "kind"];
  const values = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom("1s", "svc/a:1", "openLoop", -1, 1e300, ""),
  );
  const key = fc.oneof(
    fc.constantFrom(...names, "__proto__", "constructor", "toString"),
    fc.string(),
  );

  test("any JSON is a scenario or a list of mistakes, and nothing is thrown", () => {
    const scenarios = fc.dictionary(
      key,
      fc.oneof(values, fc.array(fc.dictionary(key, values)), fc.dictionary(key, values)),
    );
    fc.assert(
      fc.property(fc.oneof(scenarios, fc.jsonValue()), (written) => {
        const { found, scenario } = validate(written);
        expect(scenario === undefined ? found.length > 0 : true).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test("any value in any place of a good scenario is accepted or a mistake", () => {
    const paths = pathsOf(good());
    fc.assert(
      fc.property(fc.constantFrom(...paths), values, (path, value) => {
        const scenario: unknown = good();
        setAt(scenario, path, value);
        validate(scenario);
      }),
      { numRuns: 1000 },
    );
  });

  test("a good scenario has no mistake: the checks above are not vacuous", () => {
    expect(validate({ duration: "1s", cluster: {} }).found).toEqual([]);
  });

  test("a folder as a manifest is a mistake", () => {
    const problems: string[] = [];
    readManifestFile("/", "/", noObjects(), [], (problem) => problems.push(problem));
    expect(problems).toEqual(["is a folder, not a file"]);
  });
});

function pathsOf(value: unknown, path: string[] = []): string[][] {
  if (typeof value !== "object" || value === null) return [path];
  return [
    path,
    ...Object.entries(value).flatMap(([key, part]) => pathsOf(part, [...path, key])),
  ].filter(({ length }) => length > 0);
}

function setAt(target: unknown, path: readonly string[], value: unknown): void {
  const parent = path
    .slice(0, -1)
    .reduce((at, key) => (at as Record<string, unknown>)[key], target);
  (parent as Record<string, unknown>)[path.at(-1)!] = value;
}
