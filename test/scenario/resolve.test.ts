/** What a cluster looks like once its manifests are read and everything is allocated. */
import { expect, test } from "vitest";
import { loadFiles, scenarioText, webManifest } from "./files.ts";

async function clusterOf(manifest: string, cluster = "nodes: 2") {
  const text = `export default { duration: "1s", cluster: { manifests: ["web.yaml"], ${cluster} } };`;
  return loadFiles({ "scenario.ts": text, "web.yaml": manifest });
}

const service = (name: string, more: string) =>
  `---\napiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\nspec: {${more}, selector: {app: web}, ports: [{port: 1, targetPort: 80}]}\n`;

test("nodes are numbered from 1, each with a /24 and an address", async () => {
  const { cluster } = await clusterOf("");
  const seen = cluster.nodes.map((n) => [n.metadata.name, n.spec.podCIDR, n.status.internalIP]);
  expect(seen).toEqual([
    ["node-1", "10.244.0.0/24", "172.18.0.2"],
    ["node-2", "10.244.1.0/24", "172.18.0.3"],
  ]);
});

test("a Node of the manifests keeps its own range; generated ones take the next free", async () => {
  const node = `{apiVersion: v1, kind: Node, metadata: {name: big, labels: {zone: a}},
    spec: {podCIDR: 10.244.0.0/24}, status: {allocatable: {cpu: "64", pods: "250"},
    addresses: [{type: InternalIP, address: 172.18.0.2}]}}`;
  const { cluster } = await clusterOf(node, "nodes: 1");
  expect(cluster.nodes).toMatchObject([
    {
      metadata: { name: "big", labels: { zone: "a" } },
      status: { allocatable: { cpuMillis: 64_000, maxPods: 250, memoryBytes: 2 ** 34 } },
    },
    { spec: { podCIDR: "10.244.1.0/24" }, status: { internalIP: "172.18.0.3" } },
  ]);
});

test("Kubernetes' own defaults are filled in", async () => {
  const probe = ", readinessProbe: { httpGet: { port: http } }";
  const text = webManifest().replace("containerPort: 80 }]", `containerPort: 80 }]${probe}`);
  const { cluster } = await clusterOf(text);
  expect(cluster.deployments[0]?.spec).toMatchObject({
    maxSurge: "25%",
    maxUnavailable: "25%",
    strategy: "RollingUpdate",
    minReadyNs: 0,
    template: {
      spec: {
        terminationGracePeriodNs: 30e9,
        restartPolicy: "Always",
        containers: [
          {
            readinessProbe: {
              handler: { kind: "httpGet", port: 80, path: "/" },
              initialDelayNs: 0,
              periodNs: 10e9,
              timeoutNs: 1e9,
              successThreshold: 1,
              failureThreshold: 3,
            },
          },
        ],
      },
    },
  });
});

test("requests that are left out are the limits", async () => {
  const text = webManifest().replace(
    "image: web,",
    "image: web, resources: { limits: { cpu: 1 } },",
  );
  const { cluster } = await clusterOf(text);
  expect(cluster.deployments[0]?.spec.template.spec.containers[0]?.requests.cpuMillis).toBe(1000);
});

test("a written ClusterIP is taken before any is allocated, and all are different", async () => {
  // Of the 14 addresses of a /28 the first is default/kubernetes'; web and a to l leave none.
  const names = [..."abcdefghijkl"];
  const others = names.map((n) =>
    service(n, n === "l" ? "clusterIP: 10.96.0.7" : "type: ClusterIP"),
  );
  const { cluster } = await clusterOf(
    webManifest() + others.join(""),
    'serviceCIDR: "10.96.0.0/28"',
  );
  const addresses = cluster.services.map((s) => s.spec.clusterIP);
  expect(addresses.at(-1)).toBe("10.96.0.7");
  expect(new Set(addresses).size).toBe(13);
  expect(addresses).not.toContain("10.96.0.1");
});

test("a NodePort Service without a number gets one above the static band", async () => {
  const { cluster } = await clusterOf(webManifest({ service: "\n  type: NodePort" }));
  const port = cluster.services[0]?.spec.ports[0]?.nodePort ?? 0;
  expect(port).toBeGreaterThanOrEqual(30_086);
  expect(port).toBeLessThanOrEqual(32_767);
});

test("a pod that declares no port listens where its Services send", async () => {
  const text = webManifest().replace(", ports: [{ name: http, containerPort: 80 }]", "");
  const { cluster } = await clusterOf(text);
  expect(cluster.deployments[0]?.spec.template.spec.containers[0]?.ports).toEqual([
    { name: null, containerPort: 80, hostPort: null, protocol: "TCP" },
  ]);
});

test("what has no effect is listed with place and reason, never dropped", async () => {
  const more = `
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: c}}
- {apiVersion: batch/v1beta1, kind: CronJob, metadata: {name: j, namespace: prod}}
- {apiVersion: serving.knative.dev/v1, kind: Service, metadata: {name: k}}
- {apiVersion: v1, kind: Service, metadata: {name: h}, spec: {clusterIP: None, selector: {app: web}, ports: [{port: 1}]}}
- {apiVersion: v1, kind: Pod, metadata: {name: p, ownerReferences: [{kind: ReplicaSet, name: r}]}}
- {apiVersion: v1, kind: Namespace, metadata: {name: prod}, spec: {brandNew: 1}}
`;
  const { ignored } = await clusterOf(
    `${webManifest({ spec: "\n      schedulerName: other" })}---${more}`,
  );
  const seen = ignored.map(
    ({ object, place, reason }) => `${object} @${place.split(":").at(-1)}: ${reason}`,
  );
  expect(seen).toEqual([
    "Deployment web @11: there is one scheduler",
    "ConfigMap c @23: configuration has no effect on the simulated network",
    "CronJob prod/j @24: a CronJob of batch/v1beta1 is not modelled",
    "Service k @25: a Service of serving.knative.dev/v1 is not modelled",
    "Pod p @27: belongs to ReplicaSet r, which makes its own",
    "Namespace prod @28: unknown field spec.brandNew",
    "Service h @26: a headless Service is reached by DNS, which this cluster has not",
  ]);
});

test("the same seed gives the same cluster", async () => {
  const files = { "scenario.ts": scenarioText(), "web.yaml": webManifest() };
  const [one, two] = [await loadFiles(files, { seed: "5" }), await loadFiles(files, { seed: "5" })];
  expect(one.cluster).toEqual(two.cluster);
});
