/**
 * Every kind of workload in a whole cluster: at rest nothing is left to do, and a cold start comes to rest
 * at the same place.
 *
 * Broken on purpose and seen to fail: a rested status that is not what the controller would write; a
 * StatefulSet at rest without a revision label on its pods (replaced at once).
 */
import { expect, test } from "vitest";
import { objectKey, type Kind } from "../../src/kubernetes/api/types.ts";
import { compile, type Run } from "../../src/scenario/compile.ts";
import { defaultProfile } from "../../src/scenario/profile.ts";
import { loadFiles } from "../scenario/files.ts";

const template = `{ metadata: { labels: { app: NAME } },
    spec: { containers: [{ name: main, image: nginx, ports: [{ containerPort: 80 }] }] } }`;

const workload = (kind: string, name: string, apiVersion: string, more: string): string =>
  `apiVersion: ${apiVersion}
kind: ${kind}
metadata: { name: ${name} }
spec:
  selector: SELECTOR
  template: ${template}
  ${more}
`.replaceAll("NAME", name);

const matching = (name: string): string => `{ matchLabels: { app: ${name} } }`;
const of = (text: string, name: string): string => text.replace("SELECTOR", matching(name));

const manifest = [
  of(workload("Deployment", "web", "apps/v1", "replicas: 3"), "web"),
  of(workload("ReplicaSet", "set", "apps/v1", "replicas: 2"), "set"),
  of(workload("StatefulSet", "db", "apps/v1", "replicas: 3"), "db"),
  of(workload("DaemonSet", "agent", "apps/v1", ""), "agent"),
  workload("ReplicationController", "old", "v1", "replicas: 2").replace("SELECTOR", "{ app: old }"),
  `apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: { name: web }
spec: { selector: ${matching("web")}, maxUnavailable: 34% }
`,
].join("---\n");

const KINDS = [
  "Deployment",
  "ReplicaSet",
  "ReplicationController",
  "StatefulSet",
  "DaemonSet",
  "PodDisruptionBudget",
] as const satisfies readonly Kind[];

async function started(cold: boolean): Promise<Run> {
  const text = `export default { duration: "60s", coldStart: ${cold},
    cluster: { nodes: 3, manifests: ["web.yaml"] } };`;
  const files = { "scenario.ts": text, "web.yaml": manifest };
  return compile(await loadFiles(files, { profile: defaultProfile }), []);
}

/** Statuses, without times, and which pods of a name there are. */
function state({ cluster }: Run) {
  const statuses = KINDS.flatMap((kind) =>
    [...cluster.api.list(kind)].map((object) => [
      `${kind} ${objectKey(object)}`,
      JSON.parse(
        JSON.stringify(object.status, (key, value: unknown) =>
          key.endsWith("TimeNs") ? undefined : value,
        ),
      ) as unknown,
    ]),
  );
  const pods = [...cluster.api.list("Pod")].map(
    ({ metadata, status }) => `${metadata.labels["app"]} ${status.ready.status}`,
  );
  return { statuses: Object.fromEntries(statuses) as object, pods: pods.sort() };
}

test("at rest no controller has anything to do, not even when it looks", async () => {
  const run = await started(false);
  const hand = run.cluster.api.client({ name: "hand", qps: 1e6, burst: 1e6 });
  const pods = () => [...run.cluster.api.list("Pod")].map(({ metadata }) => metadata.uid);
  const before = { ...state(run), uids: pods() };
  for (const kind of KINDS) {
    for (const object of run.cluster.api.list(kind)) {
      hand.patch<Kind>(kind, objectKey(object), (stored) => ({ ...stored }));
    }
  }
  run.runUntil(60e9);
  expect({ ...state(run), uids: pods() }).toEqual(before);
  expect(run.cluster.isQuiet).toBe(true);
});

test("a cold start comes to the state that a start at rest has", async () => {
  const [cold, rest] = [await started(true), await started(false)];
  cold.runUntil(60e9);
  const want = state(rest);
  expect(state(cold)).toEqual(want);
  expect(want.pods).toHaveLength(3 + 2 + 3 + 3 + 2);
  expect(want.statuses).toMatchObject({
    "PodDisruptionBudget default/web": { disruptionsAllowed: 2, expectedPods: 3 },
    "StatefulSet default/db": { readyReplicas: 3, currentReplicas: 3 },
    "DaemonSet default/agent": { desiredNumberScheduled: 3, numberAvailable: 3 },
  });
  expect(cold.finish().brokenLaws).toEqual([]);
});
