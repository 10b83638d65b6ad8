/**
 * A hop as an M/D/1 queue: packets of one size come at random, the wire takes the same time for each.
 *
 * 1250 bytes at 10 Mbit/s take 1 ms, the unit of time.
 *
 * Seen to fail: a train sent when it comes, whatever is before it (all), the queue's limit compared with >= for
 * > (the losses), the wait recorded with the service in it, and trains that find the hop idle left out of all
 * trains (the quantiles).
 */
import { describe, expect, it } from "vitest";
import {
  createDistribution,
  type RandomStream,
  RandomStreams,
  sampleNs,
} from "../../src/engine/index.ts";
import { DROPPED, Hop } from "../../src/network/hop.ts";
import { expectMean } from "../helpers/confidence.ts";
import { mD1WaitQuantile, mG1KLoss, poisson, pollaczekKhinchine } from "./formulas.ts";
import { UNIT_NS } from "./open-queue.ts";

const PACKETS = 400_000;
const BYTES = 1250;
/** Of the histogram of waits (src/stats/histogram.ts). */
const HISTOGRAM_ERROR = 1 / 256;

function hopWith(queueLimitPackets: number): Hop {
  return new Hop("link", "nic", {
    latencyNs: 0,
    linkRateBps: 10e6,
    cpuNsPerPacket: 0,
    queueLimitPackets,
    queueLimitBytes: Infinity,
  });
}

/** Offers Poisson arrivals. @returns how long each took to be sent, or DROPPED */
function offerAll(hop: Hop, lambda: number, stream: RandomStream): Float64Array {
  const gap = createDistribution({ kind: "exponential", mean: UNIT_NS / lambda });
  let nowNs = 0;
  return Float64Array.from({ length: PACKETS }, () => {
    nowNs += sampleNs(gap, stream);
    const departureNs = hop.offer(nowNs, 1, BYTES);
    return departureNs === DROPPED ? DROPPED : departureNs - nowNs;
  });
}

describe("a hop without a limit", () => {
  // Pollaczek-Khinchine at lambda = 0.7: wait 0.7 / (2 * 0.3) = 1.166667; a share 0.7 waits.
  const lambda = 0.7;
  const hop = hopWith(Infinity);
  const stream = new RandomStreams("hop").get("gaps");
  const waits = offerAll(hop, lambda, stream).map((timeNs) => timeNs / UNIT_NS - 1);

  it("lets packets wait as M/D/1 does", () => {
    const wait = pollaczekKhinchine(lambda, 1, 1);
    expect(wait).toBeCloseTo(1.166667, 6);
    expectMean({ name: "wait", expected: wait, values: waits, resolution: 0.1 });
    const waited = waits.map((each) => (each > 0 ? 1 : 0));
    expectMean({ name: "share that waits", expected: lambda, values: waited, resolution: 0.01 });
    expect(hop.packets).toBe(PACKETS);
    expect(hop.bytes).toBe(PACKETS * BYTES);
  });

  // The quantile that the hop reports belongs to the share p of its own packets, which differs from the share
  // of all time by what the interval of that share says: so it lies between the quantiles of p -+ half-width.
  it.each([0.5, 0.9, 0.99])("reports the quantile %f of Erlang's distribution of waits", (p) => {
    const quantile = mD1WaitQuantile(p, lambda, 1);
    const { halfWidth } = expectMean({
      name: `share of waits up to ${quantile}`,
      expected: p,
      values: waits.map((each) => (each <= quantile ? 1 : 0)),
      resolution: (1 - p) / 2,
    });
    const reported = hop.waitQuantileNs(p) / UNIT_NS;
    const [low, high] = [p - halfWidth, p + halfWidth].map((q) => mD1WaitQuantile(q, lambda, 1));
    expect(reported).toBeGreaterThanOrEqual(low! * (1 - HISTOGRAM_ERROR));
    expect(reported).toBeLessThanOrEqual(high! * (1 + HISTOGRAM_ERROR));
  });
});

describe("a hop with room for 4 besides the one being sent", () => {
  // By the chain of numbers that departing packets leave behind, formulas.ts.
  it.each([
    [0.9, 0.0644],
    [1.3, 0.2484],
  ])("loses at load %f what M/D/1/5 loses: %f", (lambda, printed) => {
    const hop = hopWith(4);
    const stream = new RandomStreams("hop with limit").get(`gaps ${lambda}`);
    const lost = offerAll(hop, lambda, stream).map((answer) => (answer === DROPPED ? 1 : 0));
    const expected = mG1KLoss(5, lambda, (j) => poisson(j, lambda));
    expect(expected).toBeCloseTo(printed, 4);
    expectMean({ name: "share lost", expected, values: lost, resolution: 0.01 });
    expect(hop.droppedPackets).toBe(lost.reduce((sum, each) => sum + each, 0));
    expect(hop.packets + hop.droppedPackets).toBe(PACKETS);
  });
});
