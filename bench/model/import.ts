/**
 * `sim import` of a cluster's dump: Deployments and Services with everything that live ones carry, ConfigMaps, and the pods
 * that stand where they stand; read, mended, judged by the strict readers and written. Aim: 5,000 objects in under 3 s.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Fingerprint } from "../../src/engine/index.ts";
import { importCluster, writtenScenario, yamlOf } from "../../src/scenario/import/index.ts";
import type { Benchmark } from "../harness.ts";

/** A Deployment, its Service, a ConfigMap and two pods. */
const OBJECTS = 5;
const PODS_A_NODE = 40;

export const importDump: Benchmark = {
  name: "import of a dump: objects of kubectl get -o json",
  unit: "objects",
  size: 5000,
  tinySize: 100,
  run(size) {
    const folder = mkdtempSync(join(tmpdir(), "podstorm-bench-"));
    try {
      const file = join(folder, "dump.json");
      writeFileSync(file, JSON.stringify(dump(Math.floor(size / OBJECTS)), null, 4));
      const imported = importCluster([file], () => new Uint8Array());
      const print = new Fingerprint();
      const text = yamlOf(imported.objects) + writtenScenario(imported.draft, "cluster.yaml");
      for (let i = 0; i < text.length; i++) print.add(text.charCodeAt(i));
      return { work: size, hash: print.hex() };
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
};

function dump(apps: number): object {
  const nodes = Math.max(1, Math.ceil((2 * apps) / PODS_A_NODE));
  const items = [
    ...Array.from({ length: nodes }, (_, index) => node(index)),
    ...Array.from({ length: apps }, (_, index) => app(index, apps, nodes)).flat(),
  ];
  return { apiVersion: "v1", kind: "List", metadata: { resourceVersion: "" }, items };
}

function node(index: number): object {
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: `node-${index}`, labels: { "kubernetes.io/hostname": `node-${index}` } },
    spec: { podCIDR: `10.244.${index}.0/24` },
    status: {
      addresses: [{ type: "InternalIP", address: `172.18.0.${index + 2}` }],
      allocatable: { cpu: "8", memory: "32Gi", pods: "110" },
      conditions: [{ type: "Ready", status: "True" }],
    },
  };
}

function app(index: number, apps: number, nodes: number): object[] {
  const name = `app-${index}`;
  const labels = { app: name };
  const metadata = { name, namespace: "default", labels, uid: name, resourceVersion: "1" };
  const next = `app-${(index + 1) % apps}`;
  const container = {
    name: "main",
    image: `registry.example/${name}:1.0`,
    imagePullPolicy: "IfNotPresent",
    env: [{ name: "NEXT_ADDR", value: index + 1 < apps ? `${next}:80` : "none" }],
    ports: [{ name: "http", containerPort: 8080, protocol: "TCP" }],
    resources: { requests: { cpu: "10m", memory: "16Mi" } },
    readinessProbe: { httpGet: { path: "/", port: "http", scheme: "HTTP" }, periodSeconds: 10 },
    terminationMessagePath: "/dev/termination-log",
  };
  const spec = { containers: [container], dnsPolicy: "ClusterFirst", restartPolicy: "Always" };
  const template = { metadata: { labels }, spec };
  const selector = { matchLabels: labels };
  const ports = [{ name: "http", port: 80, protocol: "TCP", targetPort: "http" }];
  const pod = (which: number): object => {
    const place = (2 * index + which) % nodes;
    return {
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        ...metadata,
        name: `${name}-5d8-${which}`,
        ownerReferences: [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: `${name}-5d8` }],
      },
      spec: { ...spec, nodeName: `node-${place}` },
      status: { phase: "Running", conditions: [{ type: "Ready", status: "True" }] },
    };
  };
  return [
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata,
      spec: { replicas: 2, selector, template },
    },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata,
      spec: { selector: labels, ports, type: "ClusterIP" },
    },
    { apiVersion: "v1", kind: "ConfigMap", metadata, data: { a: "b" } },
    pod(0),
    pod(1),
  ];
}
