/**
 * Upstream's CategorizeEndpoints table against ours. Data: test/conformance/README.md.
 *
 * Seen to fail: with hints applied to local endpoints as well, `itp-local-topology-ignored-for-local`.
 */
import { describe, expect, it } from "vitest";
import { categorizeEndpoints, type ProxyEndpoint } from "../../src/kubernetes/proxy/categorize.ts";
import { readData } from "./data.ts";

type CaseEndpoint = Partial<Omit<ProxyEndpoint, "text">> & { readonly endpoint: string };

/** A field that is not there is Go's zero value. */
interface TopologyCase {
  readonly id: string;
  readonly name: string;
  readonly node: { readonly name?: string | null; readonly zone?: string | null };
  readonly service: {
    readonly internalTrafficPolicy?: "Cluster" | "Local" | null;
    readonly externalTrafficPolicy?: "Cluster" | "Local" | null;
    readonly nodePort?: number | null;
    readonly externallyAccessible?: boolean | null;
  };
  readonly preferSameTrafficDistribution: boolean;
  readonly endpoints?: readonly CaseEndpoint[] | null;
  readonly expected: {
    readonly clusterEndpoints: readonly string[] | null;
    readonly localEndpoints: readonly string[] | null;
    readonly allEndpoints: readonly string[];
    readonly hasAnyEndpoints: boolean;
  };
}

const cases = readData<TopologyCase[]>("TOPOLOGY", "topology.json");

function asSeen(written: CaseEndpoint): ProxyEndpoint {
  return {
    text: written.endpoint,
    isLocal: written.isLocal ?? false,
    ready: written.ready ?? false,
    serving: written.serving ?? false,
    terminating: written.terminating ?? false,
    zoneHints: written.zoneHints ?? null,
    nodeHints: written.nodeHints ?? null,
  };
}

/** The order does not matter in upstream's table. Without endpoints upstream has no list where the table has an empty one. */
function sorted(
  found: readonly { readonly text: string }[] | null,
  expected: readonly string[] | null,
  isWithout: boolean,
): string[] | null {
  if (found === null || isWithout) return expected?.length === 0 ? [] : null;
  return found.map(({ text }) => text).sort();
}

describe("CategorizeEndpoints", () => {
  it.each(cases)("$id: $name", ({ node, service, endpoints, expected, ...options }) => {
    const { internalTrafficPolicy, externalTrafficPolicy, externallyAccessible, nodePort } =
      service;
    const given = (endpoints ?? []).map(asSeen);
    const found = categorizeEndpoints(given, {
      internalTrafficPolicy: internalTrafficPolicy ?? "Cluster",
      externalTrafficPolicy: externalTrafficPolicy ?? "Cluster",
      externallyAccessible: externallyAccessible ?? (nodePort ?? 0) > 0,
      nodeName: node.name ?? null,
      zone: node.zone ?? null,
      preferSameTrafficDistribution: options.preferSameTrafficDistribution,
    });
    const isWithout = given.length === 0;
    expect({
      cluster: sorted(found.cluster, expected.clusterEndpoints, isWithout),
      local: sorted(found.local, expected.localEndpoints, isWithout),
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
