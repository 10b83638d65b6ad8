/** A small profile, so that these tests do not depend on the real constants. */
import type { Profile } from "../../src/scenario/profile.ts";

export const stubProfile = {
  name: "stub",
  network: { mtuBytes: 1500, nic: { latencyNs: 10_000, queueLimitBytes: Infinity } },
  kubernetes: {
    version: "1.36",
    kubeProxy: {
      minSyncPeriodNs: 1_000_000_000,
      backoffNs: [1, 2],
      clusterCIDR: [],
      nodePortAddresses: [],
    },
    kubelet: { startNs: { kind: "lognormal", p50: 1_000, p99: 5_000 } },
  },
  server: { backlog: 4096 },
} as unknown as Profile;
