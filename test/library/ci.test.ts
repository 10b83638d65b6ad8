/**
 * The workflow of docs/ci.md, as written: its `run:` steps in a shell, in a project with the packed package.
 *
 * Seen to fail: with the threshold left out of the page's scenario, and with an option of a step misspelt.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { ended, type Ended } from "../cli/spawned.ts";
import { codeBlocks, document } from "../docs/markdown.ts";
import { installedProject } from "./packed.ts";

interface Step {
  readonly name?: string;
  readonly uses?: string;
  readonly run?: string;
}

const project = installedProject([]);
const page = document("docs/ci.md");
const files = codeBlocks(page).filter(({ file }) => file !== null);
const WORKFLOW = ".github/workflows/rollout.yml";
const MANIFEST = "k8s/web.yaml";

function fileOf(name: string): string {
  return files.find(({ file }) => file === name)!.text;
}

/** As a runner starts it. */
function inShell(script: string, cwd: string): Promise<Ended> {
  const env = { ...process.env, GITHUB_ACTIONS: "true", npm_config_offline: "true" };
  const summary = { GITHUB_STEP_SUMMARY: join(cwd, "step-summary.md") };
  const argv = ["--noprofile", "--norc", "-eo", "pipefail", "-c", script];
  const child = spawn("bash", argv, { cwd, env: { ...env, ...summary } });
  child.stdin.end();
  return ended(child);
}

test("the workflow's steps pass, and fail when the rollout drops requests", async () => {
  const { folder } = project();
  expect(files.map(({ file }) => file)).toEqual([WORKFLOW, "podstorm/rollout.ts", MANIFEST]);
  for (const { file, text } of files) {
    mkdirSync(dirname(join(folder, file!)), { recursive: true });
    writeFileSync(join(folder, file!), text);
  }
  const { jobs } = parse(fileOf(WORKFLOW)) as { jobs: { rollout: { steps: readonly Step[] } } };
  const steps = jobs.rollout.steps.filter(({ run }) => run !== undefined);
  expect(steps).toHaveLength(3);
  const lastStep = jobs.rollout.steps.at(-1)!;
  expect(lastStep.uses).toMatch(/^actions\/upload-artifact@/);
  for (const { run } of steps) {
    const { code, stderr } = await inShell(run!, folder);
    expect([run, code, stderr]).toEqual([run, 0, expect.not.stringContaining("::error")]);
  }
  expect(readFileSync(join(folder, "step-summary.md"), "utf8")).toContain(
    "✓ requests\\_failed.count==0",
  );
  expect(existsSync(join(folder, "results", "rollout", "summary.json"))).toBe(true);

  const worse = fileOf(MANIFEST).replace(/^ *lifecycle:.*\n/m, "");
  expect(worse).not.toBe(fileOf(MANIFEST));
  writeFileSync(join(folder, MANIFEST), worse);
  rmSync(join(folder, "step-summary.md"));
  const gate = steps.find(({ name }) => name === "This rollout drops no request")!;
  const shut = await inShell(gate.run!, folder);
  expect(shut.code).toBe(99);
  const said = shut.stderr.split("\n").filter((line) => line.startsWith("threshold not kept to"));
  expect(said).toHaveLength(1);
  // How many depends on the model; that the page shows this sentence does not.
  const shape = (text: string) => text.replace(/: [\d.]+$/gm, ": N");
  expect(shape(page.text)).toContain(shape(said[0]!));
  expect(shut.stderr).toContain("::error file=podstorm/rollout.ts,title=threshold not kept to::");
  expect(readFileSync(join(folder, "step-summary.md"), "utf8")).toContain(
    "✗ requests\\_failed.count==0",
  );
}, 120_000);
