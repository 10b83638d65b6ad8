/**
 * Servers that call others: what a request waits for, what it holds meanwhile, and what becomes of it when a call
 * fails. Through real connections, Services and rules; service times are fixed, so that sums can be read off.
 *
 * Seen to fail: with finish() at once instead of start() (no call is made), with a stage's calls made one after
 * another (12 ms instead of 7), with #busy released before the calls (two requests at a time where one is allowed),
 * with #failed never set (the front door answers though the back is gone), and without crash() in end() (a killed
 * server's calls stay in flight).
 */
import { describe, expect, test } from "vitest";
import { ms, seconds } from "../../src/engine/index.ts";
import { outcomeNames } from "../../src/observe/observations.ts";
import { compile } from "../../src/scenario/compile.ts";
import { defaultProfile } from "../../src/scenario/profile.ts";
import { loadFiles, mistakesIn } from "../scenario/files.ts";
import { shopPart } from "../scenario/import/imports.ts";

const manifest = ["front", "a", "b", "c"].map((name) => shopPart(name)).join("");

const scenarioText = (servers: string, more = "") => `import {
  closedLoop, defineScenario, deterministic, openLoop, perRequest, resetPods,
} from "podstorm";
export default defineScenario({
  duration: "5s",
  cluster: { nodes: 2, manifests: ["shop.yaml"] },
  servers: {
    "deploy/a": { serviceTime: "5ms" },
    "deploy/b": { serviceTime: "5ms" },
    ${servers}
  },
  clients: [{ name: "user", to: "svc/front", load: closedLoop({ users: 1, thinkTime: "50ms" }) }],
  ${more}
});`;

interface Ended {
  readonly client: number;
  readonly outcome: string;
  readonly startedNs: number;
  readonly endedNs: number;
}

async function play(servers: string, more = "", durationNs = seconds(3)) {
  const files = { "scenario.ts": scenarioText(servers, more), "shop.yaml": manifest };
  const scenario = await loadFiles(files, { profile: defaultProfile });
  const ended: Ended[] = [];
  const run = compile(scenario, [
    {
      requestEnded: (client, _service, outcome, startedNs, endedNs) =>
        ended.push({ client, outcome: outcomeNames[outcome]!, startedNs, endedNs }),
    },
  ]);
  run.runUntil(durationNs);
  const { brokenLaws } = run.finish();
  expect(brokenLaws).toEqual([]);
  const of = (client: number) => ended.filter((each) => each.client === client);
  const tookMs = (client: number) =>
    of(client).map(({ startedNs, endedNs }) => (endedNs - startedNs) / ms(1));
  return { scenario, of, tookMs };
}

describe("what a request waits for", () => {
  test("stages are one after another, calls of a stage at the same time", async () => {
    const front = (calls: string) => `"deploy/front": { serviceTime: "2ms", calls: ${calls} },`;
    const sequence = await play(front('["svc/a", "svc/b"]'));
    const parallel = await play(front('[["svc/a", "svc/b"]]'));
    const none = await play(front("[]"));
    // 2 + 5 + 5, 2 + 5 and 2 ms, and well under a millisecond of network for each hop there and back.
    for (const [run, expected] of [
      [sequence, 12],
      [parallel, 7],
      [none, 2],
    ] as const) {
      const took = run.tookMs(0);
      expect(took.length).toBeGreaterThan(20);
      for (const each of took) expect(each).toBeCloseTo(expected + 0.6, -0.3);
    }
  });

  test("a call with a probability is made by that share of the requests", async () => {
    const run = await play(
      `"deploy/front": { serviceTime: "0", calls: [{ to: "svc/c", probability: 0.25 }] },
       "deploy/c": { serviceTime: "0" },`,
      "",
      seconds(5),
    );
    const requests = run.of(0).length;
    const calls = run.of(1).length;
    // Binomial: within 4.4 standard deviations, which is passed by chance once in 10^5.
    const deviation = Math.sqrt(requests * 0.25 * 0.75);
    expect(Math.abs(calls - requests / 4)).toBeLessThan(4.4 * deviation);
    expect(calls).toBeGreaterThan(0);
  });

  test("a worker is held while it waits", async () => {
    const files = {
      "scenario.ts": scenarioText(
        '"deploy/front": { serviceTime: "0", concurrency: 1, calls: ["svc/a"] },',
      ).replace("users: 1", "users: 4"),
      "shop.yaml": manifest,
    };
    const scenario = await loadFiles(files, { profile: defaultProfile });
    let out = 0;
    let most = 0;
    const run = compile(scenario, [
      {
        requestStarted: (client) => {
          if (client === 1) most = Math.max(most, ++out);
        },
        requestEnded: (client) => {
          if (client === 1) out--;
        },
      },
    ]);
    run.runUntil(seconds(2));
    expect(run.finish().brokenLaws).toEqual([]);
    expect(most).toBe(1);
  });
});

