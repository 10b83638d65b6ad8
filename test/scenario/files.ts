/** Scenario files for tests: written to a fresh folder, loaded, and their mistakes as text. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { loadScenario, type LoadOptions } from "../../src/scenario/load.ts";
import { formatMistakes, UserError } from "../../src/scenario/mistakes.ts";
import type { ResolvedScenario } from "../../src/scenario/resolved.ts";
import { stubProfile } from "./profile-stub.ts";

/** Loads `scenario.ts` of these files. */
export async function loadFiles(
  files: Readonly<Record<string, string | Uint8Array>>,
  options: LoadOptions = {},
): Promise<ResolvedScenario> {
  const folder = mkdtempSync(join(tmpdir(), "podstorm-test-"));
  try {
    for (const [name, content] of Object.entries(files)) {
      const path = join(folder, name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, content);
    }
    return await loadScenario(join(folder, "scenario.ts"), { profile: stubProfile, ...options });
  } catch (error) {
    throw error instanceof UserError ? shorten(error, folder) : error;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Each mistake of these files as one line of text, with paths relative to their folder. */
export async function mistakesIn(
  files: Readonly<Record<string, string | Uint8Array>>,
  options: LoadOptions = {},
): Promise<string[]> {
  try {
    await loadFiles(files, options);
  } catch (error) {
    if (error instanceof UserError)
      return error.mistakes.map((mistake) => formatMistakes([mistake]));
    throw error;
  }
  return [];
}

function shorten(error: UserError, folder: string): UserError {
  const folders = [relative(process.cwd(), folder), folder];
  const short = (text: string) => folders.reduce((t, name) => t.replaceAll(`${name}/`, ""), text);
  return new UserError(
    error.mistakes.map((mistake) => ({
      ...mistake,
      file: mistake.file === null ? null : short(mistake.file),
      found: short(mistake.found),
    })),
  );
}

/** A Deployment of `replicas` pods that listen on port 80, and a ClusterIP Service in front. */
export function webManifest({ replicas = 2, service = "", spec = "" } = {}): string {
  return `apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: ${replicas}
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      containers: [{ name: web, image: web, ports: [{ name: http, containerPort: 80 }] }]${spec}
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec:
  selector: { app: web }
  ports: [{ port: 8080, targetPort: 80 }]${service}
`;
}

/** A scenario with these further fields, as source text; its cluster reads web.yaml. */
export function scenarioText(fields = ""): string {
  return `import { defineScenario, openLoop, nodePort, outside, burst, resetPods, exponential, closedLoop, pods } from "podstorm";
export default defineScenario({
  duration: "10s",
  cluster: { nodes: 2, manifests: ["web.yaml"] },
  ${fields}
} as any);
`;
}
