/**
 * A short storm of pod resets, run once with instruments and once without.
 *
 * Owns: the run that the telemetry tests share.
 */
import { Recording } from "../../src/observe/index.ts";
import { compile } from "../../src/scenario/compile.ts";
import { defaultProfile } from "../../src/scenario/profile.ts";
import type { ResolvedScenario } from "../../src/scenario/resolved.ts";
import type { Instrument } from "../../src/telemetry/index.ts";
import { loadFiles, webManifest } from "../scenario/files.ts";

const text = `import { defineScenario, keepAlive, openLoop, pods, resetPods } from "podstorm";
export default defineScenario({
  duration: "6s",
  cluster: { nodes: 3, manifests: ["web.yaml"] },
  clients: [
    { name: "new", from: pods(2), to: "svc/web:8080", load: openLoop(60), timeout: "1s" },
    {
      name: "kept",
      from: pods(1),
      to: "svc/web:8080",
      load: openLoop(40),
      connections: keepAlive({ poolSize: 4 }),
      timeout: "1s",
      retries: { attempts: 3, initialBackoff: "50ms" },
    },
  ],
  faults: [resetPods({ selector: "app=web", count: 2, at: "2s", how: "kill" })],
});`;

/** Two of four pods are deleted after 2 s. */
export function storm(): Promise<ResolvedScenario> {
  const files = { "scenario.ts": text, "web.yaml": webManifest({ replicas: 4 }) };
  return loadFiles(files, { profile: defaultProfile });
}

/** A pod that answers datagrams, behind a Service. */
export const echoManifest = `apiVersion: v1
kind: Pod
metadata: { name: echo, labels: { app: echo } }
spec: { containers: [{ name: echo, image: echo, ports: [{ containerPort: 53, protocol: UDP }] }] }
---
apiVersion: v1
kind: Service
metadata: { name: echo }
spec: { selector: { app: echo }, ports: [{ port: 53, protocol: UDP }] }
`;

export function watched(scenario: ResolvedScenario, instruments: readonly Instrument[]) {
  const recording = new Recording();
  const watching = instruments.flatMap(({ observers }) => observers);
  const run = compile(scenario, [...recording.observers, ...watching]);
  for (const instrument of instruments) instrument.attach(run);
  run.runUntil(scenario.durationNs);
  const end = run.finish();
  return { run, end, context: { ...end, endNs: run.nowNs }, recording };
}

/** The file of an instrument that has one, or the one of that name. */
export function textOf(instrument: Instrument, path = instrument.paths[0]!): string {
  return [...instrument.content(path)].map(String).join("");
}