describe("what becomes of it", () => {
  const gone = 'faults: [resetPods({ workload: "deploy/c", count: 1, how: "crash", at: "1s" })],';
  const deep = `"deploy/front": { serviceTime: "1ms", calls: ["svc/a"] },
    "deploy/a": { serviceTime: "1ms", calls: ["svc/b"] },
    "deploy/b": { serviceTime: "1ms", calls: [CALL] },
    "deploy/c": { serviceTime: "1ms", startupTime: "1s" },`.replace(
    /^ *"deploy\/[ab]": \{ serviceTime: "5ms" \},$/gm,
    "",
  );
  const shop = (call: string) => deep.replace("CALL", call);

  async function playDeep(call: string) {
    const text = scenarioText(shop(call), gone).replace(
      / *"deploy\/[ab]": \{ serviceTime: "5ms" \},\n/g,
      "",
    );
    const scenario = await loadFiles(
      { "scenario.ts": text, "shop.yaml": manifest },
      { profile: defaultProfile },
    );
    const outcomes = new Map<string, number>();
    const run = compile(scenario, [
      {
        requestEnded: (client, _service, outcome) => {
          const key = `${client} ${outcomeNames[outcome]}`;
          outcomes.set(key, (outcomes.get(key) ?? 0) + 1);
        },
      },
    ]);
    run.runUntil(seconds(4));
    expect(run.finish().brokenLaws).toEqual([]);
    return (client: number, outcome: string) => outcomes.get(`${client} ${outcome}`) ?? 0;
  }

  test("a reset deep in the shop is felt at the front door", async () => {
    const count = await playDeep('{ to: "svc/c", connections: perRequest() }');
    // Nobody listens for a second: b's calls are refused, and so is what waits for them, up to the user.
    expect(count(3, "refused")).toBeGreaterThan(10);
    expect(count(0, "upstream_failed")).toBe(count(1, "upstream_failed"));
    expect(count(0, "upstream_failed")).toBeGreaterThan(10);
    // Before and after all is well.
    expect(count(0, "served")).toBeGreaterThan(20);
  });

  test("an optional call may fail", async () => {
    const count = await playDeep('{ to: "svc/c", connections: perRequest(), optional: true }');
    expect(count(3, "refused")).toBeGreaterThan(10);
    expect(count(0, "upstream_failed")).toBe(0);
  });

  test("tries are those of the call", async () => {
    const call =
      '{ to: "svc/c", connections: perRequest(), retries: { attempts: 5, initialBackoff: "500ms" } }';
    const count = await playDeep(call);
    expect(count(0, "upstream_failed")).toBe(0);
    expect(count(0, "served")).toBeGreaterThan(10);
  });

  test("calls of a server that is killed end with it: nobody takes their answers", async () => {
    const killedNs = ms(1200);
    const { of } = await play(
      `"deploy/front": { serviceTime: "0", calls: ["svc/c"] }, "deploy/c": { serviceTime: "400ms" },`,
      'faults: [resetPods({ workload: "deploy/front", count: 1, how: "sigkill", at: "1200ms" })],',
    );
    const calls = of(1);
    expect(calls.length).toBeGreaterThan(1);
    const outlived = calls.filter(
      ({ startedNs, endedNs }) => startedNs < killedNs && endedNs > killedNs,
    );
    expect(outlived).toEqual([]);
    // The user is told at once: the kernel closes what the process had open.
    const told = of(0).find(({ endedNs }) => endedNs > killedNs)!;
    expect(told.outcome).toBe("closed");
    expect(told.endedNs - killedNs).toBeLessThan(ms(50));
  });
});

describe("what may be written", () => {
  const mistakes = (servers: string) =>
    mistakesIn(
      { "scenario.ts": scenarioText(servers), "shop.yaml": manifest },
      { profile: defaultProfile },
    );

  test("names are looked up, and mistakes have their place", async () => {
    const wrong = await mistakes(
      '"deploy/front": { calls: ["svc/aa", ["svc/b:90", { to: "svc/c", propability: 1 }]] },',
    );
    expect(wrong.join("\n")).toMatch(/scenario\.ts:10:\d+ .*propability/);
    const services = await mistakes('"deploy/front": { calls: ["svc/aa", ["svc/b:90"]] },');
    expect(services).toEqual([
      'scenario.ts:10:31 servers["deploy/front"].calls[0]: no Service default/aa; allowed: one of svc/front, svc/a, svc/b, svc/c (did you mean svc/a?)',
      'scenario.ts:10:41 servers["deploy/front"].calls[1]: no port 90 in b; allowed: one of the ports 80 (http)',
    ]);
  });

  test("calls that come back are a mistake", async () => {
    const wrong = await mistakes(
      '"deploy/front": { calls: ["svc/c"] }, "deploy/c": { calls: ["svc/front"] },',
    );
    expect(wrong).toHaveLength(1);
    expect(wrong[0]).toContain("calls that come back: default/front -> default/c -> default/front");
  });
});
