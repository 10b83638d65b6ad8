/** Constants of kube-scheduler. "timings §N": docs/sources.md. */
import { minutes, ms, seconds } from "../../engine/index.ts";
import { leaderElectionProfile } from "../election/profile.ts";

export const schedulerProfile = {
  /** Binds go through the scheduler's own client (timings §4). */
  clientQps: 50,
  clientBurst: 100,
  /** One scheduling attempt, one pod at a time. A judgement: thousands a second without binding. */
  attemptNs: ms(1),
  /** Back-off of a pod that fits nowhere: 1 s doubling to 10 s (timings §4). */
  backoffBaseNs: seconds(1),
  backoffMaxNs: seconds(10),
  /** After that long it is tried again though nothing has changed (timings §4). */
  unschedulableFlushNs: minutes(5),
  /** Weights of the scores (timings §4). */
  weights: {
    taintToleration: 3,
    nodeAffinity: 2,
    podTopologySpread: 2,
    interPodAffinity: 2,
    leastAllocated: 1,
    balancedAllocation: 1,
  },
  leaderElection: leaderElectionProfile,
};

export type SchedulerProfile = typeof schedulerProfile;
