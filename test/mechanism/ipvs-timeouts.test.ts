/**
 * IPVS forgets a silent connection before conntrack would, and the node answers its next packet with a RST:
 * kubernetes/kubernetes#71358, #84041.
 *
 * Seen to fail: with entries that live as long as conntrack says, and with a packet in the middle of a connection
 * scheduled as a first one (an endpoint is routed to, which has no such connection).
 */
import { expect, test } from "vitest";
import { outcomeNames } from "../../src/observe/observations.ts";
import { compile } from "../../src/scenario/compile.ts";
import { defaultProfile } from "../../src/scenario/profile.ts";
import { loadFiles, webManifest } from "../scenario/files.ts";

async function play(kubeProxy: string, thinkTime: string) {
  const text = `import { closedLoop, keepAlive } from "podstorm";
export default {
  duration: "60s",
  cluster: { nodes: 2, manifests: ["web.yaml"] },
  clients: [{
    name: "c", to: "svc/web:8080", connections: keepAlive(),
    load: closedLoop({ users: 1, thinkTime: "${thinkTime}" }),
  }],
  profile: { kubernetes: { kubeProxy: ${kubeProxy} } },
} as any;`;
  const files = { "scenario.ts": text, "web.yaml": webManifest({ replicas: 3 }) };
  const scenario = await loadFiles(files, { profile: defaultProfile });
  const outcomes: string[] = [];
  let routed = 0;
  const run = compile(scenario, [
    {
      requestEnded: (_client, _service, outcome) => void outcomes.push(outcomeNames[outcome]!),
      connectionRouted: () => void routed++,
    },
  ]);
  run.runUntil(scenario.durationNs);
  return { outcomes, routed, brokenLaws: run.finish().brokenLaws };
}

const SHORT = '{ mode: "ipvs", ipvs: { tcpTimeout: "5s" } }';

test("a connection that was silent for longer is reset, and no endpoint hears of it", async () => {
  const { outcomes, routed, brokenLaws } = await play(SHORT, "10s");
  // Every other request finds the connection of the one before.
  expect(outcomes).toEqual(["served", "reset", "served", "reset", "served"]);
  expect(routed).toBe(3);
  expect(brokenLaws).toEqual([]);
});

test("one that is used in time is not, and iptables mode knows no such time", async () => {
  const inTime = await play(SHORT, "4s");
  expect(new Set(inTime.outcomes)).toEqual(new Set(["served"]));
  expect(inTime.routed).toBe(1);
  const byDefault = await play('{ mode: "ipvs" }', "10s");
  expect(new Set(byDefault.outcomes)).toEqual(new Set(["served"]));
  const iptables = await play('{ mode: "iptables" }', "10s");
  expect(new Set(iptables.outcomes)).toEqual(new Set(["served"]));
});
