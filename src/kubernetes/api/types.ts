/**
 * The Kubernetes objects the model works with, in Kubernetes' own field names.
 *
 * Owns: their shapes. Refuses to own: defaulting and parsing of manifests (scenario/), storage
 * (store.ts). Durations are parsed to integer nanoseconds and quantities to milli-CPU and bytes, and
 * such fields carry the unit in their name. Objects are immutable once stored: a change is a new
 * object with a greater resourceVersion.
 */
import type { DurationNs, SimTimeNs } from "../../engine/index.ts";
import type { Affinity, TopologySpreadConstraint } from "./scheduling.ts";
import type { Taint, Toleration } from "./taints.ts";

export type Protocol = "TCP" | "UDP" | "SCTP";

export type Labels = Readonly<Record<string, string>>;

/** metadata, as far as the model reads it. `uid` is the object's identity: never reused. */
export interface ObjectMeta {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly resourceVersion: number;
  readonly creationTimestampNs: SimTimeNs;
  /** Set by a graceful delete; null while the object is not being deleted. */
  readonly deletionTimestampNs: SimTimeNs | null;
  /** Grace period of that delete; null while the object is not being deleted. */
  readonly deletionGracePeriodNs: DurationNs | null;
  /** uid of the controller that owns this object, or null. */
  readonly ownerUid: string | null;
}

export interface ContainerPort {
  readonly name: string | null;
  readonly containerPort: number;
  readonly hostPort: number | null;
  /** The node's address on which the host port is held. Absent: all of them. */
  readonly hostIP?: IpText;
  readonly protocol: Protocol;
}

export interface Probe {
  readonly handler: ProbeHandler;
  readonly initialDelayNs: DurationNs;
  readonly periodNs: DurationNs;
  readonly timeoutNs: DurationNs;
  readonly successThreshold: number;
  readonly failureThreshold: number;
  /** Grace of a container that this probe has failed. Absent: the pod's. */
  readonly terminationGracePeriodNs?: DurationNs | null;
}

/** `exec` costs the container CPU time and exits 0: the model has no file system to look at. */
export type ProbeHandler =
  | { readonly kind: "httpGet"; readonly port: number; readonly path: string }
  | { readonly kind: "tcpSocket"; readonly port: number }
  | { readonly kind: "grpc"; readonly port: number }
  | { readonly kind: "exec" };

/** A hook of a container. Of an `exec` only the time that its command sleeps is known. */
export type LifecycleHandler =
  | { readonly kind: "sleep"; readonly durationNs: DurationNs }
  | { readonly kind: "exec"; readonly sleepNs: DurationNs }
  | { readonly kind: "httpGet"; readonly port: number; readonly path: string };

export type ImagePullPolicy = "Always" | "IfNotPresent" | "Never";

export interface ResourceRequests {
  readonly cpuMillis: number;
  readonly memoryBytes: number;
}

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly ports: readonly ContainerPort[];
  readonly requests: ResourceRequests;
  readonly limits: { readonly cpuMillis: number | null; readonly memoryBytes: number | null };
  readonly readinessProbe: Probe | null;
  readonly livenessProbe: Probe | null;
  readonly startupProbe?: Probe | null;
  readonly preStop?: LifecycleHandler | null;
  readonly postStart?: LifecycleHandler | null;
  /** Absent: Always for an image that is tagged latest or not at all, else IfNotPresent. */
  readonly imagePullPolicy?: ImagePullPolicy;
  /** How long its command sleeps, if it is one that does nothing else. */
  readonly sleepNs?: DurationNs;
  /** "Always" makes an init container a sidecar. */
  readonly restartPolicy?: "Always" | null;
  readonly env: Labels;
}

