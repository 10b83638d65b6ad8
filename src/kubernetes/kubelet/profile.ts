/** Constants of the kubelet and its runtime. "timings §N": docs/sources.md. */
import { minutes, ms, seconds, type DistributionSpec } from "../../engine/index.ts";

export const kubeletProfile = {
  /**
   * Status writes a second and their burst: 50 qps / burst 100 of the client, and each status costs a
   * GET and a PATCH (timings §1.2).
   */
  statusQps: 25,
  statusBurst: 50,
  /** A status write that failed is made again with the next full pass (timings §1.2). */
  statusReconcileNs: seconds(10),
  /** relist: the PLEG polls. evented: the runtime tells it (Evented PLEG, alpha in 1.36; timings §1.2). */
  pleg: "relist",
  /** From the end of a relist to the beginning of the next (timings §1.2). */
  plegRelistNs: seconds(1),
  /** A relist: the runtime's two list calls, and what each container adds to them. A judgement. */
  plegListNs: ms(2),
  plegListPerContainerNs: ms(0.05),
  /** Inspecting one pod that has news: PodSandboxStatus and ContainerStatus. A judgement. */
  plegInspectNs: ms(3),
  /** Evented: from what happens to its event, with the inspection. A judgement. */
  plegEventNs: ms(5),
  /** Evented: how often the cache is called fresh without an event (evented.go, globalCacheUpdatePeriod). */
  plegCacheNs: seconds(5),
  /** The kubelet's loop takes up pods whose wait is over once a second (timings §1.2, syncLoop). */
  syncTickNs: seconds(1),
  /** Volume manager's polls: 0.1-0.4 s for every pod start (timings §1.2). */
  volumesTime: { kind: "uniform", low: ms(100), high: ms(400) } as DistributionSpec,
  /** Sandbox with CNI ADD (timings §1.5, suggested). */
  sandboxTime: { kind: "lognormal", p50: ms(400), p99: seconds(2) } as DistributionSpec,
  /** Create and start of a container, image present (timings §1.5, suggested). */
  containerStartTime: { kind: "lognormal", p50: ms(300), p99: ms(1500) } as DistributionSpec,
  /** CNI DEL and the sandbox's end, after the last container. A judgement. */
  sandboxTeardownTime: { kind: "lognormal", p50: ms(100), p99: ms(500) } as DistributionSpec,
  /** Wait after a sync that failed, as for want of an address; times 1 to 1.5 (timings §1.2). */
  syncErrorBackoffNs: seconds(10),
  /** The same while the pod network is not ready (timings §1.2). */
  networkNotReadyBackoffNs: seconds(1),
  /** A pod whose object is gone: the kubelet never uses less than 1 s (timings §1.3). */
  forcedGraceNs: seconds(1),
  /**
   * minimumGracePeriodInSeconds: what SIGTERM leaves at least before SIGKILL, whatever the grace period
   * and also after a forced delete (timings §1.3; kuberuntime_container.go killContainer).
   */
  minimumGraceNs: seconds(2),
  /** syncFrequency: a pod worker never sleeps longer (timings §1.2, §1.4). */
  podResyncNs: minutes(1),
  /** CrashLoopBackOff: first restart at once, then 10 s doubling to 5 min (timings §1.4). */
  crashBackoffBaseNs: seconds(10),
  crashBackoffMaxNs: minutes(5),
  /** Up to 1.32 a pod worker looks that often whether the back-off is over; 0: it knows when (timings §1.4). */
  crashBackoffPollNs: 0,
  /** A container that ran this long starts over with its back-off. */
  crashBackoffResetNs: seconds(600),
  /** CPU time of a command that is run in a container: runc exec and a small program. A judgement. */
  execCpuNs: ms(50),
  /** A hook's HTTP request is given up when the kernel does: tcp_syn_retries (timings §10). */
  hookTimeoutNs: seconds(131),
  /** serializeImagePulls: one pull at a time; else as many as maxParallelImagePulls (timings §1.2). */
  serializeImagePulls: true,
  maxParallelImagePulls: 8,
  /** registryPullQPS and registryBurst: a pull beyond them fails (timings §1.2). */
  registryPullQps: 5,
  registryBurst: 10,
  /** Rate at which a node gets an image and unpacks it, shared by its pulls. A judgement: 50 MiB/s. */
  registryBytesPerSecond: 50 * 1024 * 1024,
  /** Asking the registry what an image is. A judgement. */
  registryRoundTripNs: ms(200),
  /** MaxImageBackOff: 10 s doubling to 5 min (timings §1.2). */
  imageBackoffBaseNs: seconds(10),
  imageBackoffMaxNs: minutes(5),
  /** nodeLeaseDurationSeconds; renewed after a quarter of it, up to 4 % late (timings §1.6). */
  leaseDurationNs: seconds(40),
  leaseRenewNs: seconds(10),
  leaseRenewJitter: 0.04,
  /** nodeStatusUpdateFrequency: how often the kubelet looks at its node's object (timings §1.6). */
  nodeStatusUpdateNs: seconds(10),
  /** The heartbeat's client has no limit of its own (kubelet server.go, heartbeatClientConfig.QPS -1). */
  heartbeatQps: 1000,
  /** Eviction: monitoring interval, hard threshold memory.available (timings §1.7). */
  evictionIntervalNs: seconds(10),
  evictionMemoryAvailableBytes: 100 * 1024 * 1024,
  /** podCleanupTimeout: how long the next victim waits for the last one's end. */
  evictionCleanupNs: seconds(30),
  /** evictionPressureTransitionPeriod: MemoryPressure lasts at least this long. */
  evictionPressureTransitionNs: minutes(5),
  /** shutdownGracePeriod, and the part of it that is for critical pods; 0: no graceful shutdown (timings §1.8). */
  shutdownGracePeriodNs: 0,
  shutdownGracePeriodCriticalPodsNs: 0,
  /** From the inhibitor lock's release until the machine is down: the last statuses get through. A judgement. */
  shutdownReleaseNs: seconds(1),
};

export type KubeletProfile = typeof kubeletProfile;
