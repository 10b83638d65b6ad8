/** A cluster of four nodes in two zones with a web Deployment, a client on node-1, and faults: run, and looked at. */
import { expect } from "vitest";
import { compile } from "../../src/scenario/compile.ts";
import { outcomeNames } from "../../src/observe/observations.ts";
import { defaultProfile } from "../../src/scenario/profile.ts";
import type { Pod } from "../../src/kubernetes/api/types.ts";
import { loadFiles, webManifest } from "../scenario/files.ts";

export interface Ended {
  readonly startS: number;
  readonly endS: number;
  readonly outcome: string;
}

/** Four pods on four nodes in two zones, and a request every 100 ms from a pod on node-1. */
export async function runFaults(
  faults: string,
  duration = "40s",
  manifest = webManifest({ replicas: 4 }),
) {
  const text = `import * as p from "podstorm";
const { apiOutage, cordon, crashNode, drain, failSync, freezeNode, labelNodes, leaderChange, partitionApi, resetPods, rolloutRestart, rolloutUndo, scale, setImage, slowApi, stopKubeProxy, zoneOutage } = p;
export default {
  duration: "${duration}",
  cluster: { nodes: 4, zones: 2, manifests: ["web.yaml"] },
  servers: { "deploy/web": { serviceTime: "1ms", startupTime: "100ms" } },
  clients: [{
    name: "c", from: p.pods(1, { node: "node-1" }), to: "svc/web:8080", timeout: "500ms",
    load: p.openLoop(10, { arrivals: "deterministic" }),
  }],
  faults: [${faults}],
};`;
  const files = { "scenario.ts": text, "web.yaml": manifest };
  const scenario = await loadFiles(files, { profile: defaultProfile });
  const ended: Ended[] = [];
  const events: string[] = [];
  const programmed: number[] = [];
  const tracked: { node: string; deliveredS: number; trackedS: number }[] = [];
  const compiled = compile(scenario, [
    {
      requestEnded: (_client, _service, outcome, startNs, endNs) =>
        ended.push({ startS: startNs / 1e9, endS: endNs / 1e9, outcome: outcomeNames[outcome]! }),
      event: (atNs, kind, object, detail) =>
        events.push(`${atNs / 1e9} ${kind} ${object} ${detail}`),
      endpointProgrammed: (_id, node, atNs, deliveredAtNs, trackedAtNs) => {
        programmed.push(atNs / 1e9);
        tracked.push({ node, deliveredS: deliveredAtNs / 1e9, trackedS: trackedAtNs / 1e9 });
      },
    },
  ]);
  const pods = (): Pod[] => [...compiled.cluster.api.list("Pod")];
  const web = (): Pod[] => pods().filter(({ metadata }) => metadata.labels["app"] === "web");
  const at = (second: number): void => void compiled.runUntil(second * 1e9);
  const finish = (): void => {
    at(scenario.durationNs / 1e9);
    expect(compiled.finish().brokenLaws).toEqual([]);
  };
  return { compiled, ended, events, programmed, tracked, web, at, finish };
}

export const outcomes = (ended: readonly Ended[], fromS: number, toS: number): string[] =>
  [
    ...new Set(ended.filter((e) => e.startS >= fromS && e.startS < toS).map((e) => e.outcome)),
  ].sort();
