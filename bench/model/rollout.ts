/**
 * A rolling update without traffic: 1,000 pods on 200 nodes, restarted as `kubectl rollout restart` does.
 *
 * Measured is the update alone, from the command to the last pod's end; the cluster is built before. At the
 * size of the tests the same Deployment has few pods on few nodes.
 */
import { Fingerprint, Phase, seconds } from "../../src/engine/index.ts";
import { rolloutRestart } from "../../src/kubernetes/kubectl/index.ts";
import { Recording } from "../../src/observe/recorders/index.ts";
import { compile } from "../../src/scenario/compile.ts";
import type { ResolvedScenario } from "../../src/scenario/resolved.ts";
import type { Benchmark, BenchmarkResult } from "../harness.ts";
import { resolve } from "./scenario.ts";

const PODS_PER_NODE = 5;
/** As many as the hundred pods of the manifest need. */
const FEWEST_NODES = 20;
/** 2,000 calls at 20 a second, and the last pods' start and end. */
const ROLLOUT_S = 600;

function scenarioOf(replicas: number): ResolvedScenario {
  const resolved = resolve("rollout", {
    duration: `${ROLLOUT_S}s`,
    cluster: {
      nodes: Math.max(FEWEST_NODES, replicas / PODS_PER_NODE),
      manifests: ["./hundred.yaml"],
    },
  });
  const deployments = resolved.cluster.deployments.map((each) => ({
    ...each,
    spec: { ...each.spec, replicas },
  }));
  return { ...resolved, cluster: { ...resolved.cluster, deployments } };
}

function prepare(size: number): () => BenchmarkResult {
  const recording = new Recording();
  const run = compile(scenarioOf(size), recording.observers);
  const { api } = run.cluster;
  const user = api.client({ name: "kubectl", qps: 50, burst: 100 });
  run.sim.callAt(seconds(1), Phase.start, () =>
    rolloutRestart(user, "Deployment", "default/server", run.sim.nowNs),
  );
  return () => {
    run.runUntil(seconds(ROLLOUT_S));
    const [deployment] = api.list("Deployment");
    const { updatedReplicas, replicas, availableReplicas } = deployment!.status;
    if (updatedReplicas !== size || replicas !== size || availableReplicas !== size) {
      throw new Error(`not done: ${JSON.stringify(deployment!.status)}`);
    }
    const end = run.finish();
    if (end.brokenLaws.length > 0) throw new Error(JSON.stringify(end.brokenLaws));
    const print = new Fingerprint();
    print.addText(end.eventFingerprint);
    return { work: size, hash: print.hex() };
  };
}

export const rollout: Benchmark = {
  name: "model: rolling update, 5 pods a node, no traffic",
  unit: "pods",
  size: 1000,
  tinySize: 10,
  run: (size) => prepare(size)(),
  prepare,
};