export interface PodSpec {
  /** Those that run before the others, in order, sidecars among them. Absent: none. */
  readonly initContainers?: readonly Container[];
  readonly containers: readonly Container[];
  readonly nodeName: string | null;
  readonly terminationGracePeriodNs: DurationNs;
  readonly restartPolicy: "Always" | "OnFailure" | "Never";
  readonly hostNetwork: boolean;
  /** Names in DNS, under the headless Service that `subdomain` names. Absent: none. */
  readonly hostname?: string;
  readonly subdomain?: string;
  readonly nodeSelector: Labels;
  readonly tolerations?: readonly Toleration[];
  readonly affinity?: Affinity;
  readonly topologySpreadConstraints?: readonly TopologySpreadConstraint[];
  readonly priorityClassName?: string;
  /** Of its PriorityClass, or as written; absent: 0. */
  readonly priority?: number;
  readonly preemptionPolicy?: "PreemptLowerPriority" | "Never";
}

export type PodPhase = "Pending" | "Running" | "Succeeded" | "Failed";

/** A node address or pod address in canonical text; the network room interns it. */
export type IpText = string;

export interface PodCondition {
  readonly status: boolean;
  readonly lastTransitionTimeNs: SimTimeNs;
}

export interface PodStatus {
  readonly phase: PodPhase;
  /** Empty until the CNI has given one. Two entries on dual stack. */
  readonly podIPs: readonly IpText[];
  readonly ready: PodCondition;
  readonly restartCount: number;
  /** Why the pod as a whole has failed: "Evicted". Absent: for no reason of its own. */
  readonly reason?: string;
  /** The node that will have room for a pending pod once its victims are gone. Absent: none. */
  readonly nominatedNodeName?: string;
  /** Reason of condition DisruptionTarget: why somebody is about to end the pod. Absent: nobody is. */
  readonly disruptionTarget?: "PreemptionByScheduler";
  /** Absent until the kubelet has written a status of its own. */
  readonly containerStatuses?: readonly ContainerStatus[];
  /**
   * When the thing that this status reports really happened in the pod (a probe passed, a process
   * died). Observational: no component decides by it; endpoint_update_lag.csv starts there.
   */
  readonly observedCauseNs: SimTimeNs;
  /** When the kubelet noticed that. Observational, as the cause; absent: it never had to. */
  readonly observedSeenNs?: SimTimeNs | undefined;
}

/** The state of one container, init containers among them, as the kubelet last saw it. */
export interface ContainerStatus {
  readonly name: string;
  readonly state: "waiting" | "running" | "terminated";
  /** "CrashLoopBackOff", "ImagePullBackOff", "OOMKilled", "Error", "Completed", ...; "" while running. */
  readonly reason: string;
  readonly ready: boolean;
  readonly started: boolean;
  readonly restartCount: number;
  /** Of the last run that ended, or null. */
  readonly exitCode: number | null;
}

export interface Pod {
  readonly kind: "Pod";
  readonly metadata: ObjectMeta;
  readonly spec: PodSpec;
  readonly status: PodStatus;
}

export interface PodTemplate {
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly spec: PodSpec;
}

export interface LabelSelector {
  readonly matchLabels: Labels;
  readonly matchExpressions: readonly {
    readonly key: string;
    readonly operator: "In" | "NotIn" | "Exists" | "DoesNotExist";
    readonly values: readonly string[];
  }[];
}

export interface DeploymentCondition {
  readonly status: "True" | "False" | "Unknown";
  readonly reason: string;
  readonly lastUpdateTimeNs: SimTimeNs;
  readonly lastTransitionTimeNs: SimTimeNs;
}

export interface DeploymentStatus {
  /** Pods of all its ReplicaSets, and those of the present template. */
  readonly replicas: number;
  readonly updatedReplicas: number;
  readonly readyReplicas: number;
  readonly availableReplicas: number;
  readonly unavailableReplicas: number;
  /** Conditions Progressing and Available; null until they are first set. */
  readonly progressing: DeploymentCondition | null;
  readonly available: DeploymentCondition | null;
}

