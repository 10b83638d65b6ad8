/**
 * Questions asked in this process, of a small cluster.
 *
 * Owns: a cluster that is quick to run, and finding without the changes that an answer tries besides.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { clusterOf, type ClusterOptions } from "../../src/answers/cluster.ts";
import type { Finding, Question } from "../../src/answers/contract.ts";
import { Lab, type Point, type Runner } from "../../src/answers/lab.ts";
import { questions, type QuestionName } from "../../src/answers/questions/index.ts";
import type { Settings } from "../../src/answers/settings.ts";
import { Trials, type TrialBase } from "../../src/answers/trial.ts";

/** One after the other. */
export function runnerOf(base: TrialBase): Runner {
  const trials = new Trials(base, new AbortController().signal);
  return async (settings, from, to) => {
    const measures = [];
    for (let i = from; i < to; i++) measures.push(await trials.run(settings, i));
    return measures;
  };
}

export interface Asked extends ClusterOptions {
  readonly replications?: number;
  readonly goal?: number;
  readonly duration?: string;
}

export function labOf(name: QuestionName, asked: Asked = {}): Lab {
  const { replications = 2, goal, duration, ...options } = asked;
  const question: Question = questions[name];
  const { subject } = clusterOf(options, question.fillsWith ?? 0);
  const { target } = subject;
  const base = { question: name, subject, seed: "1", duration };
  return new Lab({ target, replications, confidence: 0.95, goal }, runnerOf(base));
}

/** What the question finds, and one of its points. */
export function find(name: QuestionName, settings: Settings, asked?: Asked): Promise<Finding> {
  return questions[name].find(labOf(name, asked), settings);
}

export function point(name: QuestionName, settings: Settings, asked?: Asked): Promise<Point> {
  return labOf(name, asked).at(settings);
}

/** A file with manifests, for as long as `use` takes. */
export async function withManifest<T>(text: string, use: (file: string) => T | Promise<T>) {
  const folder = mkdtempSync(join(tmpdir(), "podstorm-answers-"));
  const file = join(folder, "cluster.yaml");
  try {
    writeFileSync(file, text);
    return await use(file);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A Deployment, perhaps with a Service in front. */
export function deployment(
  name: string,
  options: { namespace?: string; service?: boolean; pod?: string; replicas?: number } = {},
): string {
  const { namespace = "default", service = true, pod = "", replicas = 4 } = options;
  const front = `---
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: ${namespace} }
spec: { selector: { app: ${name} }, ports: [{ port: 80 }] }
`;
  return `---
apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name}, namespace: ${namespace} }
spec:
  replicas: ${replicas}
  selector: { matchLabels: { app: ${name} } }
  template:
    metadata: { labels: { app: ${name} } }
    spec:
      containers:
        - name: web
          image: nginx
          ports: [{ containerPort: 80 }]
          readinessProbe: { tcpSocket: { port: 80 }, periodSeconds: 1 }
          ${pod}
${service ? front : ""}`;
}
