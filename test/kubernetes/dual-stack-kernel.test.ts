/**
 * What the two proxiers of a node share: the kernel's hooks and conntrack, and the port of a Service's health check.
 *
 * Broken on purpose: the IPv4 rules asked for every packet; an entry given to both books, and to that of the family
 * that was not judged last; the health check answered by whichever family programmed last.
 */
import { describe, expect, test } from "vitest";
import { seconds } from "../../src/engine/index.ts";
import { ChangeLedger } from "../../src/kubernetes/ledger.ts";
import type { ProgrammedRules } from "../../src/kubernetes/proxy/contract.ts";
import { bothFamilies } from "../../src/kubernetes/proxy/dualStack.ts";
import { ServiceHealthServer } from "../../src/kubernetes/proxy/healthServer.ts";
import { kubeProxyProfile } from "../../src/kubernetes/proxy/profile.ts";
import { RuleBuilder } from "../../src/kubernetes/proxy/rules.ts";
import { AddressTable } from "../../src/network/address.ts";
import { CtState } from "../../src/network/conntrackStates.ts";
import { blankFirstPacket, emptyDecision } from "../../src/network/nat.ts";
import { createObservations } from "../../src/observe/observations.ts";
import { endpoint, service, slice } from "../helpers/kube-objects.ts";

/** Rules and books that write down what they are asked and told. */
function recorded(name: string, lifeNs: number, log: string[]): ProgrammedRules {
  const nat = (at: string) => ({
    dropsInvalid: true,
    decide: () => void log.push(`${name} ${at}`),
  });
  const told = (what: string) => (entry: number) => void log.push(`${name} ${what} ${entry}`);
  return {
    nat: nat("nat"),
    socketNat: nat("connect"),
    watcher: {
      establishedNs: seconds(900),
      lifeNs: () => lifeNs,
      keeps: () => false,
      began: told("began"),
      activity: told("activity"),
      reopened: told("reopened"),
      ended: told("ended"),
    },
    changed: () => {},
  };
}

describe("the hooks of one kernel", () => {
  const addresses = new AddressTable();
  const [v4, v6] = ["10.96.0.10", "fd00:96::a"].map((text) => addresses.intern(text));

  function rig() {
    const log: string[] = [];
    const kernel = bothFamilies(addresses, {
      4: recorded("v4", Infinity, log),
      6: recorded("v6", seconds(60), log),
    });
    const ask = (destination: number, at: "nat" | "socketNat" = "nat") =>
      kernel[at]!.decide("PREROUTING", { ...blankFirstPacket(), destination }, emptyDecision());
    return { log, ask, kernel };
  }

  test("a packet and a connect() meet the rules of their family", () => {
    const { log, ask, kernel } = rig();
    ask(v6!);
    ask(v4!);
    ask(v6!, "socketNat");
    expect(log).toEqual(["v6 nat", "v4 nat", "v6 connect"]);
    expect(kernel.nat.dropsInvalid).toBe(true);
  });

  test("a new entry is in the book of the family that has judged its packet; the rest asks both", () => {
    const { log, ask, kernel } = rig();
    const watcher = kernel.watcher!;
    ask(v6!);
    watcher.began(1);
    ask(v4!);
    watcher.began(2);
    expect(log).toEqual(["v6 nat", "v6 began 1", "v4 nat", "v4 began 2"]);
    log.length = 0;
    watcher.activity(1, false);
    watcher.reopened(1);
    watcher.ended(1);
    const both = (what: string) => [`v4 ${what} 1`, `v6 ${what} 1`];
    expect(log).toEqual(["activity", "reopened", "ended"].flatMap(both));
    // Infinity: it is none of IPv4's.
    expect(watcher.lifeNs(1, CtState.established)).toBe(seconds(60));
    expect(watcher.establishedNs).toBe(seconds(900));
  });

  test("a mode that keeps no books and leaves sockets alone does so in both", () => {
    const plain = { ...recorded("v4", 0, []), watcher: null, socketNat: null };
    const kernel = bothFamilies(addresses, { 4: plain, 6: plain });
    expect([kernel.watcher, kernel.socketNat]).toEqual([null, null]);
  });
});

test("a health-check port is the first family's, and counts its endpoints, not both addresses of a pod", () => {
  const listening: number[] = [];
  const transport = {
    listen: (_namespace: unknown, port: number) => {
      listening.push(port);
      return { port };
    },
    closeListener: ({ port }: { port: number }) =>
      void listening.splice(listening.indexOf(port), 1),
  };
  const server = new ServiceHealthServer(transport as never, {} as never, 100, () => true);
  const dual = service({
    type: "LoadBalancer",
    externalTrafficPolicy: "Local",
    healthCheckNodePort: 32_000,
    clusterIPs: ["10.96.0.10", "fd00:96::a"],
    ports: [{ name: null, protocol: "TCP", port: 80, targetPort: 80, nodePort: 30_080 }],
  });
  const builder = new RuleBuilder(
    new AddressTable(),
    new ChangeLedger(createObservations([])),
    kubeProxyProfile,
  );
  const rulesOf = (family: 4 | 6, addresses: readonly string[]) => {
    const own = {
      ...slice(
        `s${addresses.length}${family}`,
        addresses.map((each) => endpoint(each)),
        dual,
      ),
      addressType: `IPv${family}` as const,
    };
    return builder.build(dual, [own], { name: "node-0", zone: null }, family);
  };
  server.sync("default/web", rulesOf(6, ["fd00::1"]), 6);
  server.sync("default/web", rulesOf(4, ["10.0.0.1", "10.0.0.2"]), 4);
  expect(server.localEndpoints("default/web")).toBe(1);
  expect(listening).toEqual([10_256, 32_000]);
  // The other's end is none of its business; its own is.
  server.sync("default/web", [], 4);
  expect(listening).toEqual([10_256, 32_000]);
  server.sync("default/web", [], 6);
  expect(listening).toEqual([10_256]);
  expect(server.localEndpoints("default/web")).toBe(0);
});
