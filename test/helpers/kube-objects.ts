/**
 * Kubernetes objects for tests, and an API server whose every cost is exact.
 *
 * Owns: one small object of each kind. A test changes what it is about and no more.
 */
import { ms, seconds } from "../../src/engine/index.ts";
import { apiServerProfile, type ApiServerProfile } from "../../src/kubernetes/api/profile.ts";
import type {
  Container,
  DaemonSet,
  Deployment,
  Endpoint,
  EndpointSlice,
  Job,
  LabelSelector,
  Node,
  ObjectMeta,
  Pod,
  PodDisruptionBudget,
  PodSpec,
  PodStatus,
  Probe,
  ReplicaSet,
  Service,
  StatefulSet,
} from "../../src/kubernetes/api/types.ts";
import { noDaemonSetStatus } from "../../src/kubernetes/controllers/daemonset.ts";
import { noJobStatus } from "../../src/kubernetes/controllers/job.ts";
import { noStatefulSetStatus } from "../../src/kubernetes/controllers/statefulset.ts";
import { noDisruptionStatus } from "../../src/kubernetes/controllers/disruption.ts";
import { newMeta } from "../../src/kubernetes/controllers/pods.ts";
import { noDeploymentStatus } from "../../src/kubernetes/controllers/rollout.ts";

export const GIB = 1024 ** 3;

/** A commit 10 ms and a half network trip after the call; its event at the watchers 8 ms later. */
export const exactApi: ApiServerProfile = {
  ...apiServerProfile,
  writeLatency: { kind: "deterministic", value: ms(10) },
  watchLatency: { kind: "deterministic", value: ms(8) },
  networkNs: ms(0.2),
  watchSendNs: 0,
};
export const WRITE_NS = ms(10.2);
export const RESPONSE_NS = ms(0.2);
export const WATCH_NS = ms(8);

/** A client that is never throttled: the test's own hand. */
export const unthrottled = {
  name: "test",
  qps: 1e6,
  burst: 1e6,
  /** Exempt from priority and fairness. */
  user: "system:masters",
} as const;

const selector: LabelSelector = { matchLabels: { app: "web" }, matchExpressions: [] };

export function container(change: Partial<Container> = {}): Container {
  return {
    name: "main",
    image: "nginx",
    ports: [{ name: "http", containerPort: 80, hostPort: null, protocol: "TCP" }],
    requests: { cpuMillis: 0, memoryBytes: 0 },
    limits: { cpuMillis: null, memoryBytes: null },
    readinessProbe: null,
    livenessProbe: null,
    env: {},
    ...change,
  };
}

/** The defaults of SetDefaults_Probe (pkg/apis/core/v1/defaults.go): 10 s, 1 s, 1, 3, no delay. */
export function probe(change: Partial<Probe> = {}): Probe {
  return {
    handler: { kind: "httpGet", port: 80, path: "/" },
    initialDelayNs: 0,
    periodNs: seconds(10),
    timeoutNs: seconds(1),
    successThreshold: 1,
    failureThreshold: 3,
    ...change,
  };
}

export interface PodChange {
  readonly metadata?: Partial<ObjectMeta>;
  readonly spec?: Partial<PodSpec>;
  readonly status?: Partial<PodStatus>;
}

/** A pod that has been ready on node-0 since time 0, with an address made of its name's length. */
export function pod(name: string, change: PodChange = {}): Pod {
  return {
    kind: "Pod",
    metadata: {
      ...newMeta("default", name),
      uid: `uid-of-${name}`,
      labels: { app: "web" },
      ...change.metadata,
    },
    spec: {
      containers: [container()],
      nodeName: "node-0",
      terminationGracePeriodNs: seconds(30),
      restartPolicy: "Always",
      hostNetwork: false,
      nodeSelector: {},
      ...change.spec,
    },
    status: {
      phase: "Running",
      podIPs: [`10.0.0.${name.length}`],
      ready: { status: true, lastTransitionTimeNs: 0 },
      restartCount: 0,
      observedCauseNs: 0,
      ...change.status,
    },
  };
}

/** A pod that no node has been found for. */
export function pendingPod(name: string, change: PodChange = {}): Pod {
  return pod(name, {
    ...change,
    spec: { nodeName: null, ...change.spec },
    status: {
      phase: "Pending",
      podIPs: [],
      ready: { status: false, lastTransitionTimeNs: 0 },
      ...change.status,
    },
  });
}

export const unready = { ready: { status: false, lastTransitionTimeNs: 0 } } as const;

export function service(change: Partial<Service["spec"]> = {}, name = "web"): Service {
  return {
    kind: "Service",
    metadata: { ...newMeta("default", name), uid: `uid-of-service-${name}` },
    spec: {
      type: "ClusterIP",
      clusterIP: "10.96.0.10",
      selector: { app: "web" },
      ports: [{ name: null, protocol: "TCP", port: 80, targetPort: "http", nodePort: null }],
      sessionAffinity: "None",
      sessionAffinityTimeoutNs: 0,
      externalTrafficPolicy: "Cluster",
      internalTrafficPolicy: "Cluster",
      publishNotReadyAddresses: false,
      ...change,
    },
  };
}

