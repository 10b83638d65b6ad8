/**
 * What of an object the simulator has a use for: the rest is left out of the manifest that an import writes.
 *
 * Owns: which fields are kept, and which say no more than Kubernetes' own default. Whether a field that is
 * left out could have mattered is for the reader of manifests to say (judge.ts).
 */
import { isRecord } from "../schema/reading.ts";
import type { RawValue } from "./json.ts";

/** `true`: all of it. */
interface Keep {
  readonly [field: string]: true | Keep;
}

function all(text: string): Record<string, true> {
  return Object.fromEntries(text.split(/\s+/).map((name) => [name, true] as const));
}

const named: Keep = all("name namespace annotations");
const metadata: Keep = { ...named, ...all("labels") };
const templateMetadata: Keep = all("labels");

const handler: Keep = {
  exec: true,
  httpGet: all("port path"),
  tcpSocket: all("port"),
  grpc: all("port"),
  sleep: true,
};

const probe: Keep = {
  ...handler,
  ...all(
    `initialDelaySeconds periodSeconds timeoutSeconds successThreshold failureThreshold
     terminationGracePeriodSeconds`,
  ),
};

const resources: Keep = { requests: all("cpu memory"), limits: all("cpu memory") };

const container: Keep = {
  ...all("name image command args restartPolicy"),
  ports: all("name containerPort protocol"),
  resources,
  lifecycle: { preStop: handler, postStart: handler },
  readinessProbe: probe,
  livenessProbe: probe,
  startupProbe: probe,
};

const podSpec: Keep = {
  ...all(
    `affinity nodeName nodeSelector preemptionPolicy priority priorityClassName restartPolicy
     terminationGracePeriodSeconds tolerations topologySpreadConstraints`,
  ),
  containers: container,
  initContainers: container,
};

const template: Keep = { metadata: templateMetadata, spec: podSpec };

const jobSpec: Keep = { ...all("parallelism completions backoffLimit"), template };

const workload = (fields: string): Keep => ({
  apiVersion: true,
  kind: true,
  metadata: named,
  spec: { ...all(`selector minReadySeconds ${fields}`.trim()), template },
});

const object = (spec: string): Keep => ({
  apiVersion: true,
  kind: true,
  metadata: named,
  spec: all(spec),
});

const kinds: Readonly<Record<string, Keep>> = {
  Deployment: workload("replicas strategy progressDeadlineSeconds revisionHistoryLimit paused"),
  ReplicaSet: workload("replicas"),
  ReplicationController: workload("replicas"),
  StatefulSet: workload("replicas podManagementPolicy updateStrategy"),
  DaemonSet: workload("updateStrategy"),
  Job: { ...workload(""), spec: jobSpec },
  CronJob: {
    ...workload(""),
    spec: {
      ...all(
        `schedule timeZone suspend concurrencyPolicy startingDeadlineSeconds
         successfulJobsHistoryLimit failedJobsHistoryLimit`,
      ),
      jobTemplate: { spec: jobSpec },
    },
  },
  Pod: {
    ...all("apiVersion kind"),
    metadata: { ...metadata, ownerReferences: all("kind name") },
    spec: podSpec,
    status: all("podIP"),
  },
  PodDisruptionBudget: object("selector minAvailable maxUnavailable unhealthyPodEvictionPolicy"),
  HorizontalPodAutoscaler: object(
    `scaleTargetRef minReplicas maxReplicas targetCPUUtilizationPercentage metrics behavior`,
  ),
  Service: {
    ...object(
      `type selector ports clusterIP clusterIPs ipFamilies ipFamilyPolicy externalIPs externalName
       externalTrafficPolicy internalTrafficPolicy healthCheckNodePort loadBalancerIP
       allocateLoadBalancerNodePorts loadBalancerSourceRanges publishNotReadyAddresses
       sessionAffinity sessionAffinityConfig trafficDistribution`,
    ),
    status: { loadBalancer: { ingress: all("ip ipMode") } },
  },
  EndpointSlice: { ...all("apiVersion kind addressType endpoints ports"), metadata },
  Endpoints: { ...all("apiVersion kind subsets"), metadata },
  Node: {
    ...object("podCIDR unschedulable taints"),
    metadata,
    status: { addresses: true, allocatable: all("cpu memory pods") },
  },
  Namespace: { ...all("apiVersion kind"), metadata: all("name") },
  PriorityClass: {
    ...all("apiVersion kind value globalDefault preemptionPolicy"),
    metadata: all("name"),
  },
  NetworkPolicy: { ...object("podSelector policyTypes ingress egress") },
  ConfigMap: { ...all("apiVersion kind data"), metadata: all("name namespace") },
};

/** Values that are what Kubernetes takes where nothing is written, by their field. */
const DEFAULTS: Readonly<Record<string, unknown>> = {
  protocol: "TCP",
  type: "ClusterIP",
  sessionAffinity: "None",
  ipFamilyPolicy: "SingleStack",
  internalTrafficPolicy: "Cluster",
  externalTrafficPolicy: "Cluster",
  progressDeadlineSeconds: 600,
  revisionHistoryLimit: 10,
  podManagementPolicy: "OrderedReady",
  successThreshold: 1,
  terminationGracePeriodSeconds: 30,
  allocateLoadBalancerNodePorts: true,
  publishNotReadyAddresses: false,
  preemptionPolicy: "PreemptLowerPriority",
  minReadySeconds: 0,
  unschedulable: false,
};

/** Annotations that the simulator reads; others only make a manifest long. */
const ANNOTATIONS = new Set([
  "service.kubernetes.io/topology-mode",
  "service.kubernetes.io/topology-aware-hints",
]);

/** A copy with what counts. Kinds that are not listed are kept as they are. */
export function keptParts(kind: string, value: RawValue): RawValue {
  const keep = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
  if (keep === undefined) return value;
  return (kept(value, keep) ?? {}) as RawValue;
}

function kept(value: unknown, keep: Keep): unknown {
  if (Array.isArray(value)) return value.map((item) => kept(item, keep) ?? {});
  if (!isRecord(value)) return value;
  const result: RawValue = {};
  for (const [field, below] of Object.entries(keep)) {
    if (!Object.hasOwn(value, field) || isDefault(field, value[field])) continue;
    const own: unknown = below === true ? value[field] : kept(value[field], below);
    const shown = field === "annotations" ? ownAnnotations(own) : own;
    if (!isEmptyRecord(shown)) result[field] = shown;
  }
  if (keep === container && !sleeps(result)) {
    delete result["command"];
    delete result["args"];
  }
  return Object.keys(result).length === 0 ? undefined : result;
}

/** Of what a command does, the simulator knows sleeping only. */
function sleeps({ command, args }: RawValue): boolean {
  return [command, args].some((words) => Array.isArray(words) && /\bsleep\b/.test(words.join(" ")));
}

function isDefault(field: string, value: unknown): boolean {
  return Object.hasOwn(DEFAULTS, field) && DEFAULTS[field] === value;
}

function isEmptyRecord(value: unknown): boolean {
  return value === undefined || (isRecord(value) && Object.keys(value).length === 0);
}

function ownAnnotations(value: unknown): unknown {
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([name]) => ANNOTATIONS.has(name)));
}
