/**
 * The index of conntrack's entries, against a list of them: what is put in is found by both its tuples,
 * and what is taken out by none, although its tuples stay in the index for a successor.
 *
 * Seen to fail when find() does not ask for the entry taken out last, when a successor's new reply tuple is
 * not put in or the old one not taken out, when a clashing entry takes a place, and when settle() forgets
 * the original tuple.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  ConntrackTables,
  EntryFlag,
  NO_ENTRY,
  type Tuple,
} from "../../src/network/conntrackTable.ts";

const HOST = 3;
const TCP = 6;

const original = (port: number): Tuple => ({
  source: 1,
  sourcePort: port,
  destination: 2,
  destinationPort: 80,
});
/** Of a connection from that port that was given this endpoint. */
const reply = (port: number, endpoint: number): Tuple => ({
  source: 10 + endpoint,
  sourcePort: 8080,
  destination: 1,
  destinationPort: port,
});

interface Entry {
  readonly id: number;
  readonly port: number;
  readonly endpoint: number;
  readonly isClash: boolean;
}

const PORTS = 3;
const ENDPOINTS = 2;
const steps = fc.array(
  fc.record({
    port: fc.nat(PORTS - 1),
    endpoint: fc.nat(ENDPOINTS - 1),
    removes: fc.boolean(),
    isClash: fc.integer({ max: 5, min: 0 }).map((drawn) => drawn === 0),
  }),
  { minLength: 20, maxLength: 60 },
);

/** Everything that could be found, looked for. */
function look(tables: ConntrackTables, alive: readonly Entry[]): void {
  const found: number[] = [];
  const held: number[] = [];
  for (let port = 0; port < PORTS; port++) {
    found.push(tables.find(HOST, TCP, original(port)));
    const holder = alive.find((each) => each.port === port && !each.isClash);
    held.push(holder === undefined ? NO_ENTRY : 2 * holder.id);
    for (let endpoint = 0; endpoint < ENDPOINTS; endpoint++) {
      found.push(tables.find(HOST, TCP, reply(port, endpoint)));
      const answerer = alive.find((each) => each.port === port && each.endpoint === endpoint);
      held.push(answerer === undefined ? NO_ENTRY : 2 * answerer.id + 1);
      found.push(tables.find(HOST + 1, TCP, reply(port, endpoint)));
      held.push(NO_ENTRY);
    }
  }
  expect(found).toEqual(held);
}

test("entries are found by what they hold, and by nothing once they are out", () => {
  fc.assert(
    fc.property(steps, (all) => {
      const tables = new ConntrackTables();
      let alive: Entry[] = [];
      for (const { port, endpoint, removes, isClash } of all) {
        if (removes) {
          const gone = alive.find((each) => each.port === port);
          if (gone !== undefined) tables.remove(gone.id);
          alive = alive.filter((each) => each !== gone);
        }
        const isTaken = alive.some(
          (each) =>
            each.port === port && (each.endpoint === endpoint || !(each.isClash || isClash)),
        );
        if (!isTaken) {
          const flags = isClash ? EntryFlag.clash : 0;
          const id = tables.insert(HOST, TCP, original(port), reply(port, endpoint), flags);
          alive.push({ id, port, endpoint, isClash });
        }
        look(tables, alive);
      }
    }),
    { seed: 5, numRuns: 300 },
  );
});
