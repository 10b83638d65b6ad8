/**
 * How much memory a cluster takes before anything happens in it.
 *
 * Owns: the estimate. Refuses to own: what the machine has (cli/), and what traffic adds: some hundred bytes for each
 * connection and for each row of the results, which nobody knows beforehand.
 */
import { podsOf } from "./cluster.ts";
import type { ResolvedCluster } from "./resolved.ts";

/**
 * Measured as the peak of the resident set, a run of a second at rest on Node 20 (docs/performance.md, "Memory"):
 * 2 to 5,000 nodes, 1 to 10,000 Services, 2 to 150,000 pods. Rounded up by a fifth.
 */
const BYTES = { process: 120e6, node: 70e3, pod: 18e3, service: 27e3 } as const;

export type Sizes = Readonly<Record<"nodes" | "pods" | "services", number>>;

export function sizesOf(cluster: ResolvedCluster): Sizes {
  const { nodes, services, deployments, replicaSets, workloads, pods } = cluster;
  const owners = [...deployments, ...replicaSets, ...workloads];
  const owned = owners.reduce((sum, owner) => sum + podsOf(owner, nodes), 0);
  return { nodes: nodes.length, services: services.length, pods: owned + pods.length };
}

/** In bytes. */
export function expectedMemoryBytes({ nodes, pods, services }: Sizes): number {
  return BYTES.process + nodes * BYTES.node + pods * BYTES.pod + services * BYTES.service;
}
