/** Constants of the kubelet and its runtime. "timings §N": docs/sources.md. */
import { minutes, ms, seconds, type DistributionSpec } from "../../engine/index.ts";

export const kubeletProfile = {
  /**
   * Status writes a second and their burst: 50 qps / burst 100 of the client, and each status costs a
   * GET and a PATCH (timings §1.2).
   */
  statusQps: 25,
  statusBurst: 50,
  /** Time between two relists of the PLEG (timings §1.2). */
  plegRelistNs: seconds(1),
  /** Volume manager's polls: 0.1-0.4 s for every pod start (timings §1.2). */
  volumesTime: { kind: "uniform", low: ms(100), high: ms(400) } as DistributionSpec,
  /** Sandbox with CNI ADD (timings §1.5, suggested). */
  sandboxTime: { kind: "lognormal", p50: ms(400), p99: seconds(2) } as DistributionSpec,
  /** Create and start of a container, image present (timings §1.5, suggested). */
  containerStartTime: { kind: "lognormal", p50: ms(300), p99: ms(1500) } as DistributionSpec,
  /** CNI DEL and the sandbox's end, after the last container. A judgement. */
  sandboxTeardownTime: { kind: "lognormal", p50: ms(100), p99: ms(500) } as DistributionSpec,
  /** Wait for an address when the node's range is exhausted: sync error back-off (timings §1.2). */
  addressRetryNs: seconds(10),
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
};

export type KubeletProfile = typeof kubeletProfile;
