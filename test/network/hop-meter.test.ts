/**
 * What a hop did between two readings is what a list of its packets says.
 *
 * Broken on purpose and seen to fail: a meter that took the quantile of all waits so far; one that forgot the share of a
 * train that is sent after the reading (backlog not taken off); one that counted trains from the beginning.
 */
import fc from "fast-check";
import { expect, it } from "vitest";
import { Hop } from "../../src/network/hop.ts";
import { HopMeter } from "../../src/network/hopMeter.ts";

const EVERY_NS = 30_000;

it("splits packets, drops, busy time and waits among the stretches in which they fall", () => {
  const trains = fc.array(
    fc.record({
      gapNs: fc.oneof({ weight: 9, arbitrary: fc.nat(150) }, fc.nat(4000)),
      bytes: fc.integer({ min: 1, max: 100 }),
    }),
    {
      minLength: 1,
      maxLength: 400,
      size: "max",
    },
  );
  fc.assert(
    fc.property(trains, (list) => {
      // A byte takes 1 ns; no more than three packets wait.
      const hop = new Hop("test", "nic", {
        latencyNs: 0,
        linkRateBps: 8e9,
        cpuNsPerPacket: 0,
        queueLimitPackets: 3,
        queueLimitBytes: Infinity,
      });
      const meter = new HopMeter(hop);
      const sent: { startNs: number; endNs: number }[] = [];
      let [nowNs, window] = [0, { packets: 0, bytes: 0, drops: 0, waits: [] as number[] }];
      let fromNs = 0;
      const close = (atNs: number): void => {
        const busyNs = sent.reduce(
          (sum, { startNs, endNs }) =>
            sum + Math.max(0, Math.min(endNs, atNs) - Math.max(startNs, fromNs)),
          0,
        );
        const some = window.packets > 0 || window.drops > 0 || busyNs > 0;
        expect(meter.read(atNs)).toBe(some);
        if (some) {
          const { packets, bytes, drops, sentForNs, waitP99Ns, backlogNs } = meter;
          const waits = window.waits.sort((a, b) => a - b);
          const p99 = waits[Math.ceil(0.99 * waits.length) - 1] ?? 0;
          expect({ packets, bytes, drops, sentForNs, backlogNs }).toEqual({
            packets: window.packets,
            bytes: window.bytes,
            drops: window.drops,
            sentForNs: busyNs,
            backlogNs: Math.max(0, (sent.at(-1)?.endNs ?? 0) - atNs),
          });
          expect(Math.abs(waitP99Ns - p99)).toBeLessThanOrEqual(p99 / 256 + 1);
        }
        window = { packets: 0, bytes: 0, drops: 0, waits: [] };
        fromNs = atNs;
      };
      for (const { gapNs, bytes } of list) {
        nowNs += gapNs;
        while (fromNs + EVERY_NS <= nowNs) close(fromNs + EVERY_NS);
        const startNs = Math.max(nowNs, sent.at(-1)?.endNs ?? 0);
        const endNs = hop.offer(nowNs, 1, bytes);
        if (endNs < 0) {
          window.drops++;
          continue;
        }
        sent.push({ startNs, endNs });
        window.waits.push(startNs - nowNs);
        window.packets++;
        window.bytes += bytes;
      }
      close(fromNs + EVERY_NS);
    }),
  );
});
