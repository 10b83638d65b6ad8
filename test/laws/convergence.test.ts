/**
 * Law 3, convergence: once the cluster is quiet, every node has programmed exactly the Service's ready pods.
 *
 * Truth is taken from the network: which pods' namespaces are alive and listen on all their ports. No slice, no
 * status and no informer is asked. So no packet may be lost: a pod whose probes are lost listens, and is not ready.
 *
 * Seen to fail when: a proxy takes no note of what changes during a sync; the EndpointSlice controller does not
 * come back after a stale cache; a restarted pod's probe passes before the kubelet has seen it run (a fault that
 * this law found: found.test.ts).
 */
import { expect, test } from "vitest";
import { seconds } from "../../src/engine/index.ts";
import { matchesLabels, objectKey, type Service } from "../../src/kubernetes/api/types.ts";
import type { Run } from "../../src/scenario/compile.ts";
import type { ResolvedScenario } from "../../src/scenario/resolved.ts";
import { scenarios } from "../../src/testing/arbitraries/scenarios.ts";
import { reachableAddresses } from "./addresses.ts";
import { lawHolds, play } from "./law.ts";

/** Longer than three probe periods with their status write, slice write, watch and sync. */
const CALM_NS = seconds(12);
const PATIENCE_NS = seconds(600);

/** "ip:port" of each pod behind the Service that listens on all its ports, in order. */
function listening(run: Run, { cluster }: ResolvedScenario, service: Service): string[] {
  const { transport } = run;
  const { network } = transport;
  return cluster.deployments
    .filter(({ spec }) => matchesLabels(service.spec.selector!, spec.template.labels))
    .flatMap(({ metadata, spec }) => {
      const ports = spec.template.spec.containers.flatMap((container) => container.ports);
      return network.namespaces
        .filter(
          ({ alive, kind, name }) =>
            alive && kind === "guest" && name.startsWith(`${metadata.name}-`),
        )
        .filter((namespace) =>
          ports.every(({ containerPort }) => transport.isListening(namespace, containerPort)),
        )
        .map((namespace) => reachableAddresses(network, namespace)[0]!);
    })
    .sort();
}

/** Runs on until nothing has changed in any pod for a while and nothing is under way. */
function settle(run: Run, scenario: ResolvedScenario): void {
  const endNs = run.nowNs + PATIENCE_NS;
  let before = "";
  let sinceNs = run.nowNs;
  while (run.nowNs < endNs) {
    run.runUntil(run.nowNs + seconds(1));
    const now = JSON.stringify(
      scenario.cluster.services.map((each) => listening(run, scenario, each)),
    );
    if (now !== before) sinceNs = run.nowNs;
    before = now;
    if (run.nowNs - sinceNs >= CALM_NS && run.cluster.isQuiet) return;
  }
  throw new Error(`not quiet ${PATIENCE_NS} ns after the end`);
}

function programmed(run: Run, node: number, service: Service, port: number): string[] {
  const address = run.transport.network.addresses.intern(service.spec.clusterIP);
  const rules = run.cluster.proxies[node]!.of(4)!.table.atAddress(address, 6, port)?.rules;
  const ips = (rules?.cluster ?? []).map(({ text }) => text.slice(0, text.indexOf(":")));
  return ips.sort();
}

test("3 convergence", () => {
  let changed = 0;
  lawHolds(
    "3 convergence",
    scenarios({ durationMs: [1000, 4000], profile: "lossless" }),
    (scenario) => {
      const { run } = play(scenario);
      const during = run.cluster.proxies.reduce((sum, proxy) => sum + proxy.of(4)!.syncs, 0);
      if (during > 0) changed++;
      settle(run, scenario);
      for (const service of scenario.cluster.services) {
        const wanted = listening(run, scenario, service);
        for (const node of run.cluster.proxies.keys()) {
          for (const { port } of service.spec.ports) {
            const where = `${objectKey(service)}:${port} on node ${node}`;
            expect(programmed(run, node, service, port), where).toEqual(wanted);
          }
        }
      }
      expect(run.finish().brokenLaws).toEqual([]);
    },
    { cases: 40 },
  );
  expect(changed).toBeGreaterThan(10);
});
