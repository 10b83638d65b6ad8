/**
 * Law 13, watches: resource versions only grow, and a watcher sees each object's versions in their order and misses none.
 *
 * Seen to fail when: a watch event overtakes one that was sent before it; a watcher is not told of deletions; a patch
 * stores an object under its old version.
 */
import { expect, test } from "vitest";
import type { Informer } from "../../src/kubernetes/api/contract.ts";
import { objectKey, type Kind, type ObjectByKind } from "../../src/kubernetes/api/types.ts";
import type { Run } from "../../src/scenario/compile.ts";
import { scenarios } from "../../src/testing/arbitraries/scenarios.ts";
import { lawHolds, play } from "./law.ts";
import { settle } from "./settle.ts";

const kinds = ["Pod", "EndpointSlice", "ReplicaSet", "Deployment", "Service", "Node"] as const;

/** What one watcher was told, in order. */
class Witness {
  readonly seen: { readonly what: string; readonly version: number; readonly key: string }[] = [];
  readonly informer: Informer<Kind>;

  constructor(run: Run, name: string, kind: Kind) {
    const note = (what: string, object: ObjectByKind[Kind]): void => {
      const { resourceVersion: version } = object.metadata;
      this.seen.push({ what, version, key: objectKey(object) });
    };
    this.informer = run.cluster.api.watch(kind, {
      watcher: name,
      handlers: {
        added: (object) => note("put", object),
        updated: (_previous, object) => note("put", object),
        deleted: (object) => note("deleted", object),
      },
    });
  }
}

test("13 watches", () => {
  let events = 0;
  let deletions = 0;
  lawHolds(
    "13 watches",
    scenarios({ faultsMin: 1, durationMs: [1000, 4000] }),
    (scenario) => {
      const pairs: [Witness, Witness][] = [];
      const before = (run: Run): void => {
        for (const kind of kinds) {
          pairs.push([new Witness(run, "one", kind), new Witness(run, "other", kind)]);
        }
      };
      const { run } = play(scenario, { before });
      settle(run);
      for (const [i, [one, other]] of pairs.entries()) {
        // In order, and the same for both: at their own times, which differ.
        const versions = one.seen.map(({ version }) => version);
        expect(versions).toEqual(versions.toSorted((a, b) => a - b));
        expect(new Set(versions).size).toBe(versions.length);
        expect(other.seen).toEqual(one.seen);
        events += one.seen.length;
        deletions += one.seen.filter(({ what }) => what === "deleted").length;
        const stored = [...run.cluster.api.list(kinds[i]!)];
        for (const { informer } of [one, other]) {
          expect(informer.size).toBe(stored.length);
          for (const object of stored) expect(informer.get(objectKey(object))).toBe(object);
        }
      }
    },
    { cases: 25 },
  );
  expect(events).toBeGreaterThan(500);
  expect(deletions).toBeGreaterThan(10);
});