export interface Deployment {
  readonly kind: "Deployment";
  readonly metadata: ObjectMeta;
  readonly spec: {
    readonly replicas: number;
    readonly selector: LabelSelector;
    readonly template: PodTemplate;
    /** Integer or percentage text ("25%"), as written; the controller rounds. */
    readonly maxSurge: number | string;
    readonly maxUnavailable: number | string;
    readonly strategy: "RollingUpdate" | "Recreate";
    readonly minReadyNs: DurationNs;
    readonly progressDeadlineNs: DurationNs;
    readonly revisionHistoryLimit: number;
    readonly paused: boolean;
  };
  readonly status: DeploymentStatus;
}

export interface ReplicaSpec {
  readonly replicas: number;
  readonly selector: LabelSelector;
  readonly template: PodTemplate;
  readonly minReadyNs: DurationNs;
}

export interface ReplicaStatus {
  readonly replicas: number;
  readonly readyReplicas: number;
  readonly availableReplicas: number;
}

export interface ReplicaSet {
  readonly kind: "ReplicaSet";
  readonly metadata: ObjectMeta;
  readonly spec: ReplicaSpec;
  readonly status: ReplicaStatus;
}

/** What a ReplicaSet was before there were any: the same, by the same code. */
export interface ReplicationController {
  readonly kind: "ReplicationController";
  readonly metadata: ObjectMeta;
  readonly spec: ReplicaSpec;
  readonly status: ReplicaStatus;
}

export interface StatefulSet {
  readonly kind: "StatefulSet";
  readonly metadata: ObjectMeta;
  readonly spec: ReplicaSpec & {
    /** Headless Service under which its pods have names. Absent: none. */
    readonly serviceName?: string;
    readonly podManagementPolicy: "OrderedReady" | "Parallel";
    readonly updateStrategy: "RollingUpdate" | "OnDelete";
    /** Pods of a lower ordinal keep the revision that they have. */
    readonly partition: number;
  };
  readonly status: StatefulSetStatus;
}

export interface StatefulSetStatus extends ReplicaStatus {
  readonly currentReplicas: number;
  readonly updatedReplicas: number;
  /** Hashes of the templates that the pods have now, and will have. */
  readonly currentRevision: string;
  readonly updateRevision: string;
  /** What the ControllerRevision of the current revision holds. */
  readonly currentTemplate: PodTemplate;
}

export interface DaemonSet {
  readonly kind: "DaemonSet";
  readonly metadata: ObjectMeta;
  readonly spec: Omit<ReplicaSpec, "replicas"> & {
    readonly updateStrategy: "RollingUpdate" | "OnDelete";
    readonly maxSurge: number | string;
    readonly maxUnavailable: number | string;
  };
  readonly status: DaemonSetStatus;
}

export interface DaemonSetStatus {
  readonly desiredNumberScheduled: number;
  readonly currentNumberScheduled: number;
  readonly updatedNumberScheduled: number;
  readonly numberReady: number;
  readonly numberAvailable: number;
  readonly numberMisscheduled: number;
}

export interface Job {
  readonly kind: "Job";
  readonly metadata: ObjectMeta;
  readonly spec: {
    readonly parallelism: number;
    /** null: as soon as one pod has succeeded, and the others have ended. */
    readonly completions: number | null;
    readonly backoffLimit: number;
    readonly selector: LabelSelector;
    readonly template: PodTemplate;
  };
  readonly status: JobStatus;
}

export interface JobStatus {
  readonly active: number;
  readonly ready: number;
  readonly succeeded: number;
  readonly failed: number;
  /** Complete or Failed; null while it runs. */
  readonly finished: "Complete" | "Failed" | null;
}

