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

const pod = "spec: { containers: [{ name: main, image: nginx, ports: [{ containerPort: 80 }] }] }";
const template = `{ metadata: { labels: { app: db } }, ${pod} }`;
const selector = "{ matchLabels: { app: db } }";
const object = (kind: string, apiVersion: string, spec: string): string =>
  `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: { name: db }\nspec: ${spec}\n`;

describe("the other workloads", () => {
  test("StatefulSet", async () => {
    const spec = `{ replicas: 3, selector: ${selector}, template: ${template}, serviceName: db,
      podManagementPolicy: Parallel, updateStrategy: { rollingUpdate: { partition: 2 } } }`;
    const { cluster } = await load(
      `${webManifest()}---\n${object("StatefulSet", "apps/v1", spec)}`,
    );
    expect(cluster.workloads[0]).toMatchObject({
      kind: "StatefulSet",
      spec: {
        replicas: 3,
        podManagementPolicy: "Parallel",
        updateStrategy: "RollingUpdate",
        partition: 2,
      },
    });
  });

  test("DaemonSet: one may be unavailable by default, none if there is a surge", async () => {
    const spec = (more: string): string =>
      `{ selector: ${selector}, template: ${template}${more} }`;
    const surging = ", updateStrategy: { rollingUpdate: { maxSurge: 10% } }";
    for (const [more, want] of [
      ["", { maxSurge: 0, maxUnavailable: 1 }],
      [surging, { maxSurge: "10%", maxUnavailable: 0 }],
    ] as const) {
      const text = `${webManifest()}---\n${object("DaemonSet", "apps/v1", spec(more))}`;
      expect((await load(text)).cluster.workloads[0]!.spec).toMatchObject(want);
    }
    const both = ", updateStrategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 1 } }";
    expect(await mistakesOf(object("DaemonSet", "apps/v1", spec(both)))).toEqual([
      "spec.updateStrategy.rollingUpdate.maxUnavailable: set while maxSurge is set",
    ]);
  });

  test("Job: one completion by default; its pods end", async () => {
    const job = (policy: string): string =>
      object(
        "Job",
        "batch/v1",
        `{ template: { spec: { restartPolicy: ${policy}, ${pod.slice(8)} } }`,
      );
    const { cluster } = await load(`${webManifest()}---\n${job("Never")}`);
    expect(cluster.workloads[0]!.spec).toMatchObject({
      parallelism: 1,
      completions: 1,
      backoffLimit: 6,
      template: { labels: { "job-name": "db" } },
    });
    expect(await mistakesOf(job("Always"))).toEqual(['spec.template.spec.restartPolicy: "Always"']);
  });

  test("ReplicationController: its selector is the template's labels by default", async () => {
    const text = object("ReplicationController", "v1", `{ replicas: 2, template: ${template} }`);
    const { cluster } = await load(`${webManifest()}---\n${text}`);
    expect(cluster.workloads[0]).toMatchObject({
      kind: "ReplicationController",
      spec: { replicas: 2, selector: { matchLabels: { app: "db" } } },
    });
  });

  test("PodDisruptionBudget: one bound, not two", async () => {
    const text = (spec: string): string =>
      `${webManifest()}---\n${object("PodDisruptionBudget", "policy/v1", spec)}`;
    const { cluster } = await load(text(`{ selector: ${selector}, maxUnavailable: 30% }`));
    expect(cluster.budgets[0]!.spec).toMatchObject({ minAvailable: null, maxUnavailable: "30%" });
    expect(await mistakesOf(text(`{ minAvailable: 1, maxUnavailable: 1 }`))).toEqual([
      "spec.maxUnavailable: beside minAvailable",
    ]);
  });

  test("what they ask for and is not modelled is listed; so is a CronJob", async () => {
    const spec = `{ selector: ${selector}, template: ${template}, volumeClaimTemplates: [] }`;
    const cron = object("CronJob", "batch/v1", "{}").replace("name: db", "name: nightly");
    const { ignored } = await load(
      `${webManifest()}---\n${object("StatefulSet", "apps/v1", spec)}---\n${cron}`,
    );
    expect(ignored.map(({ object: title, reason }) => `${title}: ${reason}`)).toEqual([
      "StatefulSet db: volumes are not simulated",
      "CronJob nightly: CronJob is not modelled yet",
    ]);
  });
});
