/**
 * Files that nobody vouches for: an import takes them or says what is wrong with them, with file and line, and
 * never fails otherwise.
 *
 * Seen to fail: with the depth check of plainJson() taken out (the stack overflows), with scalar() of yamlText.ts
 * quoting nothing (text that looks like numbers comes back as numbers), and with the `__proto__` check of
 * plainJson() taken out (the object's prototype is changed).
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { writtenScenario, yamlOf } from "../../../src/scenario/import/index.ts";
import { readYaml } from "../../../src/scenario/manifests/yaml.ts";
import { UserError } from "../../../src/scenario/mistakes.ts";
import { importFiles, importText, loadWritten, shopPart } from "./imports.ts";

/** What an import says: its mistakes, or null where it takes the file. */
function mistakesOf(content: string | Uint8Array, name = "a.yaml"): string[] | null {
  try {
    importFiles({ [name]: content });
    return null;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return error.message.split("\n");
  }
}

const utf16 = (text: string): Uint8Array => new Uint8Array(Buffer.from(`\uFEFF${text}`, "utf16le"));
const latin1 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "latin1"));
const bomb = `a: &a [x, x, x, x, x, x, x, x, x]
b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]
c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b]
d: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c]
e: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d]
f: &f [*e, *e, *e, *e, *e, *e, *e, *e, *e]
g: &g [*f, *f, *f, *f, *f, *f, *f, *f, *f]
`;

