/** Constants of the metrics pipeline. "timings §N": docs/sources.md. */
import { seconds } from "../../engine/index.ts";

export const metricsProfile = {
  /** --metric-resolution of metrics-server, as the addon sets it (timings §11). */
  resolutionNs: seconds(15),
  /** From one sample of a container by the kubelet's cAdvisor to the next (timings §11). */
  housekeepingNs: seconds(10),
};

export type MetricsProfile = typeof metricsProfile;