export function node(
  name: string,
  change: {
    readonly metadata?: Partial<ObjectMeta>;
    readonly spec?: Partial<Node["spec"]>;
    readonly allocatable?: Partial<Node["status"]["allocatable"]>;
    readonly ready?: boolean;
  } = {},
): Node {
  return {
    kind: "Node",
    metadata: { ...newMeta("", name), ...change.metadata },
    spec: {
      podCIDR: "10.0.0.0/24",
      podCIDRs: ["10.0.0.0/24"],
      unschedulable: false,
      ...change.spec,
    },
    status: {
      internalIP: "192.168.0.1",
      internalIPs: ["192.168.0.1"],
      allocatable: {
        cpuMillis: 4000,
        memoryBytes: 8 * GIB,
        maxPods: 110,
        ...change.allocatable,
      },
      ready: { status: change.ready ?? true, lastTransitionTimeNs: 0 },
    },
  };
}

const template = {
  labels: { app: "web" },
  annotations: {},
  spec: { ...pod("template").spec, nodeName: null },
};
const noStatus = { replicas: 0, readyReplicas: 0, availableReplicas: 0 };

export function replicaSet(replicas: number, minReadyNs = 0): ReplicaSet {
  return {
    kind: "ReplicaSet",
    metadata: { ...newMeta("default", "web"), uid: "uid-of-set" },
    spec: { replicas, selector, template, minReadyNs },
    status: noStatus,
  };
}

export function deployment(replicas: number, change: Partial<Deployment["spec"]> = {}): Deployment {
  return {
    kind: "Deployment",
    metadata: { ...newMeta("default", "web"), uid: "uid-of-deployment" },
    spec: {
      replicas,
      selector,
      template,
      maxSurge: "25%",
      maxUnavailable: "25%",
      strategy: "RollingUpdate",
      minReadyNs: 0,
      progressDeadlineNs: seconds(600),
      revisionHistoryLimit: 10,
      paused: false,
      ...change,
    },
    status: noDeploymentStatus,
  };
}

export function statefulSet(
  replicas: number,
  change: Partial<StatefulSet["spec"]> = {},
): StatefulSet {
  const spec = { ...change, template: change.template ?? template };
  return {
    kind: "StatefulSet",
    metadata: { ...newMeta("default", "db"), uid: "uid-of-stateful-set" },
    spec: {
      replicas,
      selector,
      minReadyNs: 0,
      podManagementPolicy: "OrderedReady",
      updateStrategy: "RollingUpdate",
      partition: 0,
      ...spec,
    },
    status: noStatefulSetStatus(spec.template),
  };
}

export function daemonSet(change: Partial<DaemonSet["spec"]> = {}): DaemonSet {
  return {
    kind: "DaemonSet",
    metadata: { ...newMeta("default", "agent"), uid: "uid-of-daemon-set" },
    spec: {
      selector,
      template,
      minReadyNs: 0,
      updateStrategy: "RollingUpdate",
      maxSurge: 0,
      maxUnavailable: 1,
      ...change,
    },
    status: noDaemonSetStatus,
  };
}

export function job(change: Partial<Job["spec"]> = {}): Job {
  return {
    kind: "Job",
    metadata: { ...newMeta("default", "batch"), uid: "uid-of-job" },
    spec: { parallelism: 1, completions: 1, backoffLimit: 6, selector, template, ...change },
    status: noJobStatus,
  };
}

export function budget(
  change: Partial<PodDisruptionBudget["spec"]> = {},
  name = "web",
): PodDisruptionBudget {
  return {
    kind: "PodDisruptionBudget",
    metadata: { ...newMeta("default", name), uid: `uid-of-budget-${name}` },
    spec: {
      selector,
      minAvailable: null,
      maxUnavailable: null,
      unhealthyPodEvictionPolicy: "IfHealthyBudget",
      ...change,
    },
    status: noDisruptionStatus,
  };
}

export function endpoint(
  address: string,
  change: Partial<Omit<Endpoint, "conditions">> & {
    readonly conditions?: Partial<Endpoint["conditions"]>;
  } = {},
): Endpoint {
  return {
    address,
    podUid: `uid-of-${address}`,
    podName: address,
    nodeName: "node-0",
    observedCauseNs: null,
    ...change,
    conditions: { ready: true, serving: true, terminating: false, ...change.conditions },
  };
}

export function slice(
  name: string,
  endpoints: readonly Endpoint[],
  of: Service = service(),
): EndpointSlice {
  return {
    kind: "EndpointSlice",
    metadata: { ...newMeta("default", name), ownerUid: of.metadata.uid },
    service: `${of.metadata.namespace}/${of.metadata.name}`,
    addressType: "IPv4",
    ports: of.spec.ports.map(({ name: port, protocol }) => ({ name: port, protocol, port: 80 })),
    endpoints,
  };
}