describe("broken files", () => {
  const corpus: [string, string | Uint8Array, RegExp][] = [
    ["an alias bomb", bomb, /^a\.yaml:\d+:\d+ .*(more than 1000 times|too many values)/],
    ["deep JSON", "[".repeat(100_000) + "]".repeat(100_000), /^a\.yaml.*nested more than 200 deep/],
    [
      "deeply indented YAML",
      Array.from({ length: 3000 }, (_, i) => `${" ".repeat(i)}a:`).join("\n"),
      /^a\.yaml:202:202[^\n]*nested more than 200 deep$/,
    ],
    ["deep YAML", "a: ".repeat(1) + "{a: ".repeat(5000), /nested more than 200 deep/],
    [
      "UTF-16 without its mark",
      utf16("kind: Service").subarray(2),
      /^a\.yaml: a byte that is 0, as/,
    ],
    ["UTF-32", new Uint8Array([0xff, 0xfe, 0, 0, 0x61, 0, 0, 0]), /^a\.yaml: .*UTF-32; allowed/],
    ["half a character of UTF-16", utf16("kind: S").subarray(0, -1), /^a\.yaml: .* no UTF-16/],
    ["JSON that ends too early", '{"kind":"List","items":[{"a":', /^a\.yaml:1:\d+:? .*no JSON: /],
    [
      "an image that is a template",
      shopPart("web").replace(/image: .*/, 'image: "{{ .Values.image }}"'),
      /^a\.yaml:\d+:1:? a template.*helm template DIR \| sim import -f -/,
    ],
    [
      "only a kustomization",
      "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n",
      /^a\.yaml:1:1:? a kustomization; allowed: what it comes to: kustomize build DIR/,
    ],
    ["Latin-1", latin1("kind: Sérvice\n"), /^a\.yaml: bytes that are no UTF-8/],
    ["a program", new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0xff]), /no UTF-8/],
    ["a key __proto__", '{"apiVersion":"v1","kind":"Service","__proto__":{"x":1}}', /__proto__/],
    [
      "the same in YAML",
      "apiVersion: v1\nkind: Service\n__proto__: { x: 1 }",
      /^a\.yaml:3:1 .*__proto__/,
    ],
    ["an open quote", 'apiVersion: v1\nkind: "Service\n', /^a\.yaml:\d+:\d+: YAML: /],
    ["an unknown alias", "apiVersion: v1\nkind: *gone\n", /^a\.yaml:2:\d+:? .*alias/],
    ["nothing", "", /^a\.yaml: no object/],
    ["comments only", "# a\n---\n# b\n", /^a\.yaml: no object/],
    ["a scalar", "42", /^a\.yaml:1:1: no object/],
    [
      "no kind",
      "apiVersion: v1\nmetadata: { name: a }\n",
      /^a\.yaml:1:1: no object with apiVersion/,
    ],
  ];
  test.each(corpus)("%s is the user's mistake, with its place", (_name, content, said) => {
    const started = performance.now();
    expect(mistakesOf(content)?.join("\n")).toMatch(said);
    expect(performance.now() - started).toBeLessThan(20_000);
  });

  test("files of other tools are told by their names, with what makes manifests of them", () => {
    const said = (name: string) => mistakesOf("resources: [a.yaml]\n", name)?.join("\n");
    expect(said("kustomization.yaml")).toContain("kustomize build DIR | sim import -f -");
    expect(said("docker-compose.yml")).toContain("kompose convert");
    expect(said("values-prod.yaml")).toContain("helm template DIR | sim import -f -");
  });

  /** Seen to fail with decode() reading UTF-8 only, and with parsedStream() giving up at once. */
  test("PowerShell's UTF-16 with its mark, and jq's objects one after the other, are read", () => {
    const taken = (content: string | Uint8Array) => importFiles({ "a.json": content }).objects;
    const web = shopPart("web").replace(/---$/, "");
    const bigEndian = Buffer.from(utf16(web)).swap16();
    expect(importFiles({ "a.yaml": utf16(web) }).objects).toHaveLength(2);
    expect(importFiles({ "a.yaml": new Uint8Array(bigEndian) }).objects).toHaveLength(2);
    const object = (kind: string, name: string) =>
      JSON.stringify({
        apiVersion: "v1",
        kind,
        metadata: { name },
        spec: { ports: [{ port: 80 }] },
      });
    const stream = `${object("Service", '}{"')}\n${object("Service", "a")}${object("Service", "b")}\n`;
    const { report, objects } = importFiles({ "a.json": stream });
    expect(objects).toHaveLength(2);
    // The place of a mistake in a later one is its own.
    expect(report.join("\n")).toMatch(/a\.json:1/);
    expect(taken(`${object("Namespace", "x")}\n`)).toHaveLength(1);
  });

  test("more than 64 MiB are not read to the end", () => {
    const large = new Uint8Array(70 * 2 ** 20).fill(0x20);
    expect(mistakesOf(large)?.[0]).toMatch(/^a\.yaml: \d+ bytes; allowed: at most \d+ bytes/);
  });

  test("what would take a parser gigabytes is told before it begins", () => {
    const lines = `x:\n${"- a\n".repeat(2_000_000)}`;
    expect(mistakesOf(lines)?.[0]).toMatch(
      /^a\.yaml: 2000001 lines, brackets and commas; allowed: at most/,
    );
    const halfJson = `{"items": [${'{"a": [1]},\n'.repeat(200_000)}`;
    expect(mistakesOf(halfJson)?.[0]).toMatch(/^a\.yaml:200001:\d+: no JSON: /);
  });

  test("a byte-order mark and Windows' line ends are no mistakes", () => {
    expect(mistakesOf(`\uFEFF${shopPart("web").replaceAll("\n", "\r\n")}`)).toBeNull();
  });

  test("all files are judged before anything is said", () => {
    const files = { "a.yaml": "a: [", "b.yaml": "b: ]", "c.yaml": shopPart("web") };
    expect(() => importFiles(files)).toThrow(/a\.yaml:1[^]*b\.yaml:1/);
  });

  test("a file that is not there, and one that is no file", () => {
    expect(() => importFiles({}, ["gone.yaml"])).toThrow("-f gone.yaml: no such file or folder");
    expect(() => importFiles({}, ["/dev/null"])).toThrow(
      "-f /dev/null: neither a file nor a folder",
    );
  });
});

describe("values nobody would write", () => {
  const strange = [
    "1e999",
    "99999999999999999999",
    "-1",
    "0x10",
    ".inf",
    "'a\\0b'",
    "[]",
    "{}",
    "~",
    "null",
  ];
  test.each(strange)("%s, wherever it stands, ends no import", (value) => {
    const fields = ["replicas", "selector", "template", "paused", "strategy", "minReadySeconds"];
    for (const field of fields) {
      const text = `apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: a }\nspec: { ${field}: ${value} }\n---${shopPart("web")}`;
      expect(importText(text).objects.length).toBeGreaterThanOrEqual(2);
    }
  });

  test("names that would break a terminal, a comment or a program stay text", async () => {
    const text = `apiVersion: v1
kind: "Bad\\u001b[31m*/ process.exit(); /*"
metadata: { name: "x\\n\${process.env}" }
---${shopPart("web")}`;
    const imported = importText(text);
    const scenario = writtenScenario(imported.draft, "x.yaml");
    expect(scenario).not.toContain("process");
    await loadWritten(imported);
  });
});

