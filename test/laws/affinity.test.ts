/**
 * Law 15, affinity: with session affinity ClientIP a client's new connection goes where its last one went, if that
 * was less than the time-out ago and the endpoint has been there ever since.
 *
 * Random clients connect at random times, to a ClusterIP or a node port, while endpoints come and go. A book of its
 * own remembers each client's last connection. Twelve clients: fewer than a list of xt_recent holds.
 *
 * Seen to fail when: the time is not set anew by a connection that finds its endpoint; a client is found by the
 * first list alone; IPVS' persistence ends at half its time. The other way round, that it holds for the time-out only:
 * seen to fail when lists are never too old.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { seconds } from "../../src/engine/index.ts";
import type { ProxyModeName } from "../../src/kubernetes/proxy/modes/index.ts";
import { endpoint, service, slice } from "../helpers/kube-objects.ts";
import { NODE_IP, programmedNode } from "../helpers/programmed-node.ts";

const SEED = 20_260_103;
const VIP = "10.96.0.10";
const NODE_PORT = 31_000;
const POOL = Array.from({ length: 6 }, (_, i) => `10.0.1.${i + 1}`);

const steps = fc.array(
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({ connects: fc.nat({ max: 11 }), byNodePort: fc.boolean() }),
    },
    { weight: 4, arbitrary: fc.record({ waitsS: fc.integer({ min: 1, max: 40 }) }) },
    { weight: 1, arbitrary: fc.record({ toggles: fc.nat({ max: POOL.length - 1 }) }) },
  ),
  { minLength: 20, maxLength: 120, size: "max" },
);

const cases = fc.record({ timeoutS: fc.integer({ min: 1, max: 90 }), steps });

type Case = typeof cases extends fc.Arbitrary<infer C> ? C : never;

/** Connections that the book judged, and those of clients whose time was over: how many of them went elsewhere. */
interface Counts {
  held: number;
  over: number;
  moved: number;
}

function plays(mode: ProxyModeName, { timeoutS, steps: all }: Case, counts: Counts): void {
  const sticky = service({
    type: "NodePort",
    sessionAffinity: "ClientIP",
    sessionAffinityTimeoutNs: seconds(timeoutS),
    ports: [{ name: null, protocol: "TCP", port: 80, targetPort: 80, nodePort: NODE_PORT }],
  });
  const present = new Set(POOL);
  const slices = () => [
    slice(
      "s",
      [...present].map((each) => endpoint(each)),
      sticky,
    ),
  ];
  const { ask, sim, program } = programmedNode(mode, [sticky], slices());
  /** By client and, with IPVS, virtual server: each has a memory of its own. */
  const book = new Map<string, { to: string; atNs: number }>();
  let ports = 20_000;
  for (const step of all) {
    if ("waitsS" in step) sim.run(sim.nowNs + seconds(step.waitsS));
    else if ("toggles" in step) {
      const address = POOL[step.toggles]!;
      if (!present.delete(address)) present.add(address);
      if (present.size === 0) present.add(address);
      for (const [key, { to }] of book) if (!present.has(to.split(":")[0]!)) book.delete(key);
      program(sticky, slices());
    } else {
      const client = `10.1.0.${step.connects + 1}`;
      const [address, port] = step.byNodePort ? [NODE_IP, NODE_PORT] : [VIP, 80];
      const key = mode === "ipvs" ? `${client} ${address}` : client;
      const to = ask(client, address, port, "PREROUTING", ports++).to!;
      const last = book.get(key);
      const holds = last !== undefined && sim.nowNs - last.atNs < seconds(timeoutS);
      if (holds) {
        counts.held++;
        expect(to, `${mode}: ${key} at ${sim.nowNs} ns`).toBe(last.to);
      } else if (last !== undefined && present.size > 1) {
        counts.over++;
        if (to !== last.to) counts.moved++;
      }
      book.set(key, { to, atNs: sim.nowNs });
    }
  }
}

describe("15 affinity", () => {
  test.each(["iptables", "nftables", "ipvs", "ebpf"] as const)("%s", (mode) => {
    const counts: Counts = { held: 0, over: 0, moved: 0 };
    fc.assert(
      fc.property(cases, (of) => plays(mode, of, counts)),
      { seed: SEED, numRuns: 150 * Number(process.env["PODSTORM_LAWS_TIMES"] ?? 1) },
    );
    expect(counts.held).toBeGreaterThan(1000);
    // A client that is drawn anew among two to six endpoints moves at least half of the time.
    expect(counts.over).toBeGreaterThan(300);
    expect(counts.moved).toBeGreaterThan(0.4 * counts.over);
  });
});
