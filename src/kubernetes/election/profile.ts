/** Constants of leader election, the same for each component that has it. "timings §N": docs/sources.md. */
import { seconds } from "../../engine/index.ts";

export const leaderElectionProfile = {
  /** One leads, the others wait: three on a cluster with three control planes. */
  replicas: 3,
  /** --leader-elect-lease-duration, -renew-deadline, -retry-period (timings §3). */
  leaseDurationNs: seconds(15),
  renewDeadlineNs: seconds(10),
  retryPeriodNs: seconds(2),
  /** JitterFactor: those that wait look after the retry period times 1 to 2.2 (timings §3). */
  jitterFactor: 1.2,
};

export type LeaderElectionProfile = typeof leaderElectionProfile;
