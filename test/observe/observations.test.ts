/** The hub hands every observation to every observer that asked, with every argument, in order. */
import { describe, expect, it } from "vitest";
import {
  createObservations,
  LookupResult,
  Outcome,
  outcomeNames,
  type Observer,
} from "../../src/observe/index.ts";

/** Arguments for each method, all different, so that a lost or swapped one shows. */
const calls: { readonly [Name in keyof Required<Observer>]: Parameters<Required<Observer>[Name]> } =
  {
    clientNamed: [1, "client", 0],
    serviceNamed: [2, "service"],
    endpointNamed: [3, 4, "address", "pod", "node"],
    requestStarted: [5, 6, 7],
    requestEnded: [8, 9, Outcome.timeout, 10, 11, 12, 1],
    connectionRouted: [13, 14, 15, 0],
    connectionDialled: [13, 14, 15, 0],
    endpointRequestStarted: [16, 17],
    endpointRequestEnded: [18, 19],
    serviceStarted: [61, 62, 63],
    endpointChanged: [20, "service", "endpoint", "removed", 21, 0, 57, 1],
    endpointAnswered: [85, "server", 86, 87],
    attemptStarted: [58, 59, 60, 61, 62, 1],
    attemptEnded: [63, Outcome.reset, 64, 65],
    requestFailed: [66, 67, 68, Outcome.refused, 69, 70, 71, 72, 73],
    staleConnectionEnded: [74, 75, Outcome.closed],
    rulesApplied: [81, "service", 82, 83, 4],
    networkProgrammed: [76, 77, 78, 4],
    endpointWritten: [50, 51, 52, 53],
    endpointLeftSlice: [79, 80],
    endpointProgrammed: [22, "node", 23, 54, 55, 56],
    nodeNamed: [24, "name", "zone"],
    proxierNamed: [84, 6],
    addressNamed: [43, "text"],
    connectionAnswered: [44, 45, 46, 47, 48, 49],
    rulesWalked: [36, 37, 6],
    rulesSynced: [38, 39, 40, 1, 0, 4],
    lookupStarted: [28],
    lookupEnded: [29, LookupResult.timeout, 30, 31],
    dnsQuerySent: [32],
    dnsQueryEnded: [33, 4, 34, 35],
    event: [25, "kind", "object", "detail"],
    hopNamed: [85, "hop", "kind"],
    hopLoaded: [86, 87, 88, 89, 90, 91, 92],
    windowClosed: [26, 27],
  };
const names = Object.keys(calls) as (keyof Observer)[];

/** An observer of `wanted` that writes down what it hears. */
function listener(label: string, wanted: readonly string[], heard: unknown[][]): Observer {
  return Object.fromEntries(
    wanted.map((name) => [name, (...args: unknown[]) => heard.push([label, name, ...args])]),
  ) as Observer;
}

function heardBy(label: string, name: keyof Observer): unknown[] {
  return [label, name, ...calls[name]];
}

function callAll(observers: readonly Observer[]): void {
  const hub = createObservations(observers) as unknown as Record<string, Function>;
  for (const name of names) hub[name]!(...calls[name]);
}

describe("createObservations", () => {
  it.each([1, 2, 3, 5])("passes every argument of every method to each of %i observers", (n) => {
    const heard: unknown[][] = [];
    const labels = Array.from({ length: n }, (_, i) => `observer-${i}`);
    callAll(labels.map((label) => listener(label, names, heard)));
    expect(heard).toEqual(names.flatMap((name) => labels.map((label) => heardBy(label, name))));
  });

  it("calls an observer only for what it implements", () => {
    const heard: unknown[][] = [];
    callAll([listener("a", ["event"], heard), listener("b", ["event", "nodeNamed"], heard)]);
    expect(heard.map(([label, name]) => `${label}.${name}`)).toEqual([
      "b.nodeNamed",
      "a.event",
      "b.event",
    ]);
  });

  it("takes calls that nobody listens to", () => {
    expect(() => callAll([])).not.toThrow();
  });

  it("keeps `this` of an observer, alone or in company", () => {
    class Counter implements Observer {
      seen = 0;
      nodeNamed(): void {
        this.seen++;
      }
    }
    const [a, b] = [new Counter(), new Counter()];
    createObservations([a]).nodeNamed(0, "node", null);
    createObservations([a, b]).nodeNamed(0, "node", null);
    expect([a.seen, b.seen]).toEqual([2, 1]);
  });
});

it("names outcomes in the order of their codes", () => {
  for (const [code, name] of outcomeNames.entries()) expect(Outcome[name]).toBe(code);
});
