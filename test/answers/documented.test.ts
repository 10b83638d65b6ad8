/** The answer that docs/answers.md shows is what the command prints, and what it says gives it again is that command. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { builtCommand } from "../cli/spawned.ts";

const command = builtCommand();
const words = ["answer", "prestop", "--deploy", "web", "--seed", "1", "--rate", "50"];
words.push("--nodes", "2", "--replications", "2", "--goal", "95%");

it("prints what the documents show", { timeout: 240_000 }, async () => {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [command(), ...words]);
  expect(stderr).toBe("");
  await expect(stdout).toMatchFileSnapshot("golden/prestop.txt");
  expect(readFileSync("docs/answers.md", "utf8")).toContain(`golden/prestop.txt\n${stdout}\`\`\``);
  expect(stdout.replaceAll(/\s+/g, " ")).toContain(`Again sim ${words.join(" ")}`);
});
