/**
 * `sim explain` and `sim trace` where kube-proxy has nothing to say, or twice as much: containers of Docker hosts, and
 * a dual-stack Service, of which only the family of the connection counts.
 *
 * Seen to fail: a container called a pod; changes and endpoints of both families taken for one Service's.
 */
import { describe, expect, test } from "vitest";
import { seconds } from "../../src/engine/index.ts";
import { Explainer, explanationFormats, traceFirstPacket } from "../../src/inspect/index.ts";
import type { Explanation } from "../../src/inspect/explain/record.ts";
import { Outcome, type OutcomeName } from "../../src/observe/index.ts";
import { compile } from "../../src/scenario/compile.ts";
import { defaultProfile } from "../../src/scenario/profile.ts";
import type { ResolvedScenario } from "../../src/scenario/resolved.ts";
import { loadFiles, webManifest } from "../scenario/files.ts";

function explain(scenario: ResolvedScenario, cause: Exclude<OutcomeName, "served">): Explanation {
  const explainer = new Explainer(scenario, { firstFailure: Outcome[cause] });
  explainer.search.runUntil(scenario.durationNs);
  const again = explainer.again();
  again?.run.runUntil(again.untilNs);
  return explainer.explain();
}

describe("on Docker hosts", () => {
  // Lowest-free addresses: web, api and batch have 172.17.0.2 each on its own bridge, batch after web has stopped.
  const scenario = (): Promise<ResolvedScenario> =>
    loadFiles(
      {
        "scenario.ts": `import { container, defineScenario, onHost, openLoop, resetContainer } from "podstorm";
export default defineScenario({
  duration: "6s",
  docker: { hosts: 2, containers: [
    { name: "web", host: "docker-1", publish: ["8080:80"] },
    { name: "api", host: "docker-2" , expose: [80]},
    { name: "proxy", host: "docker-2", network: "host", expose: [9090] },
    { name: "batch", host: "docker-1", expose: [80], start: "4s" } ] },
  clients: [
    { name: "elsewhere", from: onHost("docker-2"), to: container("web:80"), load: openLoop(5), stop: "2s" },
  ],
  faults: [resetContainer({ container: "web", how: "stop", at: "3s" })],
});`,
      },
      { profile: defaultProfile },
    );

  test("a connection that another container took is followed to it", async () => {
    const found = explain(await scenario(), "misrouted");
    expect([found.outcome, found.client, found.service]).toEqual([
      "misrouted",
      "elsewhere",
      "container/web:80",
    ]);
    // No node's rules have chosen, and no endpoint has gone: the address is another bridge's.
    expect([found.rules, found.departure]).toEqual([null, null]);
    expect(found.packet!.verdict).toMatchObject({ kind: "delivered", place: "container/api" });
    const text = explanationFormats.text(found);
    expect(text).toContain("no node's rules chose an endpoint");
    expect(text).toContain("host/docker-2\n");
    expect(text).toContain("Delivered to container/api");
  });

  test("a packet can be sent from and to containers and hosts by their names", async () => {
    const loaded = await scenario();
    const trace = (from: string, to: string, atS: number) => {
      const run = compile(loaded, []);
      run.runUntil(seconds(atS));
      return traceFirstPacket(run, loaded, { from, to });
    };
    const published = trace("container/api", "host/docker-1:8080", 1);
    expect(published.verdict).toMatchObject({ kind: "delivered", place: "container/web" });
    // The daemons' rules, host by host: out of one bridge, and into the other. Seen to fail: none of them.
    const rules = published.steps.flatMap((step) => (step.kind === "netfilter" ? step.rules : []));
    expect(rules.map(({ hook, chain, text }) => `${hook} ${chain} ${text}`)).toEqual([
      "POSTROUTING POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE",
      "PREROUTING PREROUTING -m addrtype --dst-type LOCAL -j DOCKER",
      "PREROUTING DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80",
    ]);
    expect(trace("host/docker-1", "container/web:80", 1).verdict).toMatchObject({
      kind: "delivered",
    });
    expect(trace("outside", "container/proxy:9090", 1).verdict).toMatchObject({
      kind: "delivered",
      place: "host/docker-2",
    });
    expect(trace("host/docker-1", "container/batch:80", 5).verdict).toMatchObject({
      place: "container/batch",
    });
    expect(() => trace("host/docker-1", "container/web:80", 5)).toThrow(
      /container web does not run/,
    );
    expect(() => trace("container/wbe", "container/web:80", 1)).toThrow(
      /did you mean container\/web/,
    );
    expect(() => trace("host/docker-3", "container/web:80", 1)).toThrow(/no host docker-3/);
  });
});

describe("a request to a dual-stack Service", () => {
  /** Four pods, of which one is killed; a client that speaks one family alone. */
  const scenario = (family: "IPv4" | "IPv6"): Promise<ResolvedScenario> =>
    loadFiles(
      {
        "scenario.ts": `import { defineScenario, openLoop, pods, resetPods } from "podstorm";
export default defineScenario({
  duration: "6s",
  cluster: { nodes: 2, manifests: ["web.yaml"], podCIDR: "10.244.0.0/16,fd00:10:244::/56",
    nodeCIDR: "172.18.0.0/16,fc00:f853:ccd:e793::/64", serviceCIDR: "10.96.0.0/16,fd00:10:96::/112" },
  clients: [{ name: "app", from: pods(1), to: "svc/web:8080", load: openLoop(100), ipFamily: "${family}",
    timeout: "1s", retries: { attempts: 1 } }],
  faults: [resetPods({ selector: "app=web", count: 1, how: "kill", at: "3s", every: "300ms", times: 2 })],
} as any);`,
        "web.yaml": webManifest({ replicas: 4, service: "\n  ipFamilyPolicy: RequireDualStack" }),
      },
      { profile: defaultProfile },
    );

  test.each(["IPv4", "IPv6"] as const)(
    "of %s is explained by that family alone",
    async (family) => {
      const found = explain(await scenario(family), "timeout");
      const isOfIt = (text: string): boolean => text.startsWith("[") === (family === "IPv6");
      const { tries, departure, rules, others, packet } = found;
      expect(isOfIt(tries[0]!.endpoint!)).toBe(true);
      const translated = packet!.steps.flatMap((step) =>
        step.kind === "netfilter" && step.before.destination !== step.after.destination
          ? [step.after.destination]
          : [],
      );
      expect(translated).toEqual([tries[0]!.endpoint]);
      // Four pods have eight addresses; one or two pods have gone.
      expect(others).toBeGreaterThanOrEqual(2);
      expect(others).toBeLessThanOrEqual(3);
      expect(departure).toMatchObject({ change: "removed", isGraceful: false });
      expect(departure!.atNs).toBeLessThan(rules!.decidedAtNs);
      expect(departure!.programmedAtNs).toBeGreaterThan(rules!.decidedAtNs);
    },
  );
});
