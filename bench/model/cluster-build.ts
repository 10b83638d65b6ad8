/**
 * A whole large cluster from a scenario, at rest: read, validated, compiled, with every pod placed and running, every
 * kubelet, every slice and every node's rules; and then its first second. Aim: 10,000 Services of 10 pods each on 1,000
 * nodes in under 20 s and 2 GiB.
 */
import { seconds } from "../../src/engine/index.ts";
import { resetPods } from "../../src/index.ts";
import { Recording } from "../../src/observe/recorders/index.ts";
import { compile } from "../../src/scenario/compile.ts";
import type { Benchmark, BenchmarkResult } from "../harness.ts";
import { resolve, runFor } from "./scenario.ts";

const ENDPOINTS = 10;

export const clusterBuild: Benchmark = {
  name: "cluster build: a tenth as many nodes as Services, 10 pods each, at rest, and 1 s",
  unit: "pods",
  size: 100_000,
  tinySize: 200,
  run(size) {
    const services = size / ENDPOINTS;
    const scenario = resolve("cluster-build", {
      duration: "1s",
      cluster: largeCluster(Math.ceil(services / 10), services, ENDPOINTS),
    });
    const { hash } = runFor(scenario, seconds(1));
    return { work: size, hash };
  },
};

/** Kubernetes' own limits: 5,000 nodes, 150,000 pods, 10,000 Services. */
function hugeCluster(pods: number) {
  return largeCluster(Math.ceil(pods / 30), pods / 15, 15);
}

/** Aim: built in under 60 s and 6 GiB. */
export const hugeBuild: Benchmark = {
  name: "huge cluster, built: 30 pods a node, 15 pods a Service, at rest, and 1 s",
  unit: "pods",
  isLong: true,
  size: 150_000,
  tinySize: 60,
  run(size) {
    const scenario = resolve("huge-build", { duration: "1s", cluster: hugeCluster(size) });
    const { hash } = runFor(scenario, seconds(1));
    return { work: size, hash };
  },
};

/** From the deletion of a pod until every node knows its replacement: a few seconds of the cluster's time. */
const RESET_S = 5;
/** Code that has not run yet is slow: the first resets are not measured. */
const WARM_UP = 3;

/** Aim: under 100 ms for each. A tenth of the time, the leases of 5,000 nodes, is spent without a reset as well. */
export const hugeReset: Benchmark = {
  name: "huge cluster, reset: one pod deleted, and 5 s",
  unit: "resets",
  isLong: true,
  size: 10,
  tinySize: 1,
  run: (size) => resetsOf(size)(),
  prepare: resetsOf,
};

function resetsOf(size: number): () => BenchmarkResult {
  const isTiny = size === 1;
  const scenario = resolve("huge-reset", {
    duration: "1h",
    cluster: hugeCluster(isTiny ? 60 : 150_000),
    faults: [
      resetPods({
        selector: "podstorm.dev/filler=filler-1",
        count: 1,
        how: "delete",
        at: "10s",
        every: `${RESET_S}s`,
        times: WARM_UP + size,
      }),
    ],
  });
  const recording = new Recording();
  const run = compile(scenario, recording.observers);
  const startS = 10 + WARM_UP * RESET_S;
  // One nanosecond before the first that counts.
  run.runUntil(seconds(startS) - 1);
  return () => {
    run.runUntil(seconds(startS + size * RESET_S) - 1);
    if (!run.cluster.isQuiet) throw new Error("a change is still under way");
    return { work: size, hash: run.sim.fingerprint() };
  };
}

function largeCluster(nodes: number, services: number, endpoints: number) {
  return {
    nodes,
    podCIDR: "10.0.0.0/9",
    serviceCIDR: "10.192.0.0/12",
    filler: { services, endpoints, pods: true },
  };
}
