/**
 * Which port a translated connection gets: nf_nat_l4proto_unique_tuple(). From a random place on 128 tries, then 64,
 * 32, 16 and 8 from others (it stops after a run of fewer than 16); of a class only where the port shall stay in it.
 *
 * Broken on purpose: privileged ports given any port; tries that do not halve, or that end one run too early; 128 tries of a
 * range that has fewer ports.
 */
import { expect, test } from "vitest";
import { Simulation } from "../../src/engine/index.ts";
import { linuxProfile } from "../../src/network/profile.ts";
import { NO_PORT, SnatPorts } from "../../src/network/snatPorts.ts";

const { snat } = linuxProfile.conntrack;

/** Each port that is tried until `isFree` says so, and whether a closed connection gives its port up by then. */
function tried(change: Partial<typeof snat> = {}, isFree: (port: number) => boolean = () => false) {
  const stream = new Simulation({ seed: "snat" }).streams.get("snat");
  const reply = { destinationPort: 0 };
  const asked: { readonly port: number; readonly evict: boolean }[] = [];
  const ports = new SnatPorts(stream, { ...snat, ...change }, reply, (_protocol, evict) => {
    asked.push({ port: reply.destinationPort, evict });
    return !isFree(reply.destinationPort);
  });
  return { asked, pick: (port: number, keepClass: boolean) => ports.pick(6, port, keepClass) };
}

test("248 tries at most, in runs of 128, 64, 32, 16 and 8, closed connections evicted at the end of each", () => {
  const { asked, pick } = tried();
  expect(pick(40_000, false)).toBe(NO_PORT);
  expect(asked).toHaveLength(128 + 64 + 32 + 16 + 8);
  // Ports of a run follow each other, round the range.
  const size = snat.portLast - snat.portFirst + 1;
  const next = (port: number): number => snat.portFirst + ((port - snat.portFirst + 1) % size);
  const begins = asked.flatMap(({ port }, i) =>
    i === 0 || port !== next(asked[i - 1]!.port) ? [i] : [],
  );
  expect(begins).toEqual([0, 128, 192, 224, 240]);
  const evicting = asked.flatMap(({ evict }, i) => (evict ? [i] : []));
  const ends = [128, 192, 224, 240, 248];
  expect(evicting).toEqual(
    ends.flatMap((end, k) => {
      const run = end - (ends[k - 1] ?? 0);
      const count = Math.min(run, snat.evictAttempts);
      return Array.from({ length: count }, (_, i) => end - count + i);
    }),
  );
});

test("a range of fewer ports is gone through once", () => {
  const { asked, pick } = tried({ portFirst: 2000, portLast: 2009 });
  expect(pick(40_000, false)).toBe(NO_PORT);
  expect(asked.map(({ port }) => port).toSorted((a, b) => a - b)).toEqual(
    Array.from({ length: 10 }, (_, i) => 2000 + i),
  );
  expect(tried({ portFirst: 2000, portLast: 2009 }, (port) => port === 2003).pick(1, false)).toBe(
    2003,
  );
});

test.each([
  [1, 1, 511],
  [511, 1, 511],
  [512, 600, 1023],
  [1023, 600, 1023],
  [1024, snat.portFirst, snat.portLast],
])("port %i stays in its class, %i to %i, unless --random-fully", (port, first, last) => {
  const { asked, pick } = tried();
  for (let i = 0; i < 20; i++) pick(port, true);
  const ports = asked.map((each) => each.port);
  expect(Math.min(...ports)).toBeGreaterThanOrEqual(first);
  expect(Math.max(...ports)).toBeLessThanOrEqual(last);
  // 20 times 248 places: both ends of a small class are among them.
  if (last < 1024) expect([Math.min(...ports), Math.max(...ports)]).toEqual([first, last]);
  expect(tried({}, () => true).pick(port, false)).toBeGreaterThanOrEqual(snat.portFirst);
});
