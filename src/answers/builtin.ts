/**
 * The small cluster that answers are about where nobody brings one.
 *
 * Owns: its manifest. It says what most people's says: replicas, a port, a readiness probe, requests; no preStop hook.
 */

/** Nodes of it where `--nodes` does not say. */
export const BUILT_IN_NODES = 4;
export const BUILT_IN_RATE = 200;
export const BUILT_IN = "8 pods of deploy/web behind svc/web:80";

export const builtInManifest = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: 8
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      containers:
        - name: web
          image: nginx
          ports: [{ containerPort: 80 }]
          readinessProbe: { httpGet: { path: /, port: 80 }, periodSeconds: 2 }
          resources: { requests: { cpu: 250m, memory: 128Mi } }
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ port: 80 }] }
`;
