/** Importing files of a test, and running what comes of it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { seconds } from "../../../src/engine/index.ts";
import { compile } from "../../../src/scenario/compile.ts";
import {
  importCluster,
  writtenScenario,
  yamlOf,
  type DraftWishes,
  type Imported,
} from "../../../src/scenario/import/index.ts";
import { defaultProfile } from "../../../src/scenario/profile.ts";
import type { ResolvedScenario } from "../../../src/scenario/resolved.ts";
import { loadFiles } from "../files.ts";

export type Files = Readonly<Record<string, string | Uint8Array>>;

/** Imports files by their names, or a folder of them with `paths`. */
export function importFiles(
  files: Files,
  paths: readonly string[] = Object.keys(files),
  wishes: DraftWishes = {},
): Imported {
  const folder = mkdtempSync(join(tmpdir(), "podstorm-import-"));
  const before = process.cwd();
  try {
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), content);
    }
    process.chdir(folder);
    return importCluster(paths, () => new Uint8Array(), wishes);
  } finally {
    process.chdir(before);
    rmSync(folder, { recursive: true });
  }
}

/** One manifest as the file "all.yaml". */
export function importText(text: string, wishes: DraftWishes = {}): Imported {
  return importFiles({ "all.yaml": text }, ["all.yaml"], wishes);
}

/** What `sim run` makes of the files that an import writes: it has to take them without a mistake. */
export function loadWritten(imported: Imported): Promise<ResolvedScenario> {
  const files = {
    "scenario.ts": writtenScenario(imported.draft, "cluster.yaml"),
    "cluster.yaml": yamlOf(imported.objects),
  };
  return loadFiles(files, { profile: defaultProfile });
}

/** Runs it for a while. @returns the laws that were broken, and how many requests were served */
export function runShortly(scenario: ResolvedScenario, durationNs = seconds(2)) {
  let served = 0;
  let failed = 0;
  const run = compile({ ...scenario, durationNs }, [
    {
      requestEnded: (_client, _service, outcome) => {
        if (outcome === 0) served++;
        else failed++;
      },
    },
  ]);
  run.runUntil(durationNs);
  return { brokenLaws: run.finish().brokenLaws, served, failed };
}

/** A Deployment with a Service in front. */
export function shopPart(
  name: string,
  {
    port = 80,
    env = {},
    kind = "Deployment",
    apiVersion = "apps/v1",
    more = "",
    service = "",
  }: {
    port?: number;
    env?: Record<string, string>;
    kind?: string;
    apiVersion?: string;
    more?: string;
    service?: string;
  } = {},
): string {
  const variables = Object.entries(env).map(([key, value]) => ({ name: key, value }));
  return `
apiVersion: ${apiVersion}
kind: ${kind}
metadata: { name: ${name}, labels: { app: ${name} } }
spec:
  selector: { matchLabels: { app: ${name} } }${more}
  template:
    metadata: { labels: { app: ${name} } }
    spec:
      containers:
        - name: main
          image: registry.example/${name}:1.0
          env: ${JSON.stringify(variables)}
          ports: [{ name: http, containerPort: ${port} }]
---
apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec:
  selector: { app: ${name} }
  ports: [{ name: http, port: ${port} }]${service}
---`;
}
