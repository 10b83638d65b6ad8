/**
 * Upstream's CategorizeEndpoints table against ours. Data: test/conformance/README.md.
 *
 * Seen to fail: with hints applied to local endpoints as well, `itp-local-topology-ignored-for-local`.
 */
import { describe, expect, it } from "vitest";
import { categorizeEndpoints, type ProxyEndpoint } from "../../src/kubernetes/proxy/categorize.ts";
import { readData } from "./data.ts";

interface TopologyCase {
  readonly id: string;
  readonly name: string;
  readonly node: { readonly name: string | null; readonly zone: string | null };
  readonly service: {
    readonly internalTrafficPolicy: "Cluster" | "Local";
    readonly externalTrafficPolicy: "Cluster" | "Local";
    readonly externallyAccessible: boolean;
  };
  readonly preferSameTrafficDistribution: boolean;
  readonly endpoints: readonly (Omit<ProxyEndpoint, "text"> & { readonly endpoint: string })[];
  readonly expected: {
    readonly clusterEndpoints: readonly string[] | null;
    readonly localEndpoints: readonly string[] | null;
    readonly allEndpoints: readonly string[];
    readonly hasAnyEndpoints: boolean;
  };
}

const cases = readData<TopologyCase[]>("TOPOLOGY", "topology.json");

/** The order does not matter in upstream's table. An unused list is null, or empty without endpoints. */
function sorted(
  endpoints: readonly { readonly text: string }[] | null,
  expected: readonly string[] | null,
): string[] | null {
  if (endpoints === null) return expected?.length === 0 ? [] : null;
  return endpoints.map(({ text }) => text).sort();
}

describe("CategorizeEndpoints", () => {
  it.each(cases)("$id: $name", ({ node, service, endpoints, expected, ...options }) => {
    const found = categorizeEndpoints(
      endpoints.map((each) => ({ ...each, text: each.endpoint })),
      {
        ...service,
        nodeName: node.name,
        zone: node.zone,
        preferSameTrafficDistribution: options.preferSameTrafficDistribution,
      },
    );
    expect({
      cluster: sorted(found.cluster, expected.clusterEndpoints),
      local: sorted(found.local, expected.localEndpoints),
      all: found.all.map(({ text }) => text).sort(),
      hasAny: found.hasAny,
    }).toEqual({
      cluster: expected.clusterEndpoints?.toSorted() ?? null,
      local: expected.localEndpoints?.toSorted() ?? null,
      all: expected.allEndpoints.toSorted(),
      hasAny: expected.hasAnyEndpoints,
    });
  });
});
