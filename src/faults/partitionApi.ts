/**
 * Nodes lose the API server, and nothing else: their kubelets, their kube-proxies, or both.
 *
 * Owns: which and when. That requests and watches find out, and how they come back, is the connection's affair
 * (kubernetes/api/connection.ts).
 */
import type { Host } from "../network/host.ts";
import type { FaultContext, FaultScheduler } from "./contract.ts";
import { hostsOf, type HostGroup } from "./hosts.ts";
import { during, type Span } from "./span.ts";

export type NodeComponent = "kubelet" | "kube-proxy";

export interface PartitionApiSpec extends Span {
  readonly kind: "partitionApi";
  readonly nodes: HostGroup;
  readonly components: readonly NodeComponent[];
}

export const partitionApi: FaultScheduler<PartitionApiSpec> = (spec, context) => {
  during(context, spec, { kind: spec.kind, object: `node/${spec.nodes.text}` }, () =>
    cutOffApi(hostsOf(spec.nodes, context), spec.components, context),
  );
};

/** @returns what lets them through again */
export function cutOffApi(
  nodes: readonly Host[],
  components: readonly NodeComponent[],
  { overlaps, apiServer }: FaultContext,
): () => void {
  const ends = nodes.flatMap(({ name }) =>
    components.map((component) => {
      const who = `${component}/${name}`;
      return overlaps.hold(
        `api/${who}`,
        () => apiServer.disconnect(who),
        () => apiServer.reconnect(who),
      );
    }),
  );
  return () => {
    for (const end of ends) end();
  };
}
