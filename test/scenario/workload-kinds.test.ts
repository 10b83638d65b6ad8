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

  test("CronJob: Allow, three and one by default; the labels of its pods are the template's", async () => {
    const cron = object(
      "CronJob",
      "batch/v1",
      `{ schedule: "@hourly", jobTemplate: { spec: { template: { metadata: { labels: { app: db } }, spec: { restartPolicy: Never, ${pod.slice(8)} } } } }`,
    );
    const { cluster } = await load(`${webManifest()}---\n${cron}`);
    expect(cluster.workloads[0]!.spec).toMatchObject({
      schedule: "@hourly",
      concurrencyPolicy: "Allow",
      startingDeadlineNs: null,
      successfulJobsHistoryLimit: 3,
      failedJobsHistoryLimit: 1,
      job: { parallelism: 1, completions: 1, backoffLimit: 6 },
      template: { labels: { app: "db" } },
    });
  });

  test("what they ask for and is not modelled is listed", async () => {
    const spec = `{ selector: ${selector}, template: ${template}, volumeClaimTemplates: [] }`;
    const cron = object(
      "CronJob",
      "batch/v1",
      `{ schedule: "0 4 * * *", timeZone: Europe/Berlin, jobTemplate: { spec: { ttlSecondsAfterFinished: 1, template: { spec: { schedulerName: own, restartPolicy: Never, ${pod.slice(8)} } } } }`,
    ).replace("name: db", "name: nightly");
    const { ignored } = await load(
      `${webManifest()}---\n${object("StatefulSet", "apps/v1", spec)}---\n${cron}`,
    );
    expect(ignored.map(({ object: title, reason }) => `${title}: ${reason}`)).toEqual([
      "StatefulSet db: volumes are not simulated",
      "CronJob nightly: there is one scheduler",
      "CronJob nightly: not modelled: a finished Job stays",
      "CronJob nightly: schedules are in UTC",
    ]);
  });
});

describe("HorizontalPodAutoscaler", () => {
  const withCpu = webManifest().replace(
    "containerPort: 80 }]",
    "containerPort: 80 }], resources: { requests: { cpu: 100m } }",
  );
  const scaler = (spec: string, version = "autoscaling/v2", name = "web"): string =>
    object(
      "HorizontalPodAutoscaler",
      version,
      `{ scaleTargetRef: { kind: Deployment, name: ${name} }, ${spec} }`,
    );

  test("80 % of CPU and one replica by default; v1 has one number", async () => {
    const { cluster } = await load(`${withCpu}---\n${scaler("maxReplicas: 5")}`);
    expect(cluster.autoscalers[0]!.spec).toMatchObject({
      minReplicas: 1,
      maxReplicas: 5,
      targetUtilization: 80,
      behavior: null,
    });
    const v1 = scaler("maxReplicas: 5, targetCPUUtilizationPercentage: 40", "autoscaling/v1");
    const older = await load(`${withCpu}---\n${v1}`);
    expect(older.cluster.autoscalers[0]!.spec.targetUtilization).toBe(40);
  });

  test("behavior that is written in part gets upstream's defaults for the rest", async () => {
    const text = scaler(
      "maxReplicas: 5, behavior: { scaleDown: { stabilizationWindowSeconds: 60 } }",
    );
    const { cluster } = await load(`${withCpu}---\n${text}`);
    expect(cluster.autoscalers[0]!.spec.behavior).toEqual({
      scaleUp: {
        stabilizationWindowNs: 0,
        selectPolicy: "Max",
        policies: [
          { type: "Pods", value: 4, periodNs: 15e9 },
          { type: "Percent", value: 100, periodNs: 15e9 },
        ],
        tolerance: null,
      },
      scaleDown: {
        stabilizationWindowNs: 60e9,
        selectPolicy: "Max",
        policies: [{ type: "Percent", value: 100, periodNs: 15e9 }],
        tolerance: null,
      },
    });
  });

  test("a workload that is not there, or asks for no CPU, and bounds in the wrong order are mistakes", async () => {
    const none = scaler("maxReplicas: 5", "autoscaling/v2", "wbe");
    expect(await mistakesOf(`${withCpu}---\n${none}`)).toEqual([
      'spec.scaleTargetRef.name: no Deployment "wbe"',
    ]);
    expect(await mistakesOf(`${webManifest()}---\n${scaler("maxReplicas: 5")}`)).toEqual([
      "spec.scaleTargetRef.name: Deployment web requests no CPU in container web",
    ]);
    const order = scaler("minReplicas: 6, maxReplicas: 5");
    expect(await mistakesOf(`${withCpu}---\n${order}`)).toEqual(["spec.maxReplicas: 5"]);
  });

  test("other metrics are listed", async () => {
    const text = scaler("maxReplicas: 5, metrics: [{ type: External, external: {} }]");
    const { ignored, cluster } = await load(`${withCpu}---\n${text}`);
    expect(cluster.autoscalers).toEqual([]);
    expect(ignored.map(({ reason }) => reason)).toEqual([
      "only CPU utilisation of pods is modelled",
    ]);
  });
});
