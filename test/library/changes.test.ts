/**
 * What the command line may change of a scenario, a program may too, and manifests run without one.
 *
 * Seen to fail: with manifests run without the rates, and with the resets left out of the replay.
 */
import { readFileSync, rmSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { run, runReplications, UserError } from "podstorm";
import { runCli } from "../../src/cli/program.ts";
import { realDependencies } from "../../src/cli/rooms.ts";
import { fakeTerminal } from "../cli/fakes.ts";

const file = "scenarios/first.yaml";
const changes = {
  rates: ["50"],
  resets: ["deploy/web,count=1"],
  nodes: 2,
  duration: "6s",
  seed: 3,
};

it("manifests with everything changed give what the command gives", async () => {
  const folder = mkdtempSync(join(tmpdir(), "podstorm-changes-"));
  try {
    const result = await run({ filename: [file] }, changes);
    expect(result.replay).toBe(
      `sim run -f ${file} --seed 3 --duration 6s --rate 50 --reset deploy/web,count=1 --nodes 2`,
    );
    const out = join(folder, "out");
    const argv = [...result.replay!.split(" ").slice(1), "--out", out, "--quiet"];
    expect(await runCli(argv, fakeTerminal(), realDependencies())).toBe(0);
    const written: unknown = JSON.parse(readFileSync(join(out, "summary.json"), "utf8"));
    expect(JSON.parse(JSON.stringify(result.summary))).toEqual(written);
    expect(result.table("events.csv").some(({ kind }) => kind === "pod_reset")).toBe(true);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it("replications take them, and mistakes in them are told together", async () => {
  const { runs } = await runReplications({ filename: [file] }, { ...changes, replications: 2 });
  expect(runs.map(({ requests }) => requests.started > 200)).toEqual([true, true]);
  const wrong = { rates: ["many"], resets: ["deploy/wed"] };
  const error = await run({ filename: [file] }, wrong).catch((each: unknown) => each);
  expect(error).toBeInstanceOf(UserError);
  expect((error as Error).message).toMatch(/--rate "many"/);
});
