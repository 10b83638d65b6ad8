/**
 * Manifests in the manner of large public demos and installations: what each does that others do not, written for this
 * test. Each is imported without a mistake, `sim run` takes what is written, and it serves its requests.
 *
 * Seen to fail: with expanded() giving the text back (a call behind $(BASKET) is not found), with NAMES_NO_HOST not
 * looked at (the name of a database is called), and with lists of ConfigMaps not opened.
 */
import { describe, expect, test } from "vitest";
import { importFiles, importText, loadWritten, runShortly, shopPart } from "./imports.ts";

async function check(text: string) {
  const imported = importText(text);
  const scenario = await loadWritten(imported);
  const result = runShortly(scenario);
  expect(result.brokenLaws).toEqual([]);
  return { imported, scenario, ...result };
}
const calls = (report: readonly string[]) =>
  report
    .filter((line) => / calls svc/.test(line))
    .map((line) => line.trim().replace(/:\d+: .*/, ""));

describe("demos", () => {
  test("a shop of gRPC services: LoadBalancer beside ClusterIP, grpc and exec probes, a load generator", async () => {
    const backends = ["cart", "currency", "checkout", "ads"];
    const addresses = (names: readonly string[]) =>
      Object.fromEntries(
        names.map((name) => [`${name.toUpperCase()}_SERVICE_ADDR`, `${name}service:7000`]),
      );
    const part = (name: string, called: readonly string[]) =>
      shopPart(`${name}service`, { port: 7000, env: { PORT: "7000", ...addresses(called) } });
    const text = [
      shopPart("frontend", { port: 8080, env: addresses(backends) }),
      part("cart", []),
      part("currency", []),
      part("checkout", ["cart", "currency"]),
      part("ads", []).replace(
        "image:",
        'livenessProbe: { exec: { command: [/bin/grpc_health_probe, "-addr=:7000"] } }\n          readinessProbe: { grpc: { port: 7000 } }\n          image:',
      ),
      "apiVersion: v1\nkind: Service\nmetadata: { name: frontend-external }\nspec: { type: LoadBalancer, selector: { app: frontend }, ports: [{ name: http, port: 80, targetPort: 8080 }] }\n---\n",
      shopPart("loadgenerator", { env: { FRONTEND_ADDR: "frontend:8080", USERS: "10" } }).replace(
        /apiVersion: v1[^]*/,
        "",
      ),
    ].join("\n");
    const { imported, served, failed } = await check(text);
    expect(imported.draft.entry!.target).toBe("svc/frontend-external:80");
    expect(calls(imported.report)).toHaveLength(8);
    expect(imported.report.join("\n")).toContain("deploy/loadgenerator makes load by its name");
    expect(failed).toBe(0);
    expect(served).toBeGreaterThan(10);
  });

  test("components by helm template: null lists, fieldRef, $(VAR) in values, init containers that wait", async () => {
    const checkout = `
# Source: demo/templates/component.yaml
apiVersion: v1
kind: Service
metadata: { name: checkout, labels: { app.kubernetes.io/version: "2.0.2" } }
spec:
  type: ClusterIP
  ports:
    - { port: 8080, name: tcp-service, targetPort: 8080 }
  selector: { opentelemetry.io/name: checkout }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: checkout }
spec:
  replicas: 1
  revisionHistoryLimit: 10
  selector: { matchLabels: { opentelemetry.io/name: checkout } }
  template:
    metadata: { labels: { opentelemetry.io/name: checkout } }
    spec:
      serviceAccountName: demo
      containers:
        - name: checkout
          image: 'ghcr.io/demo:2.0.2-checkout'
          ports: [{ containerPort: 8080, name: service }]
          env:
            - name: OTEL_SERVICE_NAME
              valueFrom: { fieldRef: { apiVersion: v1, fieldPath: "metadata.labels['x']" } }
            - { name: NODE_IP, valueFrom: { fieldRef: { fieldPath: status.hostIP } } }
            - { name: DB_NAME, value: currency }
            - { name: BASKET, value: cart }
            - { name: CART_ADDR, value: "$(BASKET):8080" }
            - { name: EMAIL_ADDR, value: "http://email:8080" }
            - { name: OTEL_EXPORTER_OTLP_ENDPOINT, value: "http://$(NODE_IP):4317" }
          resources: { limits: { memory: 20Mi } }
          volumeMounts:
      initContainers:
        - command: [sh, -c, until nc -z -v -w30 kafka 9092; do echo waiting; sleep 2; done;]
          image: busybox:latest
          name: wait-for-kafka
      volumes:
---`;
    const others = ["cart", "email", "currency"]
      .map((name) => shopPart(name, { port: 8080 }))
      .join("");
    const { imported, failed } = await check(checkout + others);
    expect(calls(imported.report)).toEqual([
      "deploy/checkout calls svc/cart",
      "deploy/checkout calls svc/email",
    ]);
    expect(failed).toBe(0);
  });

  test("old ones: extensions/v1beta1, beta node labels, kompose's empty fields, a NodePort as the way in", async () => {
    const old = (name: string, port: number) => `
apiVersion: extensions/v1beta1
kind: Deployment
metadata:
  annotations: { kompose.version: 1.10.0 (8bb0907) }
  creationTimestamp: null
  name: ${name}
  namespace: sock-shop
spec:
  replicas: 1
  strategy: {}
  template:
    metadata:
      creationTimestamp: null
      labels: { name: ${name} }
    spec:
      containers:
      - name: ${name}
        image: ${name}
        ports:
        - containerPort: ${port}
        securityContext: { capabilities: { drop: [all], add: [NET_BIND_SERVICE] } }
        volumeMounts: [{ mountPath: /tmp, name: tmp-volume }]
      volumes: [{ name: tmp-volume, emptyDir: { medium: Memory } }]
      nodeSelector: { beta.kubernetes.io/os: linux }
      restartPolicy: Always
status: {}
---
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: sock-shop }
spec:
  ports:
    # the port that this service should serve on
  - port: 80
    targetPort: ${port}
  selector: { name: ${name} }${name === "front-end" ? "\n  type: NodePort" : ""}
---`;
    const { imported, served, failed } = await check(
      `---\napiVersion: v1\nkind: Namespace\nmetadata: { name: sock-shop }\n---${old("front-end", 8079)}${old("carts", 8081)}`,
    );
    expect(imported.draft.entry).toMatchObject({
      target: "sock-shop/svc/front-end:80",
      via: "nodePort",
    });
    expect(imported.report.join("\n")).toMatch(/and 1 more: nodeSelector beta\.kubernetes\.io\/os/);
    expect(failed).toBe(0);
    expect(served).toBeGreaterThan(50);
  });

  test("versions of one application behind one Service", async () => {
    const version = (n: number) =>
      shopPart("reviews", {})
        .replace("name: reviews,", `name: reviews-v${n},`)
        .replace(/apiVersion: v1[^]*/, "")
        .replaceAll("{ app: reviews } }", `{ app: reviews, version: v${n} } }`);
    const service = shopPart("reviews").replace(/^[^]*?(?=apiVersion: v1\n)/, "");
    const { scenario, failed } = await check(version(1) + version(2) + version(3) + service);
    expect(scenario.cluster.deployments).toHaveLength(3);
    expect(failed).toBe(0);
  });
});

