/**
 * An image that never becomes ready: a rollout that is stuck, says so at its progress deadline, and is undone; and what
 * may be said of single images.
 */
import { expect, test } from "vitest";
import { compile } from "../../src/scenario/compile.ts";
import { defaultProfile } from "../../src/scenario/profile.ts";
import { outcomeNames } from "../../src/observe/observations.ts";
import { loadFiles, mistakesIn, webManifest } from "../scenario/files.ts";

const probed = webManifest({ replicas: 4 })
  .replace("replicas: 4", "replicas: 4\n  progressDeadlineSeconds: 20")
  .replace(
    "containerPort: 80 }]",
    "containerPort: 80 }], readinessProbe: { httpGet: { path: /, port: 80 }, periodSeconds: 2 }",
  );

const text = (server: string, cluster: string): string => `
import { openLoop, rolloutUndo, setImage } from "podstorm";
export default {
  duration: "80s",
  cluster: { nodes: 2, manifests: ["web.yaml"], ${cluster} },
  servers: { "deploy/web": { serviceTime: "1ms", startupTime: "100ms", ${server} } },
  clients: [{ name: "c", to: "svc/web:8080", load: openLoop(5), timeout: "1s" }],
  faults: [
    setImage({ workload: "deploy/web", image: "web:2", at: "5s" }),
    rolloutUndo({ workload: "deploy/web", at: "45s" }),
  ],
} as any;`;

/**
 * Four pods, of which one may be too few and one too many: two new ones are made, neither becomes ready, three old ones go
 * on. Seen to fail with `images` never looked at (the new pods were ready and the rollout ended), and for the last one
 * without the image's size; the event, with a deadline that is never asked for.
 */
test.each([
  ['images: { "web:2": { startupTime: "24h" } }', "", ""],
  ['images: { "web:2": { kind: "task", duration: "1s", exitCode: 1 } }', "", "CrashLoopBackOff"],
  ["", 'images: { "web:2": "missing" }', "ImagePullBackOff"],
])("the rollout is stuck and is undone: { %s }, { %s }", async (server, cluster, reason) => {
  const files = { "scenario.ts": text(server, cluster), "web.yaml": probed };
  const scenario = await loadFiles(files, { profile: defaultProfile });
  const events: [number, string, string, string][] = [];
  const outcomes = new Set<string>();
  const run = compile(scenario, [
    {
      event: (...event) => void events.push(event),
      requestEnded: (_client, _service, outcome) => outcomes.add(outcomeNames[outcome]!),
    },
  ]);
  const web = () =>
    [...run.cluster.api.list("Pod")].filter(({ metadata }) => metadata.labels["app"] === "web");
  const ready = () => web().filter(({ status }) => status.ready.status);
  const imagesOf = (pods: ReturnType<typeof web>): string[] =>
    pods.map(({ spec }) => spec.containers[0]!.image).toSorted();

  let fewest = 4;
  for (let second = 1; second <= 44; second++) {
    run.runUntil(second * 1e9);
    fewest = Math.min(fewest, ready().length);
  }
  expect(fewest).toBe(3);
  expect(imagesOf(ready())).toEqual(["web", "web", "web"]);
  const waiting = web().filter(({ spec }) => spec.containers[0]!.image === "web:2");
  expect(waiting.length).toBe(2);
  if (reason !== "") {
    const reasons = waiting.flatMap(({ status }) => status.containerStatuses ?? []);
    expect(reasons.map((each) => each.reason)).toContain(reason);
  }
  const [stuck, ...others] = events.filter(([, kind]) => kind === "progress_deadline_exceeded");
  expect(stuck![0] / 1e9).toBeGreaterThan(25);
  expect(stuck![0] / 1e9).toBeLessThan(29);
  expect(stuck!.slice(2)).toEqual(["deployment/default/web", "2 updated, 3 available of 4"]);
  expect(others).toEqual([]);

  run.runUntil(scenario.durationNs);
  expect(imagesOf(ready())).toEqual(["web", "web", "web", "web"]);
  expect([...outcomes]).toEqual(["served"]);
  expect(run.finish().brokenLaws).toEqual([]);
});

test("an image has what the workload says but for its own fields", async () => {
  const images = 'queueLimit: 3, images: { "web:2": { concurrency: 2 }, web: { kind: "task" } }';
  const files = { "scenario.ts": text(images, ""), "web.yaml": probed };
  const { cluster } = await loadFiles(files, { profile: defaultProfile });
  const [server] = cluster.servers;
  expect(server!.images!["web:2"]).toMatchObject({ queueLimit: 3, concurrency: 2 });
  expect(server!.images!["web"]).toMatchObject({ kind: "task" });
  expect(server!.images!["web"]).not.toHaveProperty("queueLimit");
});

test("what is wrong is found, and what nothing runs is remarked on", async () => {
  const wrong = text('images: { "web:2": { concurrency: 0, calls: ["svc/web:8080"] } }', "");
  expect(
    await mistakesIn({ "scenario.ts": wrong, "web.yaml": probed }, { profile: defaultProfile }),
  ).toEqual([
    'scenario.ts:6:93 servers["deploy/web"].images["web:2"].concurrency: 0; allowed: requests at a time: a whole number from 1 to 1000000',
    `scenario.ts:6:109 servers["deploy/web"].images["web:2"].calls: [ 'svc/web:8080' ]; allowed: calls of the workload itself`,
  ]);
  const typo = text('images: { "web:3": { concurrency: 1 } }', "");
  const { ignored } = await loadFiles(
    { "scenario.ts": typo, "web.yaml": probed },
    { profile: defaultProfile },
  );
  expect(ignored.map(({ object, reason }) => `${object}: ${reason}`)).toEqual([
    "image web:3: neither the manifest nor setImage gives deploy/web this image (web, web:2)",
  ]);
});
