/**
 * `sim init`: a first scenario to change, with the manifest it reads.
 *
 * Owns: the two files' text, and that nothing is overwritten.
 */
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { printable, ResultsError, shellCommand } from "../output/index.ts";
import { ExitCode, type ExitCodeValue, type Io } from "./io.ts";

/** @throws ResultsError for a file that is there already or cannot be written */
export async function initCommand(file: string, io: Io): Promise<ExitCodeValue> {
  const manifest = file.replace(/(\.[cm]?ts)?$/, ".yaml");
  const scenario = /\.[cm]?ts$/.test(file) ? file : `${file}.ts`;
  // Both or none.
  for (const each of [scenario, manifest]) if (existsSync(each)) throw isThere(each);
  await writeNew(manifest, manifestText);
  await writeNew(scenario, scenarioText(basename(manifest)));
  const run = shellCommand(["sim", "run", scenario]);
  io.stdout.write(
    `${printable(scenario)} and ${printable(manifest)} are written. Next:\n  ${printable(run)}\n`,
  );
  return ExitCode.done;
}

async function writeNew(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text, { flag: "wx" });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") throw isThere(file);
    throw new ResultsError(`cannot write ${file}: ${code ?? String(error)}`);
  }
}

function isThere(file: string): ResultsError {
  return new ResultsError(`cannot write ${file}: it is there already; give another name`);
}

function scenarioText(manifest: string): string {
  return `/** How many requests fail when one of three pods is deleted under load, and for how long? */
import { constant, defineScenario, exponential, openLoop, outside, nodePort, resetPods } from "podstorm";

export default defineScenario({
  // Simulated time. Same scenario and seed, same bytes.
  duration: "30s",
  seed: 1,

  // Four nodes, and what \`kubectl apply\` would be given: your own manifests can stand here.
  cluster: { nodes: 4, manifests: ["./${manifest}"] },

  // What the manifests do not say: how the pods of a workload serve.
  servers: {
    "deploy/web": {
      concurrency: 8,
      queueLimit: 64,
      serviceTime: exponential("5ms"),
      startupTime: "2s",
      onSigterm: "drain",
    },
  },

  // Who asks: pods inside the cluster through the ClusterIP, and hosts outside through the node port.
  clients: [
    { name: "inside", to: "svc/web:80", load: openLoop(constant(200)), timeout: "2s" },
    { name: "outside", from: outside(2), to: nodePort("svc/web"), load: openLoop(constant(50)), timeout: "2s" },
  ],

  // What goes wrong. \`how\`: "delete", "crash" or "kill".
  faults: [resetPods({ selector: "app=web", count: 1, how: "delete", at: "10s" })],

  // What has to hold: \`sim run\` ends with 99 if it does not.
  thresholds: ["requests_failed.rate<1%", "request_duration.p(99)<1s"],
});
`;
}

const manifestText = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 3
  selector:
    matchLabels:
      app: web
  template:
    metadata:
      labels:
        app: web
    spec:
      containers:
        - name: web
          image: nginx:1.29
          ports:
            - containerPort: 80
          readinessProbe:
            httpGet:
              path: /
              port: 80
            periodSeconds: 2
---
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  type: NodePort
  selector:
    app: web
  ports:
    - port: 80
      targetPort: 80
      nodePort: 30080
`;
