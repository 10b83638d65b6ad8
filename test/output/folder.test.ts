/** A results folder is whole or not there, and nothing of anybody else's is ever deleted. */
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Table } from "../../src/observe/index.ts";
import {
  checkResultsFolder,
  ResultsError,
  writeResults,
  type Results,
} from "../../src/output/index.ts";

let parent: string;
beforeEach(() => {
  parent = mkdtempSync(join(realpathSync(tmpdir()), "podstorm-test-"));
});
afterEach(() => rmSync(parent, { recursive: true, force: true }));

function results(rows: Table["rows"] = [[1]]): Results {
  return {
    tables: [{ file: "a.csv", columns: ["a"], rows }],
    documents: ({ fingerprint, files }) => ({
      "summary.json": { fingerprint },
      "manifest.json": {
        generator: "podstorm",
        files: [...Object.keys(files), "summary.json", "manifest.json"],
      },
    }),
  };
}

/** Everything in a folder, by name. */
function contents(dir: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(dir).map((name) => [name, readFileSync(join(dir, name), "utf8")]),
  );
}

function* broken(): Generator<readonly number[]> {
  for (let i = 0; i < 5000; i++) yield [i];
  throw new Error("out of rows");
}

async function refused(dir: string, message: RegExp): Promise<void> {
  await expect(checkResultsFolder(dir)).rejects.toThrow(ResultsError);
  await expect(writeResults(dir, results())).rejects.toThrow(message);
}

describe("writeResults", () => {
  it("puts the files directly into the folder, makes its parents and leaves nothing beside it", async () => {
    const dir = join(parent, "deep", "run");
    await writeResults(dir, results());
    expect(readdirSync(dir).sort()).toEqual(["a.csv", "manifest.json", "summary.json"]);
    expect(readdirSync(join(parent, "deep"))).toEqual(["run"]);
  });

  it("hashes what is on the disk", async () => {
    const dir = join(parent, "run");
    const digest = await writeResults(dir, results());
    const file = readFileSync(join(dir, "a.csv"));
    expect(digest.files["a.csv"]).toBe(createHash("sha256").update(file).digest("hex"));
    const all = createHash("sha256").update("a.csv\n").update(file).digest("hex");
    expect(digest.fingerprint).toBe(all.slice(0, 16));
    expect(contents(dir)["summary.json"]).toContain(digest.fingerprint);
  });

  it("writes an unlimited figure as Infinity, not as null", async () => {
    const dir = join(parent, "run");
    const written = { "manifest.json": { limit: Infinity, unknown: null } };
    await writeResults(dir, { tables: [], documents: () => written });
    const manifest: unknown = JSON.parse(readFileSync(join(dir, "manifest.json"), "utf8"));
    expect(manifest).toEqual({ limit: "Infinity", unknown: null });
  });

  it("gives another fingerprint to other results and the same to the same", async () => {
    const first = await writeResults(join(parent, "1"), results([[1]]));
    const same = await writeResults(join(parent, "2"), results([[1]]));
    const other = await writeResults(join(parent, "3"), results([[2]]));
    expect(same).toEqual(first);
    expect(other.fingerprint).not.toBe(first.fingerprint);
  });

  it("makes a folder with the rights that the user's umask gives", async () => {
    const dir = join(parent, "run");
    const plain = join(parent, "plain");
    mkdirSync(plain);
    await writeResults(dir, results());
    expect(statSync(dir).mode).toBe(statSync(plain).mode);
  });

  it("replaces an earlier run's folder, old files and all", async () => {
    const dir = join(parent, "run");
    const wider = results();
    await writeResults(dir, {
      ...wider,
      tables: [...wider.tables, { file: "old.csv", columns: ["a"], rows: [] }],
    });
    await writeResults(dir, results([[2]]));
    expect(readdirSync(dir).sort()).toEqual(["a.csv", "manifest.json", "summary.json"]);
    expect(contents(dir)["a.csv"]).toBe("a\r\n2\r\n");
    expect(readdirSync(parent)).toEqual(["run"]);
  });

  it("takes an empty folder, and follows a link to one", async () => {
    mkdirSync(join(parent, "real"));
    symlinkSync(join(parent, "real"), join(parent, "link"));
    await writeResults(join(parent, "link"), results());
    expect(readdirSync(join(parent, "real"))).toContain("manifest.json");
    expect(readdirSync(parent).sort()).toEqual(["link", "real"]);
  });

  it("leaves the earlier results and nothing else when a row cannot be made", async () => {
    const dir = join(parent, "run");
    await writeResults(dir, results());
    const before = contents(dir);
    await expect(writeResults(dir, results(broken()))).rejects.toThrow("out of rows");
    expect(contents(dir)).toEqual(before);
    expect(readdirSync(parent)).toEqual(["run"]);
  });

  it("leaves nothing when interrupted between two chunks", async () => {
    const controller = new AbortController();
    function* interrupted(): Generator<readonly number[]> {
      for (let i = 0; i < 20_000; i++) {
        if (i === 5000) controller.abort(new Error("Ctrl-C"));
        yield [i];
      }
    }
    const writing = writeResults(join(parent, "run"), results(interrupted()), controller.signal);
    await expect(writing).rejects.toThrow("Ctrl-C");
    expect(readdirSync(parent)).toEqual([]);
  });

  it.skipIf(!existsSync("/dev/full"))("says that the disk is full", async () => {
    // The temporary folder cannot be put on a full disk from here; /dev/full gives the same error.
    const { open } = await import("node:fs/promises");
    const { asResultsError } = await import("../../src/output/errors.ts");
    const file = await open("/dev/full", "w");
    const error = await file.writeFile("x").catch((reason: unknown) => reason);
    await file.close();
    const seen = asResultsError(error, "results/x");
    expect(seen).toBeInstanceOf(ResultsError);
    expect((seen as Error).message).toBe("cannot write results to results/x: the disk is full");
  });
});

describe("what is not podstorm's is left alone", () => {
  it("a folder with other files", async () => {
    writeFileSync(join(parent, "thesis.txt"), "years of work");
    await refused(parent, /holds something other than podstorm results/);
    expect(contents(parent)).toEqual({ "thesis.txt": "years of work" });
  });

  it.each(["{}", "not json", '{"generator":"other","files":["manifest.json"]}', "null"])(
    "a folder with somebody else's manifest.json: %s",
    async (text) => {
      writeFileSync(join(parent, "manifest.json"), text);
      await refused(parent, /holds something other than podstorm results/);
    },
  );

  it("a file of the user's among the results", async () => {
    const dir = join(parent, "run");
    await writeResults(dir, results());
    writeFileSync(join(dir, "analysis.ipynb"), "mine");
    await refused(dir, /"analysis.ipynb", which no run wrote/);
    expect(contents(dir)["analysis.ipynb"]).toBe("mine");
  });

  it("a file in the folder's place, or on the way to it", async () => {
    writeFileSync(join(parent, "file"), "mine");
    await refused(join(parent, "file"), /it is a file/);
    await refused(join(parent, "file", "run"), /is a file|part of the path is a file/);
  });

  it.skipIf(!existsSync("/dev/shm"))("a mount point, which no rename can replace", async () => {
    await refused("/dev/shm", /it is a mount point|holds something other/);
  });

  it("the current folder and those above it", async () => {
    await refused(process.cwd(), /the current folder lies in it/);
    await refused("..", /the current folder lies in it/);
  });
});
