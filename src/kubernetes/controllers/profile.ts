/** Constants of kube-controller-manager. "timings §N": docs/sources.md. */
import { ms, seconds } from "../../engine/index.ts";
import { leaderElectionProfile } from "../election/profile.ts";

export const controllerManagerProfile = {
  /** One token bucket for each controller's own client (timings §3). */
  clientQps: 20,
  clientBurst: 30,
  /** Generic work queue: 5 ms x 2^n up to 1000 s a key, and 10 qps / burst 100 (timings §3). */
  retryBaseNs: ms(5),
  retryMaxNs: seconds(1000),
  retryQps: 10,
  retryBurst: 100,
  /** ExpectationsTimeout of controller_utils.go: after that a controller counts again, seen or not (timings §3). */
  expectationsTimeoutNs: seconds(300),
  replicaSet: {
    workers: 5,
    /** Unlike the others it never gives up (replica_set.go processNextWorkItem). */
    maxRetries: Infinity,
    /** Creates or deletes in one sync, at most; slow start begins with one (timings §3). */
    burstReplicas: 500,
    slowStartInitial: 1,
  },
  deployment: {
    workers: 5,
    /** maxRetries of deployment_controller.go. */
    maxRetries: 15,
  },
  statefulSet: {
    /** --concurrent-statefulset-syncs (timings §3). */
    workers: 5,
    maxRetries: Infinity,
  },
  daemonSet: {
    /** --concurrent-daemonset-syncs; creates or deletes in one sync, at most (timings §3). */
    workers: 2,
    maxRetries: Infinity,
    burstReplicas: 250,
    /** From one failed pod of a node to the next, doubling (timings §3). */
    failedPodBackoffNs: seconds(1),
    failedPodBackoffMaxNs: seconds(900),
  },
  job: {
    /** --concurrent-job-syncs; creates or deletes in one sync, at most (timings §3). */
    workers: 5,
    maxRetries: Infinity,
    burstReplicas: 500,
    /** What pods' changes are gathered for before a sync (timings §3). */
    batchPeriodNs: seconds(1),
    /** After a pod has failed, doubling (timings §3). */
    failureBackoffNs: seconds(10),
    failureBackoffMaxNs: seconds(600),
  },
  cronJob: {
    /** --concurrent-cron-job-syncs; nextScheduleDelta: so long after a time it is due (timings §3.1). */
    workers: 5,
    delayNs: ms(100),
  },
  garbageCollector: {
    /** --concurrent-gc-syncs (timings §3.1). */
    workers: 20,
  },
  autoscaler: {
    /** --concurrent-horizontal-pod-autoscaler-syncs; --horizontal-pod-autoscaler-sync-period (timings §11). */
    workers: 5,
    syncPeriodNs: seconds(15),
    /** --horizontal-pod-autoscaler-tolerance (timings §11). */
    tolerance: 0.1,
    /** --horizontal-pod-autoscaler-downscale-stabilization (timings §11). */
    downscaleStabilizationNs: seconds(300),
    /** --horizontal-pod-autoscaler-cpu-initialization-period and -initial-readiness-delay (timings §11). */
    cpuInitializationNs: seconds(300),
    initialReadinessDelayNs: seconds(30),
  },
  disruption: {
    workers: 1,
    maxRetries: Infinity,
    /** A pod whose eviction was granted and that is not going after this long counts again (timings §3). */
    deletionTimeoutNs: seconds(120),
  },
  endpointSlice: {
    /** --concurrent-service-endpoint-syncs (timings §2). */
    workers: 5,
    /** --endpointslice-updates-batch-period. */
    batchPeriodNs: 0,
    /** endpointSliceChangeMinSyncDelay: after another's edit of a slice (timings §2). */
    foreignEditDelayNs: seconds(1),
    /** --max-endpoints-per-slice. */
    maxEndpointsPerSlice: 100,
    /** Back-off of a key, also after a stale cache: 1 s x 2^n up to 1000 s (timings §2). */
    retryBaseNs: seconds(1),
    retryMaxNs: seconds(1000),
    /** Tries before a Service is let go (timings §2). */
    maxRetries: 15,
    /** overloadThreshold of topologycache.go: an endpoint's share of load above its fair one (timings §2.1). */
    overloadThreshold: 0.2,
  },
  leaderElection: leaderElectionProfile,
  nodeLifecycle: {
    /** --node-monitor-period and --node-monitor-grace-period (timings §5). */
    monitorPeriodNs: seconds(5),
    graceNs: seconds(50),
    /** --node-startup-grace-period. */
    startupGraceNs: seconds(60),
    /** UpdateNodeHealth and MarkPodsNotReady: nodes at a time (scheduler.UpdateWorkerSize). */
    workers: 8,
    /** nodeEvictionPeriod: how often the zones' queues are looked at (timings §5). */
    evictionPeriodNs: ms(100),
    /** --node-eviction-rate and --secondary-node-eviction-rate: nodes a second in a zone (timings §5). */
    evictionRate: 0.1,
    secondaryEvictionRate: 0.01,
    /** --large-cluster-size-threshold: a partly disrupted zone of no more nodes loses none (timings §5). */
    largeZoneNodes: 50,
  },
  podGC: {
    /** gcCheckPeriod and quarantineTime (timings §3). */
    checkPeriodNs: seconds(20),
    quarantineNs: seconds(40),
  },
  endpoints: {
    /** Whether the legacy controller runs. Real ones run it; nothing in a run routes by what it writes. */
    enabled: false,
    /** --concurrent-endpoint-syncs, --endpoint-updates-batch-period; maxRetries (timings §2.2). */
    workers: 5,
    batchPeriodNs: 0,
    maxRetries: 15,
    /** maxCapacity: addresses of one object (timings §2.2). */
    maxCapacity: 1000,
  },
  mirroring: {
    /** --mirroring-concurrent-service-endpoint-syncs, -endpointslice-updates-batch-period (timings §2.2). */
    workers: 5,
    batchPeriodNs: 0,
    /** defaultSyncBackOff x 2^n up to maxSyncBackOff; maxRetries (timings §2.2). */
    retryBaseNs: seconds(1),
    retryMaxNs: seconds(100),
    maxRetries: 15,
    /** --mirroring-max-endpoints-per-subset (timings §2). */
    maxEndpointsPerSubset: 1000,
  },
};

export type ControllerManagerProfile = typeof controllerManagerProfile;
