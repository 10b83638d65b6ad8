/** The watches that every run carries: what each says when it is told of something that must not be. */
import { expect, test } from "vitest";
import { RequestLedger } from "../../src/scenario/compile/laws/conservation.ts";
import type { LawContext } from "../../src/scenario/compile/laws/contract.ts";
import { MembershipWatch } from "../../src/scenario/compile/laws/membership.ts";

/** Two nodes and a Service whose endpoints 0 and 1 have been there since before the run. */
function membership(): MembershipWatch {
  const watch = new MembershipWatch();
  watch.nodeNamed(0, "node-1");
  watch.nodeNamed(1, "node-2");
  watch.serviceNamed(0, "default/web");
  watch.endpointNamed(0, 0, "10.244.0.2:80", "", "");
  watch.endpointNamed(1, 0, "10.244.0.3:80", "", "");
  return watch;
}

test("2 membership: a node may use what it has not yet programmed as gone, and no longer", () => {
  const watch = membership();
  watch.endpointChanged(0, "default/web", "10.244.0.2:80", "removed", 5, 0);
  watch.endpointProgrammed(0, "node-2");
  watch.connectionRouted(0, 0, 6);
  watch.connectionRouted(1, 1, 6);
  expect(watch.broken()).toEqual([]);
  watch.connectionRouted(1, 0, 7);
  expect(watch.broken()).toEqual([
    {
      law: "2 membership",
      entity: "node/node-2",
      atNs: 7,
      detail: "new connection for default/web to 10.244.0.2:80, which it had programmed as gone",
    },
  ]);
});

test("2 membership: a node may not use what it has not programmed yet", () => {
  const watch = membership();
  watch.endpointNamed(2, 0, "10.244.0.4:80", "", "");
  watch.endpointChanged(0, "default/web", "10.244.0.4:80", "added", 5, 1);
  watch.endpointProgrammed(0, "node-1");
  watch.connectionRouted(0, 2, 6);
  expect(watch.broken()).toEqual([]);
  for (let i = 0; i < 9; i++) watch.connectionRouted(1, 2, 7 + i);
  expect(watch.broken()).toHaveLength(5);
  expect(watch.broken().at(-1)!.detail).toMatch(
    /never programmed; and 4 more connections like these$/,
  );
});

test("2 membership: with no endpoint left a node may fall back to one that has been told to go", () => {
  const watch = membership();
  for (const [id, address] of ["10.244.0.2:80", "10.244.0.3:80"].entries()) {
    watch.endpointChanged(id, "default/web", address, "removed", 5, 0);
    watch.endpointProgrammed(id, "node-1");
  }
  watch.connectionRouted(0, 0, 6);
  expect(watch.broken()).toEqual([]);
});

/** As if the clients held requests that began at these times. */
function found(ledger: RequestLedger, ...starts: number[]): string[] {
  const programs = { all: [{ requestsInFlight: () => starts }, {}] };
  const context = { programs, nowNs: 100 } as unknown as LawContext;
  return [...ledger.broken(context)].map(({ law, detail }) => `${law}: ${detail}`);
}

test("1 conservation: a request that ended twice, one that was lost, and one taken for another", () => {
  const ledger = new RequestLedger();
  for (const atNs of [10, 20, 30]) ledger.requestStarted(0, 0, atNs);
  ledger.requestEnded(0, 0, 0, 10, 40);
  expect(found(ledger, 20, 30)).toEqual([]);
  expect(found(ledger, 20)).toEqual([
    "1 conservation: 2 began and did not end, the clients hold 1",
  ]);
  expect(found(ledger, 10, 30)).toEqual([
    "1 conservation: 2 began and did not end, the clients hold 2, but not the same ones",
  ]);
  ledger.requestEnded(0, 0, 0, 10, 50);
  expect(found(ledger, 20, 30)[0]).toMatch(/^1 conservation: 1 began/);
});

test("8 causality: an observation before the one in front of it, or an end before its start", () => {
  const ledger = new RequestLedger();
  ledger.requestStarted(0, 0, 10);
  ledger.requestEnded(0, 0, 0, 10, 9);
  expect(found(ledger)).toEqual(["8 causality: 1 observations before the one in front of them"]);
});
