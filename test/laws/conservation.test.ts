/**
 * Law 1, conservation: every request ends exactly once or is in flight at the end; every packet is delivered, on
 * its way, or dropped at a named place with a cause.
 *
 * Seen to fail when: a request that has met its deadline stays on its connection, so that the late answer ends it
 * again; a deadline that has passed is taken off the list and nothing else; a full neighbour queue counts its drop
 * twice; a packet that finds a hop's queue full is released and counted nowhere.
 */
import { expect, test } from "vitest";
import type { Observer } from "../../src/observe/observations.ts";
import type { Run } from "../../src/scenario/compile.ts";
import type { ResolvedClient, ResolvedScenario } from "../../src/scenario/resolved.ts";
import { scenarios } from "../../src/testing/arbitraries/scenarios.ts";
import { lawHolds, play } from "./law.ts";

/** Every request that has begun, by client and start: several may begin in one instant. */
class OpenRequests implements Observer {
  readonly byStart = new Map<
    string,
    { readonly client: number; readonly atNs: number; count: number }
  >();
  started = 0;
  ended = 0;

  requestStarted(client: number, _service: number, atNs: number): void {
    this.started++;
    const key = `${client}/${atNs}`;
    const same = this.byStart.get(key);
    if (same === undefined) this.byStart.set(key, { client, atNs, count: 1 });
    else same.count++;
  }

  requestEnded(client: number, _service: number, _outcome: number, startedAtNs: number): void {
    this.ended++;
    const key = `${client}/${startedAtNs}`;
    const open = this.byStart.get(key);
    if (open === undefined) throw new Error(`request ${key} ended, but none is open`);
    if (--open.count === 0) this.byStart.delete(key);
  }
}

/** After so long each of its tries has met its deadline and each wait between them is over. */
function longestLifeNs({ timeoutNs, retries }: ResolvedClient): number {
  let lifeNs = timeoutNs * retries.maxAttempts;
  let backoffNs = retries.initialBackoffNs;
  for (let wait = 1; wait < retries.maxAttempts; wait++) {
    lifeNs += Math.ceil(Math.min(backoffNs, retries.maxBackoffNs) * (1 + retries.jitter));
    backoffNs *= retries.backoffFactor;
  }
  return lifeNs;
}

function checkPackets({ transport: { network } }: Run): void {
  const { packets, hops, drops } = network;
  expect(packets.all.filter(({ inUse }) => inUse)).toHaveLength(packets.inFlight);
  expect(packets.delivered + packets.dropped + packets.inFlight).toBe(packets.sent);
  const atHops = hops.reduce((sum, hop) => sum + hop.droppedPackets, 0);
  const elsewhere = [...drops.values()].flatMap((causes) => [...causes.values()]);
  expect(elsewhere.reduce((sum, count) => sum + count, atHops)).toBe(packets.droppedSegments);
  for (const [place, causes] of drops) {
    for (const cause of causes.keys()) {
      expect(`${place} ${cause}`).toMatch(/^\S+ [a-z_]+$/);
    }
  }
}

function holds(scenario: ResolvedScenario): Run {
  const open = new OpenRequests();
  const { run, end } = play(scenario, { observers: [open], pieces: 4, look: checkPackets });
  expect(end.brokenLaws).toEqual([]);
  let left = 0;
  for (const { client, atNs, count } of open.byStart.values()) {
    left += count;
    // A call: its server may have been killed, and what it had asked is never answered.
    if (client >= scenario.clients.length) continue;
    const dueNs = atNs + longestLifeNs(scenario.clients[client]!);
    expect(dueNs, `request of ${atNs} ns is still open`).toBeGreaterThanOrEqual(run.nowNs);
  }
  expect(open.started - open.ended).toBe(left);
  return run;
}

test("1 conservation", () => {
  lawHolds(
    "1 conservation",
    scenarios({ clientsMin: 1, calls: true }),
    (scenario) => void holds(scenario),
    {
      cases: 50,
    },
  );
});

test("1 conservation, where packets are lost in every way", () => {
  const causes = new Set<string>();
  const needs = {
    clientsMin: 2,
    faultsMin: 1,
    profile: "lossy",
    durationMs: [4000, 6000],
  } as const;
  lawHolds(
    "1 conservation",
    scenarios(needs),
    (scenario) => {
      const { network } = holds(scenario).transport;
      if (network.hops.some(({ droppedPackets }) => droppedPackets > 0)) causes.add("queue_full");
      for (const counts of network.drops.values())
        for (const cause of counts.keys()) causes.add(cause);
    },
    { cases: 60 },
  );
  const wanted = ["queue_full", "listen_overflow", "no_endpoints", "neighbour_queue_full"];
  expect([...causes]).toEqual(expect.arrayContaining(wanted));
});
