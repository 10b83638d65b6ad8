/** What a killed run leaves beside its results, and a disk that takes no more. */
import { spawnSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { partialPath, ResultsError, writeResults, type Results } from "../../src/output/index.ts";

let parent: string;
beforeEach(() => {
  parent = mkdtempSync(join(realpathSync(tmpdir()), "podstorm-test-"));
});
afterEach(() => rmSync(parent, { recursive: true, force: true }));

function results(value: string): Results {
  return {
    tables: [{ file: "a.csv", columns: ["a"], rows: [[value]] }],
    documents: () => ({
      "manifest.json": { generator: "podstorm", files: ["a.csv", "manifest.json"] },
    }),
  };
}

/** The folder in which a run with that process id would write. */
function partialOf(pid: number, target: string): string {
  return partialPath(target).replace(`-${process.pid}-`, `-${pid}-`);
}

function leave(folder: string): string {
  mkdirSync(folder);
  writeFileSync(join(folder, "a.csv"), "half");
  return basename(folder);
}

function deadPid(): number {
  return spawnSync(process.execPath, ["-e", "0"]).pid;
}

describe("what killed runs left beside the results", () => {
  // Seen to fail: without removeLeftovers the dead run's folder stays; without isDead the living one's goes.
  it("is removed by the next run into that folder, and a living run's is not", async () => {
    const target = join(parent, "out");
    leave(partialOf(deadPid(), target));
    const living = leave(partialOf(process.ppid, target));
    const others = leave(partialOf(deadPid(), join(parent, "out2")));
    await writeResults(target, results("new"));
    expect(readdirSync(parent).toSorted()).toEqual([living, others, "out"].toSorted());
  });

  it("of another machine is left alone, as its runs cannot be seen from here", async () => {
    const target = join(parent, "out");
    const name = leave(
      partialOf(deadPid(), target).replace(/partial-[0-9a-f]{8}/, "partial-00000000"),
    );
    await writeResults(target, results("new"));
    expect(readdirSync(parent)).toContain(name);
  });

  // Seen to fail: removed with the rest, the earlier results are gone though the next run writes none.
  it("keeps earlier results that were just moved away until there are others", async () => {
    const target = join(parent, "out");
    await writeResults(target, results("earlier"));
    const retired = `${partialOf(deadPid(), target)}-replaced`;
    renameSync(target, retired);
    const broken = {
      ...results("new"),
      documents: () => {
        throw new Error("no documents");
      },
    };
    await expect(writeResults(target, broken)).rejects.toThrow("no documents");
    expect(readFileSync(join(retired, "a.csv"), "utf8")).toContain("earlier");
    await writeResults(target, results("new"));
    expect(readdirSync(parent)).toEqual(["out"]);
  });
});

/** A file system of 64 KiB; only root may mount one. */
function mountSmall(folder: string): boolean {
  mkdirSync(folder);
  return spawnSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", folder]).status === 0;
}

describe("a full disk", () => {
  it("leaves the earlier results, nothing else, and says so", async ({ skip }) => {
    const disk = join(parent, "disk");
    if (!mountSmall(disk)) skip("a small file system cannot be mounted here");
    try {
      const target = join(disk, "out");
      await writeResults(target, results("earlier"));
      const written = writeResults(target, results("x".repeat(100_000)));
      await expect(written).rejects.toThrow(
        new ResultsError(`cannot write results to ${target}: the disk is full`),
      );
      expect(readdirSync(disk)).toEqual(["out"]);
      expect(readFileSync(join(target, "a.csv"), "utf8")).toContain("earlier");
    } finally {
      spawnSync("umount", [disk]);
    }
  });
});
