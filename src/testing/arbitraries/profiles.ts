/**
 * Arbitrary overrides of the profile: the constants that make the model go other ways.
 *
 * Owns: which constants are worth drawing: how often a node syncs, how late a watch is, and queues so small that
 * packets are lost in each place that can lose them.
 */
import fc from "fast-check";
import type { ProfileOverride } from "../../index.ts";

export function profiles(): fc.Arbitrary<ProfileOverride | undefined> {
  return fc.option(
    fc
      .record({
        kubernetes: fc.option(controlPlane(), { nil: undefined }),
        network: fc.option(smallQueues(), { nil: undefined }),
      })
      .map(({ kubernetes, network }) => ({
        ...(kubernetes === undefined ? {} : { kubernetes }),
        ...(network === undefined ? {} : { network }),
      })),
    { nil: undefined },
  );
}

export function losslessProfiles(): fc.Arbitrary<ProfileOverride | undefined> {
  return fc.option(
    controlPlane().map((kubernetes) => ({ kubernetes })),
    { nil: undefined },
  );
}

/** Nodes that learn late that a pod has gone, and a queue somewhere that is soon full. */
export function lossyProfiles(): fc.Arbitrary<ProfileOverride> {
  // Without room for one connection that is not accepted yet, every SYN is refused.
  const noBacklog = fc.constant({ tcp: { listenBacklog: 0 } });
  return fc.oneof(noBacklog, { weight: 6, arbitrary: smallQueues() }).map((network) => ({
    kubernetes: {
      kubeProxy: { iptables: { minSyncPeriod: "3s" } },
      apiServer: { watchLatency: "500ms" },
    },
    network: { neighbour: { queueLimitPackets: 1 }, ...network },
  }));
}

function controlPlane(): fc.Arbitrary<NonNullable<ProfileOverride["kubernetes"]>> {
  return fc
    .record({
      syncMs: fc.constantFrom(0, 100, 3000),
      watchMs: fc.constantFrom(0, 8, 500),
      slices: fc.constantFrom(100, 2),
    })
    .map(({ syncMs, watchMs, slices }) => ({
      kubeProxy: { iptables: { minSyncPeriod: `${syncMs}ms` as const } },
      apiServer: { watchLatency: `${watchMs}ms` as const },
      controllerManager: { endpointSlice: { maxEndpointsPerSlice: slices } },
    }));
}

function smallQueues(): fc.Arbitrary<NonNullable<ProfileOverride["network"]>> {
  return fc.constantFrom(
    { nic: { linkRateBps: 5e6, queueLimitPackets: 4 } },
    { switchPort: { linkRateBps: 5e6, queueLimitBytes: 20_000 } },
    { veth: { cpuNsPerPacket: 200_000, queueLimitPackets: 2 } },
    { bridge: { cpuNsPerPacket: 200_000, queueLimitPackets: 2 } },
    { neighbour: { queueLimitPackets: 1 } },
    { tcp: { listenBacklog: 1 } },
  );
}