test("any text that is given comes back from the YAML that is written", () => {
  const value = fc.letrec<{ node: unknown }>((tie) => ({
    node: fc.oneof(
      { depthSize: "small" },
      fc.string({ unit: "grapheme" }),
      fc.constantFrom(
        "yes",
        "1.0",
        "0x1",
        "1e3",
        "100m",
        "8Gi",
        "a: b",
        "- x",
        "#",
        "",
        "null",
        "1_0",
      ),
      fc.double({ noNaN: true, noDefaultInfinity: true }).map((each) => (each === 0 ? 0 : each)),
      fc.boolean(),
      fc.array(tie("node"), { maxLength: 3 }),
      fc.dictionary(
        fc.string().filter((key) => key !== "__proto__" && key !== "<<"),
        tie("node"),
        { maxKeys: 4 },
      ),
    ),
  })).node;
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom("a", "b"), value, { minKeys: 1 }), (given) => {
      const [read] = readYaml("a", new TextEncoder().encode(yamlOf([given])), []);
      expect(read?.value).toEqual(JSON.parse(JSON.stringify(given)));
    }),
    { numRuns: 300 },
  );
});

/** A manifest with something else in place of one of its parts. */
const mutated = fc
  .tuple(
    fc.constantFrom(
      "Deployment",
      "StatefulSet",
      "DaemonSet",
      "Service",
      "Pod",
      "Node",
      "Job",
      "Ingress",
    ),
    fc.array(
      fc.tuple(
        fc.constantFrom(
          "metadata",
          "metadata.name",
          "metadata.labels",
          "spec",
          "spec.selector",
          "spec.template",
          "spec.template.spec",
          "spec.template.spec.containers",
          "spec.ports",
          "spec.replicas",
          "spec.template.spec.containers.0.ports",
          "spec.template.spec.containers.0.env",
          "spec.template.metadata.labels",
          "spec.type",
          "spec.clusterIP",
          "status",
          "spec.podCIDR",
          "spec.template.spec.containers.0.resources",
          "spec.rules",
          "spec.template.spec.affinity",
        ),
        fc.oneof(
          fc.jsonValue({ maxDepth: 2 }),
          fc.constantFrom("None", "10.0.0.1", -1, 70_000, "80"),
        ),
      ),
      { minLength: 1, maxLength: 4 },
    ),
  )
  .map(([kind, changes]) => {
    const object = {
      apiVersion: ["Service", "Pod", "Node"].includes(kind) ? "v1" : "apps/v1",
      kind,
      metadata: { name: "a" },
      spec: {
        selector: { matchLabels: { app: "a" } },
        template: {
          metadata: { labels: { app: "a" } },
          spec: { containers: [{ name: "a", image: "a", ports: [{ containerPort: 80 }] }] },
        },
      },
    };
    for (const [path, value] of changes) put(object, path.split("."), value);
    return object;
  });

function put(object: unknown, path: readonly string[], value: unknown): void {
  let at = object as Record<string, unknown>;
  for (const key of path.slice(0, -1)) {
    const next = at[key];
    if (typeof next !== "object" || next === null) return;
    at = next as Record<string, unknown>;
  }
  at[path.at(-1)!] = value;
}

test("whatever stands in a field, the rest is imported and runs", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(mutated, { minLength: 1, maxLength: 3 }), async (objects) => {
      const web = { "web.yaml": shopPart("web") };
      const imported = importFiles({
        "a.json": JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }),
        ...web,
      });
      expect(imported.scenario.cluster.deployments.map(({ metadata }) => metadata.name)).toContain(
        "web",
      );
      if (objects.length === 1) await loadWritten(imported);
    }),
    { numRuns: 60 },
  );
});
