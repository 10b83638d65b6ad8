/** What a server does on SIGTERM: which requests, begun when, are still served. The order is the process' own. */
import { expect, test } from "vitest";
import { ms, Phase, seconds } from "../../src/engine/index.ts";
import type { ServerOptions } from "../../src/workload/server.ts";
import { openLoop, programRig } from "../helpers/programs.ts";

/**
 * A request each 100 ms from 0.1 s to 3 s, each on a connection of its own and served in 250 ms; SIGTERM at 1 s.
 * @returns when the last request that was served began, when the process ended, and all outcomes
 */
function sigterm(change: Partial<ServerOptions>) {
  const rig = programRig();
  const serviceTime = { kind: "deterministic", value: ms(250) } as const;
  const server = rig.server({ concurrency: 8, serviceTime, ...change });
  rig.client({ load: openLoop(10), stopNs: seconds(3) });
  rig.sim.callAt(seconds(1) + ms(50), Phase.start, () => server.signal("SIGTERM"));
  rig.sim.run(seconds(10));
  const served = rig.ended.filter(({ outcome }) => outcome === "served");
  return {
    lastServedMs: Math.round(served.at(-1)!.startedNs / ms(1)),
    exit: rig.exits[0],
    outcomes: new Set(rig.ended.map(({ outcome }) => outcome)),
  };
}

test("drain: nothing new, and what was accepted is finished", () => {
  const { lastServedMs, exit, outcomes } = sigterm({});
  expect(lastServedMs).toBe(1000);
  // The request of 1.0 s is done at 1.25 s, and the process with it.
  expect(Math.round(exit!.atNs / ms(10))).toBe(125);
  expect(outcomes).toEqual(new Set(["served", "refused"]));
});

test("exit: what is in progress is lost", () => {
  const { lastServedMs, outcomes } = sigterm({ onSigterm: "exit" });
  // That of 0.8 s would be done on the instant, and a little later for its way.
  expect(lastServedMs).toBe(700);
  expect(outcomes).toEqual(new Set(["served", "closed", "refused"]));
});

test("drainListening: new ones are served as long as any is in progress", () => {
  // Broken on purpose: listeners closed first, as drain does.
  const { lastServedMs, exit } = sigterm({ onSigterm: "drainListening" });
  // One each 100 ms that takes 250: there is always one, until the client stops at 3 s.
  expect(lastServedMs).toBe(2900);
  expect(exit!.atNs).toBeGreaterThan(seconds(3));
});

test("lameDuck: as before for that long, and only then the rest", () => {
  // Broken on purpose: a lame duck that does not serve new requests.
  const { lastServedMs, exit } = sigterm({ lameDuckNs: seconds(1) });
  expect(lastServedMs).toBe(2000);
  expect(Math.round(exit!.atNs / ms(10))).toBe(225);
});

test("ignore: neither signal nor lame duck makes a difference", () => {
  const { lastServedMs, exit } = sigterm({ onSigterm: "ignore", lameDuckNs: seconds(1) });
  expect(lastServedMs).toBe(2900);
  expect(exit).toBeUndefined();
});