/** Makes a Job each time that its schedule is due. */
export interface CronJob {
  readonly kind: "CronJob";
  readonly metadata: ObjectMeta;
  readonly spec: {
    /** As written, in UTC. */
    readonly schedule: string;
    readonly suspend: boolean;
    readonly concurrencyPolicy: "Allow" | "Forbid" | "Replace";
    /** null: no time is too late. */
    readonly startingDeadlineNs: DurationNs | null;
    readonly successfulJobsHistoryLimit: number;
    readonly failedJobsHistoryLimit: number;
    /** spec.jobTemplate.spec, but for its pods. */
    readonly job: Omit<Job["spec"], "selector" | "template">;
    /** spec.jobTemplate.spec.template. */
    readonly template: PodTemplate;
  };
  readonly status: {
    /** Jobs that it has made and not yet seen to end. */
    readonly active: readonly { readonly name: string; readonly uid: string }[];
    readonly lastScheduleTimeNs: SimTimeNs | null;
  };
}

/** Whatever makes pods from a template. */
export type Workload =
  Deployment | ReplicaSet | ReplicationController | StatefulSet | DaemonSet | Job | CronJob;

export interface PodDisruptionBudget {
  readonly kind: "PodDisruptionBudget";
  readonly metadata: ObjectMeta;
  readonly spec: {
    readonly selector: LabelSelector;
    /** One of the two; integer or percentage text. */
    readonly minAvailable: number | string | null;
    readonly maxUnavailable: number | string | null;
    readonly unhealthyPodEvictionPolicy: "IfHealthyBudget" | "AlwaysAllow";
  };
  readonly status: DisruptionStatus;
}

export interface DisruptionStatus {
  readonly disruptionsAllowed: number;
  readonly currentHealthy: number;
  readonly desiredHealthy: number;
  readonly expectedPods: number;
  /** Pods whose eviction was granted and that the controller has not yet seen to go, and since when. */
  readonly disruptedPods: Readonly<Record<string, SimTimeNs>>;
}

export type ScaleTargetKind = "Deployment" | "ReplicaSet" | "ReplicationController" | "StatefulSet";

export interface ScalingRules {
  /** null: that of the controller. */
  readonly stabilizationWindowNs: DurationNs | null;
  readonly selectPolicy: "Max" | "Min" | "Disabled";
  readonly policies: readonly {
    readonly type: "Pods" | "Percent";
    readonly value: number;
    readonly periodNs: DurationNs;
  }[];
  /** null: that of the controller. */
  readonly tolerance: number | null;
}

/** autoscaling/v2, with CPU utilisation as its metric. */
export interface HorizontalPodAutoscaler {
  readonly kind: "HorizontalPodAutoscaler";
  readonly metadata: ObjectMeta;
  readonly spec: {
    readonly scaleTargetRef: { readonly kind: ScaleTargetKind; readonly name: string };
    readonly minReplicas: number;
    readonly maxReplicas: number;
    /** Per cent of the pods' CPU requests. */
    readonly targetUtilization: number;
    /** null: none was written, and older rules hold. */
    readonly behavior: { readonly scaleUp: ScalingRules; readonly scaleDown: ScalingRules } | null;
  };
  readonly status: {
    readonly currentReplicas: number;
    readonly desiredReplicas: number;
    readonly currentUtilization: number | null;
    readonly lastScaleTimeNs: SimTimeNs | null;
  };
}

export interface Node {
  readonly kind: "Node";
  readonly metadata: ObjectMeta;
  readonly spec: {
    readonly podCIDR: string;
    /** One of each family, `podCIDR` the first. */
    readonly podCIDRs: readonly string[];
    readonly unschedulable: boolean;
    readonly taints?: readonly Taint[];
  };
  readonly status: {
    readonly internalIP: IpText;
    /** One of each family, `internalIP` the first. */
    readonly internalIPs: readonly IpText[];
    readonly allocatable: ResourceRequests & { readonly maxPods: number };
    /** `unknown`: nobody has heard of the node, and `status` is false. */
    readonly ready: PodCondition & { readonly unknown?: boolean };
    /** Condition MemoryPressure. Absent: false. */
    readonly memoryPressure?: boolean;
  };
}

/** coordination.k8s.io/v1: who is alive, or who leads, and since when it has said so. */
export interface Lease {
  readonly kind: "Lease";
  readonly metadata: ObjectMeta;
  readonly spec: {
    readonly holderIdentity: string;
    readonly renewTimeNs: SimTimeNs;
    readonly leaseDurationNs: DurationNs;
  };
}

