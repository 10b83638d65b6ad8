/**
 * Law 16, refusals: what the rules REJECT or DROP is never silent in the results. Each such packet is in hops.csv, at its
 * node's netfilter, with the cause that the rules gave; each request that met nothing else has failed.
 *
 * Random Services of type LoadBalancer (policies, source ranges, none to two pods on three nodes), all modes,
 * clients in pods and outside, by each way in. A book of its own stands between each node's conntrack and its rules.
 *
 * Seen to fail when: a refused packet is dropped without a place; a REJECT is told to the sender and not counted as
 * dropped; the cause is lost; a connect() that eBPF's socket refuses opens nevertheless.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { loadBalancer, nodePort, openLoop, outside, pods } from "../../src/index.ts";
import type { ScenarioInput } from "../../src/index.ts";
import { NatVerdict, type NatRules } from "../../src/network/nat.ts";
import { outcomeNames } from "../../src/observe/observations.ts";
import type { Run } from "../../src/scenario/compile.ts";
import { play } from "./law.ts";
import { resolved } from "./written.ts";

const SEED = 20_260_104;

const cases = fc.record({
  mode: fc.constantFrom("iptables", "nftables", "ipvs", "ebpf"),
  replicas: fc.integer({ min: 0, max: 2 }),
  internalTrafficPolicy: fc.constantFrom("Cluster", "Local"),
  externalTrafficPolicy: fc.constantFrom("Cluster", "Local"),
  loadBalancerSourceRanges: fc.constantFrom([], ["203.0.113.0/24"], ["0.0.0.0/0"]),
});
type Case = typeof cases extends fc.Arbitrary<infer C> ? C : never;

function manifestOf({ replicas, mode: _mode, ...spec }: Case): object[] {
  const labels = { app: "web" };
  const containers = [{ name: "web", image: "web", ports: [{ containerPort: 80 }] }];
  return [
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "web" },
      spec: {
        replicas,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers } },
      },
    },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "web" },
      spec: { ...spec, type: "LoadBalancer", selector: labels, ports: [{ port: 80 }] },
    },
  ];
}

function inputOf({ mode }: Case): ScenarioInput {
  const common = { timeout: "700ms", load: openLoop(8) } as const;
  return {
    duration: "3s",
    cluster: { nodes: 3 },
    clients: [
      { ...common, name: "a", from: pods(2), to: "svc/web" },
      { ...common, name: "b", from: pods(1), to: loadBalancer("svc/web") },
      { ...common, name: "c", from: outside(1), to: nodePort("svc/web") },
      { ...common, name: "d", from: outside(1), to: loadBalancer("svc/web") },
    ],
    profile: { kubernetes: { kubeProxy: { mode } } },
  } as ScenarioInput;
}

/** Refused packets by "place cause". */
class Refusals {
  readonly counts = new Map<string, number>();
  /** Of connect(), where there is no packet. */
  atSockets = 0;

  readonly watch = (run: Run): void => {
    for (const host of run.transport.network.hosts) {
      const { nat, socketNat } = host;
      if (nat !== null)
        host.nat = this.#between(nat, (rule) => this.#note(`${host.name}/netfilter ${rule}`));
      if (socketNat !== null) host.socketNat = this.#between(socketNat, () => this.atSockets++);
    }
  };

  #between(rules: NatRules, refused: (rule: string) => void): NatRules {
    return {
      dropsInvalid: rules.dropsInvalid === true,
      decide: (point, packet, decision) => {
        rules.decide(point, packet, decision);
        const { verdict, rule } = decision;
        if (verdict === NatVerdict.drop || verdict === NatVerdict.reject) refused(rule);
      },
    };
  }

  #note(key: string): void {
    this.counts.set(key, (this.counts.get(key) ?? 0) + 1);
  }
}

test("16 refusals", () => {
  const seen = new Set<string>();
  let atSockets = 0;
  fc.assert(
    fc.property(cases, (of) => {
      const refusals = new Refusals();
      const outcomes = new Map<string, number>();
      const requestEnded = (_client: number, _service: number, outcome: number): void => {
        const name = outcomeNames[outcome]!;
        outcomes.set(name, (outcomes.get(name) ?? 0) + 1);
      };
      const scenario = resolved({ input: inputOf(of), objects: manifestOf(of) });
      const { end } = play(scenario, { observers: [{ requestEnded }], before: refusals.watch });
      expect(end.brokenLaws).toEqual([]);
      const told = end.hops.flatMap(({ hop, drops }) =>
        drops
          .filter(({ count }) => count > 0 && hop.endsWith("/netfilter"))
          .map(({ cause, count }): [string, number] => [`${hop} ${cause}`, count]),
      );
      expect(new Map(told.sort())).toEqual(new Map([...refusals.counts].sort()));
      if (of.replicas === 0) expect(outcomes.get("served") ?? 0).toBe(0);
      // connect() returns EHOSTUNREACH at once, and the request has failed with that.
      expect(outcomes.get("unreachable") ?? 0).toBeGreaterThanOrEqual(refusals.atSockets);
      for (const key of refusals.counts.keys()) seen.add(key.split(" ")[1]!);
      atSockets += refusals.atSockets;
    }),
    { seed: SEED, numRuns: 40 * Number(process.env["PODSTORM_LAWS_TIMES"] ?? 1) },
  );
  expect(seen).toEqual(new Set(["no_endpoints", "no_local_endpoints", "source_range"]));
  expect(atSockets).toBeGreaterThan(0);
}, 30_000);
