/** What faults get to work with where a test has no cluster: an empty network, and nobody listening. */
import type { Simulation } from "../../src/engine/index.ts";
import type { FaultContext } from "../../src/faults/contract.ts";
import { Machines } from "../../src/faults/machines.ts";
import { Overlaps } from "../../src/faults/overlaps.ts";
import { Network } from "../../src/network/network.ts";
import { linuxProfile } from "../../src/network/profile.ts";
import { NetworkStack } from "../../src/network/stack.ts";
import { createObservations } from "../../src/observe/observations.ts";

export function faultContext(
  sim: Simulation,
): Omit<FaultContext, "api" | "pods" | "listed" | "crash" | "sigkill" | "oomKill"> {
  const network = new Network(sim, linuxProfile);
  const stack = new NetworkStack(network);
  return {
    sim,
    observations: createObservations([]),
    network,
    stack,
    machines: new Machines(stack, () => null),
    overlaps: new Overlaps(),
    kubeProxies: new Map(),
    loseLeader() {},
    apiServer: { pause() {}, resume() {}, slow() {}, disconnect() {}, reconnect() {} },
    inside: new Set(),
    containers: new Map(),
    dns: null,
  };
}
