/**
 * The soak finds what is broken, makes it small, and writes what `sim run` takes. What is broken here: drops by a
 * partition are counted nowhere. `npm run soak` itself runs for as long as it is told; here a few cases do.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { flushConntrack, openLoop, partition, pods, resetPods, stealCpu } from "../../src/index.ts";
import { Network } from "../../src/network/network.ts";
import { loadScenario } from "../../src/scenario/index.ts";
import { manifestOf } from "../../src/testing/arbitraries/apps.ts";
import type { WholeScenario } from "../../src/testing/arbitraries/scenarios.ts";
import { writeScenario } from "../laws/written.ts";
import { drawCase, judge } from "./case.ts";
import { shrink } from "./shrink.ts";

afterEach(() => vi.restoreAllMocks());

/** Two clients of one Service on three nodes, and more faults than the one that matters. */
function caseWithPartition(): WholeScenario {
  const app = {
    replicas: 3,
    service: { type: "ClusterIP" as const },
    targetPort: 80 as const,
    graceSeconds: 1,
    sidecar: false,
  };
  const client = { to: "svc/app-0:8080", load: openLoop(20), timeout: "200ms" as const };
  return {
    input: {
      duration: "4000ms",
      cluster: { nodes: 3 },
      profile: { kubernetes: { apiServer: { watchLatency: "20ms" } } },
      clients: [
        { ...client, name: "one" },
        { ...client, name: "two", from: pods(2) },
      ],
      faults: [
        flushConntrack({ hosts: "node-2", at: "1s" }),
        stealCpu({ nodes: "node-1", share: 0.5, at: "1s", for: "1s" }),
        partition({ from: "node-1", at: "2s", for: "1s" }),
        resetPods({ selector: "app=app-0", count: 1, at: "2s" }),
      ],
    },
    objects: manifestOf(app, 0),
  };
}

/** What `run` says while drops by a partition have no name. */
function breaks<T>(run: () => T): T {
  const { countDrop } = Network.prototype;
  const broken = vi.spyOn(Network.prototype, "countDrop").mockImplementation(function (
    this: Network,
    place,
    cause,
    packets,
  ) {
    if (cause !== "partitioned") countDrop.call(this, place, cause, packets);
  });
  try {
    return run();
  } finally {
    broken.mockRestore();
  }
}

test("a failure is found, shrunk to the one fault that causes it, and written to be replayed", async () => {
  const whole = caseWithPartition();
  expect(judge(whole).signature).toBe(null);
  const found = breaks(() => judge(whole));
  expect(found.signature).toBe("law 1 conservation");
  const smallest = breaks(() =>
    shrink(whole, (each) => judge(each).signature === found.signature, 150),
  );
  expect(smallest.input.faults).toMatchObject([{ kind: "partition" }]);
  expect(smallest.input.clients!.length).toBe(1);
  expect(smallest.input.profile).toBeUndefined();

  const folder = mkdtempSync(join(tmpdir(), "podstorm-soak-"));
  try {
    const file = writeScenario(smallest, "What breaks it?", folder);
    expect((await loadScenario(file)).faults).toMatchObject([{ kind: "partition" }]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a case is the same each time it is drawn, and others differ in the kinds of their faults and objects", () => {
  expect(drawCase(3)).toEqual(drawCase(3));
  const kinds = new Set<string>();
  const objectKinds = new Set<string>();
  for (let seed = 1; seed <= 40; seed++) {
    const { input, objects } = drawCase(seed);
    for (const { kind } of input.faults!) kinds.add(kind);
    for (const { kind } of objects as { kind: string }[]) objectKinds.add(kind);
  }
  expect([...objectKinds].sort()).toEqual([
    "CronJob",
    "DaemonSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "Job",
    "PodDisruptionBudget",
    "Service",
    "StatefulSet",
  ]);
  expect([...kinds].sort()).toEqual(
    expect.arrayContaining(["flushConntrack", "netem", "partition", "resetPods", "stealCpu"]),
  );
});