export type ServiceType = "ClusterIP" | "NodePort" | "LoadBalancer" | "ExternalName";
export type TrafficPolicy = "Cluster" | "Local";

export interface ServicePort {
  readonly name: string | null;
  readonly protocol: Protocol;
  readonly port: number;
  /** Number, or the name of a container port. */
  readonly targetPort: number | string;
  /** Allocated node port, or null where the Service has none. */
  readonly nodePort: number | null;
}

export interface Service {
  readonly kind: "Service";
  readonly metadata: ObjectMeta;
  readonly spec: {
    readonly type: ServiceType;
    /** Allocated address; "None" is a headless Service. */
    readonly clusterIP: IpText | "None";
    /** null: no selector, the user keeps the EndpointSlices. */
    readonly selector: Labels | null;
    readonly ports: readonly ServicePort[];
    readonly sessionAffinity: "None" | "ClientIP";
    readonly sessionAffinityTimeoutNs: DurationNs;
    readonly externalTrafficPolicy: TrafficPolicy;
    readonly internalTrafficPolicy: TrafficPolicy;
    readonly publishNotReadyAddresses: boolean;
    /** Both addresses of a dual-stack Service, the primary first. Absent: clusterIP alone. */
    readonly clusterIPs?: readonly IpText[];
    /** The families of its endpoints, the primary first. Absent: IPv4 alone. */
    readonly ipFamilies?: readonly IpFamily[];
    readonly externalIPs?: readonly IpText[];
    readonly loadBalancerSourceRanges?: readonly string[];
    /** Allocated for type LoadBalancer with externalTrafficPolicy Local. */
    readonly healthCheckNodePort?: number | null;
    readonly trafficDistribution?: TrafficDistribution | null;
    /** spec.externalName of type ExternalName. */
    readonly externalName?: string | null;
  };
  /** status.loadBalancer.ingress: absent until a load balancer has been set up. */
  readonly status?: { readonly ingress: readonly LoadBalancerIngress[] };
}

export type IpFamily = "IPv4" | "IPv6";
export type TrafficDistribution = "PreferClose" | "PreferSameZone" | "PreferSameNode";

export interface LoadBalancerIngress {
  readonly ip: IpText;
  /** VIP: packets arrive with the balancer's address. Proxy: the balancer dials the node port itself. */
  readonly ipMode: "VIP" | "Proxy";
}

/** discovery.k8s.io/v1 Endpoint. One address each, as real slices have in practice. */
export interface Endpoint {
  readonly address: IpText;
  readonly podUid: string;
  readonly podName: string;
  /** Its name under the Service's in DNS. Absent: none of its own. */
  readonly hostname?: string;
  readonly nodeName: string;
  readonly conditions: {
    readonly ready: boolean;
    readonly serving: boolean;
    readonly terminating: boolean;
  };
  /**
   * When what this state tells of really happened in the pod; null at rest. Observational: it lets a
   * node's sync be matched with its cause, and nothing decides by it.
   */
  readonly observedCauseNs: SimTimeNs | null;
  /** Its node's topology.kubernetes.io/zone. Absent: none. */
  readonly zone?: string;
  /** hints.forZones and hints.forNodes. Absent: no hint. */
  readonly zoneHints?: readonly string[];
  readonly nodeHints?: readonly string[];
}

export interface EndpointSlice {
  readonly kind: "EndpointSlice";
  readonly metadata: ObjectMeta;
  /** namespace/name of the owning Service. */
  readonly service: string;
  readonly addressType: IpFamily;
  readonly ports: readonly {
    readonly name: string | null;
    readonly protocol: Protocol;
    readonly port: number;
  }[];
  readonly endpoints: readonly Endpoint[];
}

