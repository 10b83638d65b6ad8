/** What the manifests of workloads say: defaults, what is read, and every mistake with its place. */
import { describe, expect, test } from "vitest";
import { defaultProfile } from "../../src/scenario/profile.ts";
import { loadFiles, mistakesIn, scenarioText, webManifest } from "./files.ts";

const load = (text: string) =>
  loadFiles({ "scenario.ts": scenarioText(), "web.yaml": text }, { profile: defaultProfile });

/** Every mistake in the manifest: line, path, what was found. */
async function mistakesOf(text: string): Promise<string[]> {
  const found = await mistakesIn({ "scenario.ts": scenarioText(), "web.yaml": text });
  return found.map((each) => each.replace(/^web.yaml:\d+:\d+ /, "").replace(/; allowed: .*$/s, ""));
}

/** The Deployment of webManifest with more lines in its spec. */
const deploymentWith = (...lines: string[]): string =>
  webManifest().replace("  replicas:", `${lines.map((line) => `  ${line}\n`).join("")}  replicas:`);

describe("Deployment", () => {
  test("what paces a rollout is read, with Kubernetes' defaults for the rest", async () => {
    const { cluster } = await load(
      deploymentWith(
        "strategy: { rollingUpdate: { maxSurge: 100%, maxUnavailable: 0 } }",
        "minReadySeconds: 5",
        "progressDeadlineSeconds: 30",
        "paused: true",
      ),
    );
    expect(cluster.deployments[0]!.spec).toMatchObject({
      strategy: "RollingUpdate",
      maxSurge: "100%",
      maxUnavailable: 0,
      minReadyNs: 5e9,
      progressDeadlineNs: 30e9,
      revisionHistoryLimit: 10,
      paused: true,
    });
  });

  test("every mistake of a strategy is told", async () => {
    const found = await mistakesOf(
      deploymentWith(
        "strategy: { rollingUpdate: { maxSurge: 0%, maxUnavailable: 0 } }",
        "minReadySeconds: 60",
        "progressDeadlineSeconds: 60",
      ),
    );
    expect(found).toEqual([
      "spec.strategy.rollingUpdate.maxUnavailable: 0 while maxSurge is 0 too",
      "spec.progressDeadlineSeconds: 60",
    ]);
    const recreate = "strategy: { type: Recreate, rollingUpdate: { maxUnavailable: 101% } }";
    expect(await mistakesOf(deploymentWith(recreate))).toEqual([
      "spec.strategy.rollingUpdate: with type Recreate",
      'spec.strategy.rollingUpdate.maxUnavailable: "101%"',
    ]);
  });
});
