/**
 * Arbitrary clusters: how many nodes, in which zones, how pods reach each other.
 *
 * Owns: what shrinks to what: one node without a zone on the default network.
 */
import fc from "fast-check";
import type { ClusterInput } from "../../index.ts";
import { networkKinds, type NetworkKindName } from "../../network/kinds/index.ts";

/** The `cluster` of a scenario, without manifests: these are yours, or {@link services}. */
export function clusters(limits: { nodesMax?: number } = {}): fc.Arbitrary<ClusterInput> {
  const networks = Object.keys(networkKinds) as NetworkKindName[];
  return fc
    .record({
      nodes: fc.integer({ min: 1, max: limits.nodesMax ?? 5 }),
      zones: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
      network: fc.constantFrom(...networks),
    })
    .map(({ nodes, zones, network }) => ({
      nodes,
      network,
      ...(zones === undefined ? {} : { zones }),
    }));
}