/** core/v1 EndpointAddress. */
export interface EndpointAddress {
  readonly ip: IpText;
  /** Absent: none. */
  readonly hostname?: string;
  readonly nodeName: string | null;
  /** targetRef, where a pod has the address. */
  readonly podName?: string;
  readonly podUid?: string;
}

/** Every address has every port. */
export interface EndpointSubset {
  readonly addresses: readonly EndpointAddress[];
  readonly notReadyAddresses: readonly EndpointAddress[];
  readonly ports: EndpointSlice["ports"];
}

/** core/v1 Endpoints, named as its Service: what there was before EndpointSlices. */
export interface Endpoints {
  readonly kind: "Endpoints";
  readonly metadata: ObjectMeta;
  readonly subsets: readonly EndpointSubset[];
}

export interface ObjectByKind {
  readonly Pod: Pod;
  readonly Deployment: Deployment;
  readonly ReplicaSet: ReplicaSet;
  readonly ReplicationController: ReplicationController;
  readonly StatefulSet: StatefulSet;
  readonly DaemonSet: DaemonSet;
  readonly Job: Job;
  readonly CronJob: CronJob;
  readonly PodDisruptionBudget: PodDisruptionBudget;
  readonly HorizontalPodAutoscaler: HorizontalPodAutoscaler;
  readonly Node: Node;
  readonly Service: Service;
  readonly EndpointSlice: EndpointSlice;
  readonly Endpoints: Endpoints;
  readonly Lease: Lease;
}

/** Namespace of the kubelets' Leases, each named as its node. */
export const NODE_LEASE_NAMESPACE = "kube-node-lease";

export type Kind = keyof ObjectByKind;

/** "namespace/name", the key of an object within its kind (Nodes: "/name"). */
export type ObjectKey = string;

export function objectKey(object: { readonly metadata: ObjectMeta }): ObjectKey {
  return `${object.metadata.namespace}/${object.metadata.name}`;
}

/** The label that says which zone a node is in. */
export const ZONE_LABEL = "topology.kubernetes.io/zone";

/** Who keeps an EndpointSlice: its label, and the controllers' names in it. */
export const MANAGED_BY_LABEL = "endpointslice.kubernetes.io/managed-by";
export const SLICE_CONTROLLER = "endpointslice-controller.k8s.io";
/** Label of the slices of a Service without a cluster IP; its value is empty. */
export const HEADLESS_LABEL = "service.kubernetes.io/headless";
export const MIRRORING_CONTROLLER = "endpointslicemirroring-controller.k8s.io";

/** Annotation of Endpoints that hold fewer addresses than there are, and its value. */
export const OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity";
export const TRUNCATED = "truncated";

/** Annotation of a slice: since when that is so which its last change tells of, in ns of the simulation. */
export const LAST_CHANGE_TRIGGER_TIME = "endpoints.kubernetes.io/last-change-trigger-time";

/** An address' family by its text. */
export function familyOf(address: IpText): IpFamily {
  return address.includes(":") ? "IPv6" : "IPv4";
}

/** Whether `labels` satisfy every term of `selector` (apimachinery LabelSelector semantics). */
export function matchesSelector(selector: LabelSelector, labels: Labels): boolean {
  return (
    matchesLabels(selector.matchLabels, labels) &&
    selector.matchExpressions.every(({ key, operator, values }) =>
      meetsRequirement(operator, Object.hasOwn(labels, key) ? labels[key] : undefined, values),
    )
  );
}

/** Whether a label's value, undefined for an absent label, meets a requirement of a selector. */
export function meetsRequirement(
  operator: "In" | "NotIn" | "Exists" | "DoesNotExist",
  value: string | undefined,
  values: readonly string[],
): boolean {
  switch (operator) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
  }
}

/** Whether `labels` hold every pair of `wanted` (a Service's selector). */
export function matchesLabels(wanted: Labels, labels: Labels): boolean {
  return Object.entries(wanted).every(
    ([key, value]) => Object.hasOwn(labels, key) && labels[key] === value,
  );
}
