/** Constants of the load balancers that a cloud puts in front of a cluster. "timings §N": docs/sources.md. */
import { seconds } from "../../engine/index.ts";

export const loadBalancerProfile = {
  healthCheck: {
    /** GCE's for Services (timings §15). */
    intervalNs: seconds(8),
    timeoutNs: seconds(1),
    healthyThreshold: 1,
    unhealthyThreshold: 3,
    /** Request and answer: a few headers. */
    messageBytes: 200,
  },
  /** ipMode VIP: a flow that has been silent for so long is forgotten, and chosen for anew (timings §15). */
  flowIdleNs: seconds(60),
  /** ipMode Proxy: a connection that has been silent for so long is forgotten: then a RST (timings §15). */
  connectionIdleNs: seconds(350),
  /** From a change of the cluster's nodes to the balancer's list of targets (timings §15). */
  targetLagNs: seconds(15),
  /** First TTL of an IP packet, one less at each router. */
  ttl: 64,
};

export type LoadBalancerProfile = typeof loadBalancerProfile;
