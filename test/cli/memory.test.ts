/** A scenario that will not fit says so before it starts. */
import { describe, expect, it } from "vitest";
import { checkMemory, memoryLimits } from "../../src/cli/memory.ts";
import { expectedMemoryBytes, sizesOf } from "../../src/scenario/footprint.ts";
import type { ResolvedScenario } from "../../src/scenario/resolved.ts";
import { fakeScenario } from "./fakes.ts";

const GIB = 2 ** 30;

function scenario(nodes: number, pods: number): ResolvedScenario {
  const deployment = { kind: "Deployment", spec: { replicas: pods } };
  const empty = { replicaSets: [], workloads: [], pods: [], services: [] };
  const cluster = { ...empty, nodes: Array.from({ length: nodes }), deployments: [deployment] };
  return { ...fakeScenario("big", "1"), cluster } as unknown as ResolvedScenario;
}

const check = (nodes: number, pods: number, heapBytes: number, availableBytes: number) => () =>
  checkMemory(scenario(nodes, pods), { heapBytes, availableBytes });

describe("checkMemory", () => {
  // Seen to fail: with the pods left out of the estimate 300,000 of them are let through.
  it("refuses more than the heap holds, and says how to have more", () => {
    expect(check(1000, 300_000, 4 * GIB, 64 * GIB)).toThrow(
      "cluster: 1,000 nodes, 300,000 pods and 0 Services take about 5.2 GiB; allowed: 4.0 GiB, which Node gives this process: NODE_OPTIONS=--max-old-space-size=7000 gives more",
    );
    expect(check(1000, 300_000, 8 * GIB, 64 * GIB)).not.toThrow();
  });

  it("refuses more than the machine has, whatever the heap", () => {
    expect(check(1000, 300_000, 64 * GIB, 2 * GIB)).toThrow("2.0 GiB, which the machine has left");
  });

  it("lets a small cluster through here and now", () => {
    expect(() => checkMemory(scenario(10, 100), memoryLimits())).not.toThrow();
  });

  it("counts pods of every kind", () => {
    const { cluster } = scenario(2, 3);
    const workloads = [
      { kind: "StatefulSet", spec: { replicas: 5 } },
      { kind: "Job", spec: { parallelism: 4, completions: 2 } },
    ];
    const sizes = sizesOf({ ...cluster, workloads } as unknown as typeof cluster);
    expect(sizes).toEqual({ nodes: 2, pods: 10, services: 0 });
    const more = expectedMemoryBytes({ ...sizes, pods: 1010 }) - expectedMemoryBytes(sizes);
    expect(more / 1000).toBeGreaterThan(13_000);
  });
});