test("a database behind a headless Service is called by its name, with a DNS in place of the cluster's own", async () => {
  const store = shopPart("store", {
    env: { DATABASE_URL: "postgres://u:p@db.default.svc:5432/shop" },
  });
  const db = shopPart("db", {
    port: 5432,
    kind: "StatefulSet",
    more: "\n  serviceName: db\n  replicas: 2",
    service: "\n  clusterIP: None",
  });
  const own = shopPart("coredns", { port: 53 })
    .replaceAll("{ name: coredns, labels", "{ name: coredns, namespace: kube-system, labels")
    .replace("metadata: { name: coredns }", "metadata: { name: kube-dns, namespace: kube-system }");
  const { imported, scenario, served, failed } = await check(store + db + own);
  expect(imported.draft.cluster.dns).toEqual({});
  expect(scenario.calls!.map(({ name, to }) => [name, to.via])).toEqual([
    ["store -> db.default", "dns"],
  ]);
  expect(imported.report.join("\n")).toContain("the scenario has a DNS of its own");
  expect(failed).toBe(0);
  expect(served).toBeGreaterThan(50);
});

/** Seen to fail without the pod's name in HOSTS. */
test.each([
  ["db-0.db", "store calls dns://db.default:5432"],
  ["db-0.db:5432", "store calls dns://db.default:5432"],
  ["pg://u:p@db-0.db.default.svc.cluster.local/x,db-1.db", "store calls dns://db.default:5432"],
  ["front-1.default:80", "store calls svc/front-1:80"],
])("DB_HOST=%s is a call, to a pod's Service or to a Service with a number", (host, call) => {
  const headless = { kind: "StatefulSet", service: "\n  clusterIP: None", port: 5432 };
  const parts = [
    shopPart("store", { env: { DB_HOST: host } }),
    shopPart("db", headless),
    shopPart("front-1"),
  ];
  const said = importText(parts.join("")).report.join("\n");
  expect(said).toContain(call);
  expect(said.match(/ calls (?:svc|dns):?\//g)).toHaveLength(1);
});

describe("installations", () => {
  test("monitoring: custom resources, ConfigMapList, a host's exporter, headless and unselected Services, APIService", async () => {
    const text = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: prometheuses.monitoring.coreos.com }
spec: { versions: [{ name: v1, schema: { openAPIV3Schema: { properties: { spec: { description: "{{ $labels }}" } } } } }] }
---
apiVersion: v1
kind: ConfigMapList
items:
- apiVersion: v1
  kind: ConfigMap
  data: { dashboard.json: '{"a": "{{instance}}"}' }
  metadata: { name: dashboards, namespace: monitoring }
---
apiVersion: monitoring.coreos.com/v1
kind: Prometheus
metadata: { name: k8s, namespace: monitoring }
spec: { replicas: 2 }
---
apiVersion: v1
kind: Service
metadata: { name: prometheus-operated, namespace: monitoring }
spec: { clusterIP: None, ports: [{ name: web, port: 9090, targetPort: web }], selector: { app: prometheus }, sessionAffinity: ClientIP }
---
apiVersion: apps/v1
kind: DaemonSet
metadata: { name: node-exporter, namespace: monitoring }
spec:
  selector: { matchLabels: { app: node-exporter } }
  template:
    metadata: { labels: { app: node-exporter }, annotations: { kubectl.kubernetes.io/default-container: node-exporter } }
    spec:
      automountServiceAccountToken: true
      containers:
      - args: [--web.listen-address=127.0.0.1:9100, --path.rootfs=/host/root]
        image: node-exporter
        name: node-exporter
        resources: { limits: { cpu: 250m, memory: 180Mi }, requests: { cpu: 102m, memory: 180Mi } }
      - args: ["--secure-listen-address=[$(IP)]:9100"]
        image: kube-rbac-proxy
        name: kube-rbac-proxy
        ports: [{ containerPort: 9100, hostPort: 9100, name: https }]
      hostNetwork: true
      hostPID: true
      nodeSelector: { kubernetes.io/os: linux }
      priorityClassName: system-cluster-critical
      tolerations: [{ operator: Exists }]
  updateStrategy: { rollingUpdate: { maxUnavailable: 10% }, type: RollingUpdate }
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: { name: alertmanager-main, namespace: monitoring }
spec: { maxUnavailable: 1, selector: { matchLabels: { alertmanager: main } } }
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: grafana, namespace: monitoring }
spec: { podSelector: { matchLabels: { app: grafana } }, policyTypes: [Ingress], ingress: [{ ports: [{ port: 3000 }] }] }
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: { name: v1beta1.metrics.k8s.io }
---
apiVersion: v1
kind: Secret
metadata: { name: alertmanager-main, namespace: monitoring }
stringData: { alertmanager.yaml: "{{ template }}" }
---${shopPart("grafana", { port: 3000 })}`;
    const { imported, scenario, failed } = await check(text);
    expect(imported.draft.entry!.target).toBe("svc/grafana:3000");
    expect(scenario.cluster.workloads).toHaveLength(1);
    expect(imported.objects.map(({ kind }) => kind)).toContain("NetworkPolicy");
    expect(imported.report.join("\n")).toMatch(/NetworkPolicy .*not modelled yet/);
    expect(imported.report.join("\n")).toContain("1 ConfigMap: known by name");
    expect(failed).toBe(0);
  });

  test("an ingress controller: hooks, named webhook ports, Jobs of admission, IngressClass", async () => {
    const text = `
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: { name: nginx }
spec: { controller: k8s.io/ingress-nginx }
---
apiVersion: batch/v1
kind: Job
metadata: { name: admission-create, namespace: ingress-nginx }
spec:
  template:
    metadata: { name: admission-create, labels: { job: create } }
    spec:
      containers: [{ name: create, image: certgen, args: [create, "--host=controller,controller.$(NS).svc"], imagePullPolicy: IfNotPresent }]
      restartPolicy: OnFailure
      nodeSelector: { kubernetes.io/os: linux }
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: { name: admission }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: controller, namespace: ingress-nginx }
spec:
  minReadySeconds: 0
  revisionHistoryLimit: 10
  selector: { matchLabels: { c: controller } }
  strategy: { rollingUpdate: { maxUnavailable: 1 }, type: RollingUpdate }
  template:
    metadata: { labels: { c: controller } }
    spec:
      dnsPolicy: ClusterFirst
      terminationGracePeriodSeconds: 300
      containers:
        - name: controller
          image: controller@sha256:abc
          lifecycle: { preStop: { exec: { command: [/wait-shutdown] } } }
          livenessProbe: { failureThreshold: 5, httpGet: { path: /healthz, port: 10254, scheme: HTTP }, initialDelaySeconds: 10, periodSeconds: 10, successThreshold: 1, timeoutSeconds: 1 }
          readinessProbe: { httpGet: { path: /healthz, port: 10254 } }
          ports:
            - { containerPort: 80, name: http, protocol: TCP }
            - { containerPort: 443, name: https, protocol: TCP }
            - { containerPort: 8443, name: webhook, protocol: TCP }
            - { containerPort: 10254, name: metrics, protocol: TCP }
---
apiVersion: v1
kind: Service
metadata: { name: controller, namespace: ingress-nginx }
spec:
  externalTrafficPolicy: Local
  ipFamilies: [IPv4]
  ipFamilyPolicy: SingleStack
  type: LoadBalancer
  selector: { c: controller }
  ports:
    - { appProtocol: http, name: http, port: 80, protocol: TCP, targetPort: http }
    - { appProtocol: https, name: https, port: 443, protocol: TCP, targetPort: https }
---`;
    const { scenario, served, failed } = await check(text);
    expect(scenario.clients[0]!.to).toMatchObject({
      service: "ingress-nginx/controller",
      via: "loadBalancer",
    });
    expect(failed).toBe(0);
    expect(served).toBeGreaterThan(50);
  });

  test("kubeadm's own: kube-proxy's ConfigMap counts, its DaemonSet does not, static pods are left", async () => {
    const text = `
apiVersion: v1
kind: ConfigMap
metadata: { name: kube-proxy, namespace: kube-system }
data:
  config.conf: |
    apiVersion: kubeproxy.config.k8s.io/v1alpha1
    kind: KubeProxyConfiguration
    mode: ipvs
    clusterCIDR: 10.244.0.0/16
    iptables: { minSyncPeriod: 5s, syncPeriod: 30s }
  kubeconfig.conf: "apiVersion: v1"
---
apiVersion: apps/v1
kind: DaemonSet
metadata: { name: kube-proxy, namespace: kube-system }
spec:
  selector: { matchLabels: { k8s-app: kube-proxy } }
  template: { metadata: { labels: { k8s-app: kube-proxy } }, spec: { hostNetwork: true, containers: [{ name: kube-proxy, image: x }] } }
---
apiVersion: v1
kind: Pod
metadata: { name: kube-apiserver-cp, namespace: kube-system, ownerReferences: [{ apiVersion: v1, kind: Node, name: cp, uid: u }] }
spec: { hostNetwork: true, nodeName: cp, containers: [{ name: a, image: x }] }
---${shopPart("web")}`;
    const { scenario, imported, failed } = await check(text);
    expect(scenario.profile.kubernetes.kubeProxy.mode).toBe("ipvs");
    expect(scenario.cluster.workloads).toEqual([]);
    expect(imported.report.join("\n")).toContain("every simulated node has a kube-proxy");
    expect(failed).toBe(0);
  });
});

/**
 * Who is called first, and by whom. Seen to fail: with isLoadGenerator() never true the load generator is asked, with
 * TELEMETRY never true a request waits for the collector, without ASIDE the webhook is asked, and without
 * nameTargetOf() nobody asks Cassandra.
 */
describe("the way in", () => {
  test("is what a load generator calls, though it has a Service itself; nobody waits for a collector", async () => {
    const telemetry = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://otel-collector:4317" };
    const text = [
      shopPart("load-generator", { env: { LOCUST_HOST: "http://edge:8080", ...telemetry } }),
      shopPart("edge", { port: 8080, env: { SHOP_ADDR: "shop:80", ...telemetry } }),
      shopPart("shop", { env: telemetry }),
      shopPart("otel-collector", { port: 4317 }),
    ].join("\n");
    const { imported, served, failed } = await check(text);
    expect(imported.draft.entry).toMatchObject({
      target: "svc/edge:8080",
      why: "which deploy/load-generator calls",
    });
    expect(calls(imported.report)).not.toContainEqual(expect.stringContaining("collector"));
    expect(imported.report.join("\n")).toMatch(
      /deploy\/load-generator and 2 more: .*4317: telemetry, which no request waits for/,
    );
    expect([served > 10, failed]).toEqual([true, 0]);
  });

  test("is no webhook, and said to end where nothing says whom it calls", async () => {
    const text = [shopPart("ca-webhook"), shopPart("issuer"), shopPart("reviews")].join("\n");
    const { imported } = await check(text);
    expect(imported.draft.entry!.target).toBe("svc/issuer:80");
    expect(imported.report.join("\n")).toMatch(
      /says whom deploy\/issuer calls: requests end there, and the pods of 2 other Services get none/,
    );
  });

  test("is a name where all Services are headless, and what an operator would make is missed aloud", async () => {
    const kafka =
      "apiVersion: kafka.example.io/v1\nkind: Kafka\nmetadata: { name: k }\nspec: { replicas: 3 }\n";
    const ring = shopPart("ring", {
      kind: "StatefulSet",
      port: 9042,
      more: "\n  serviceName: ring\n  replicas: 3",
      service: "\n  clusterIP: None",
    });
    const { imported, scenario, served } = await check(`${ring}\n${kafka}`);
    expect(imported.draft.entry!.target).toBe("dns://ring.default:9042");
    expect(scenario.cluster.dns).not.toBeNull();
    expect(served).toBeGreaterThan(10);
    expect(imported.report.join("\n")).toMatch(/Kafka k .*: a custom resource .*controller makes/);
  });

  /** Seen to fail with 4 ms for every workload: 1 request/s, and the tiny one took 200 ms of its CPU limit for each. */
  test("bears the usual load where a CPU limit is tiny", async () => {
    const tiny = shopPart("tiny").replace(
      "image:",
      "resources: { limits: { cpu: 2m } }\n          image:",
    );
    const { imported, served, failed } = await check(tiny);
    expect(imported.draft.rate).toBe(25);
    expect(imported.report.join("\n")).toContain("small: deploy/tiny 40us");
    expect([served > 10, failed]).toEqual([true, 0]);
  });
});

test("whole repositories: charts, values, compose files and overlays lie beside manifests", async () => {
  const files = {
    "repo/k8s/web.yaml": shopPart("web"),
    "repo/docker-compose.yml": "services: { web: { image: x } }",
    "repo/.github/workflows/ci.yaml": "on: push",
    "repo/k8s/kustomization.yaml":
      "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [web.yaml]\n",
    "repo/k8s/overlays/prod/patch.yaml":
      "apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: web }\nspec: { replicas: 7 }\n",
    "repo/package.json": '{"name": "x"}',
  };
  const imported = importFiles(files, ["repo"]);
  const scenario = await loadWritten(imported);
  expect(scenario.cluster.deployments.map(({ spec }) => spec.replicas)).toEqual([1]);
  const report = imported.report.join("\n");
  expect(report).toContain("kustomize build DIR");
  expect(report).toContain("a patch of another object");
});
