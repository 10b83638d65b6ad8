/** Constants of the API server and of watches. "timings §N": docs/sources.md. */
import { ms, type DistributionSpec } from "../../engine/index.ts";

export const apiServerProfile = {
  /** A write with its etcd commit: 5-15 ms p50, 50-100 ms p99 while healthy (timings §6, typical). */
  writeLatency: { kind: "lognormal", p50: ms(10), p99: ms(75) } as DistributionSpec,
  /** From commit to one watcher: 5-20 ms in a small cluster (timings §6, typical). */
  watchLatency: { kind: "lognormal", p50: ms(8), p99: ms(20) } as DistributionSpec,
  /** A request or its response on the network between a component and the server. */
  networkNs: ms(0.2),
};

export type ApiServerProfile = typeof apiServerProfile;
