/**
 * The package: what npm publishes installs into an empty project, where scenarios and programs type-check and run.
 *
 * Seen to fail: with the whole of docs/ among the files, with an entry of `exports` whose types are not built, and with
 * a type of the summary that is not exported.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { publint } from "publint";
import { describe, expect, it } from "vitest";
import { codeBlocks, document } from "../docs/markdown.ts";
import { inProject, installedProject } from "./packed.ts";

const root = join(import.meta.dirname, "..", "..");
const project = installedProject(["@types/node", "fast-check", "vitest"]);

/** What `tsc --init` would ask for, and the declarations themselves checked too. */
const tsconfig = {
  compilerOptions: {
    target: "ES2022",
    module: "NodeNext",
    types: ["node"],
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    rewriteRelativeImportExtensions: true,
    outDir: "out",
  },
  include: ["*.ts"],
};

const program = `import { run, UserError, type RunResult } from "podstorm";
import { ms, Phase, Simulation } from "podstorm/engine";
import { Histogram } from "podstorm/stats";
import scenario from "./first.ts";

const result: RunResult = await run(scenario, { duration: "12s" });
const failed: number = result.requests.failed;
const sim = new Simulation({ seed: "1" });
sim.callAt(ms(2), Phase.start, () => {});
sim.run(ms(5));
const histogram = new Histogram();
histogram.record(sim.nowNs);
const isMistake = await run("nothing.ts").catch((error: unknown) => error instanceof UserError);
console.log(failed > 0, result.requests.ended > 1000, histogram.max, isMistake);
`;

describe("the package", () => {
  it("holds what is needed and nothing else", () => {
    const tops = new Set(project().packed.map((path) => path.split("/")[0]));
    expect([...tops].toSorted()).toEqual([
      "CHANGELOG.md",
      "LICENSE",
      "README.md",
      "dist",
      "docs",
      "package.json",
      "scenarios",
    ]);
    expect(project().packed.filter((path) => /node_modules|docs\/api/.test(path))).toEqual([]);
  });

  it("says nothing that publint has to find fault with", async () => {
    const { messages } = await publint({ pkgDir: project().installed, strict: true, pack: false });
    expect(messages).toEqual([]);
  });

  it("type-checks and runs in somebody's project", async () => {
    const { folder } = project();
    for (const name of ["first.ts", "first.yaml"]) {
      copyFileSync(join(root, "scenarios", name), join(folder, name));
    }
    writeFileSync(join(folder, "mine.ts"), program);
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(tsconfig));
    const checked = await inProject(project(), "tsc", ["-p", "."]);
    expect(checked).toMatchObject({ code: 0, stdout: "" });
    const printed = execFileSync(process.execPath, ["out/mine.js"], { cwd: folder });
    expect(printed.toString()).toBe("true true 5000000 true\n");
    const ran = await inProject(project(), "sim", ["run", "first.ts", "--duration", "12s"]);
    expect(ran.code).toBe(0);
    expect(ran.stdout).toContain("requests");
    expect(readFileSync(join(folder, "results/first/summary.json"), "utf8")).toContain('"first"');
  });

  it("has matchers and arbitraries that work in somebody's tests: those of docs/library.md", async () => {
    const { folder } = project();
    const blocks = codeBlocks(document("docs/library.md")).filter(({ file }) => file !== null);
    expect(blocks.map(({ file }) => file)).toEqual(["web.test.ts", "web.yaml"]);
    for (const { file, text } of blocks) writeFileSync(join(folder, file!), text);
    const broken = blocks[0]!.text.replace("toLoseNoRequests()", 'toKeepTo("requests.count==0")');
    writeFileSync(join(folder, "broken.test.ts"), broken);
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(tsconfig));
    const checked = await inProject(project(), "tsc", ["-p", ".", "--skipLibCheck"]);
    expect(checked).toMatchObject({ code: 0, stdout: "" });
    const argv = ["run", "--maxWorkers=1", "--no-color", "--exclude=out"];
    const ran = await inProject(project(), "vitest", argv);
    expect(ran.stdout).toMatch(/Tests +1 failed \| 3 passed/);
    expect(ran.stderr).toContain("expected to keep to requests.count==0; the figure is ");
  });

  it("names each entry of `exports` once for people and once for the compiler", () => {
    const { exports } = JSON.parse(
      readFileSync(join(project().installed, "package.json"), "utf8"),
    ) as { readonly exports: Readonly<Record<string, unknown>> };
    for (const entry of Object.keys(exports).filter((each) => !each.endsWith(".json"))) {
      expect(exports[entry], entry).toHaveProperty("types");
      expect(exports[entry], entry).toHaveProperty("default");
    }
  });
});

describe("the API reference", () => {
  it("builds without a warning", () => {
    const argv = ["run", "--silent", "docs:api", "--", "--", "--emit", "none"];
    const { status, stdout, stderr } = spawnSync("npm", argv, { cwd: root, encoding: "utf8" });
    expect(`${stdout}${stderr}`).toBe("");
    expect(status).toBe(0);
  }, 120_000);
});
