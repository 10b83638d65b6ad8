/**
 * Arrival times under a rate that changes with time.
 *
 * Owns: turning a rate profile into the time at which a given amount of work (expected arrivals) has
 * come in. With unit-exponential amounts that is a non-homogeneous Poisson process by inversion, so
 * one draw makes one arrival and common random numbers stay in step.
 */
import { seconds, type DurationNs, type SimTimeNs } from "../engine/index.ts";

/** Rate from `fromNs` until the next segment: linear from startRps to endRps over rampNs, then endRps. */
export interface RateSegment {
  readonly fromNs: SimTimeNs;
  readonly startRps: number;
  readonly endRps: number;
  readonly rampNs: DurationNs;
}

/** A stretch of time on which the rate is linear. */
interface Piece {
  readonly fromNs: SimTimeNs;
  readonly toNs: SimTimeNs;
  readonly startRps: number;
  /** Change of the rate in 1/s per s. */
  readonly slope: number;
}

const NS_PER_SECOND = seconds(1);

export class ArrivalTimes {
  readonly #pieces: readonly Piece[];
  #current = 0;

  /** @param share part of the rate that comes here, such as 1 / replicas */
  constructor(profile: readonly RateSegment[], share: number) {
    this.#pieces = profile.flatMap((segment, i) =>
      pieces(segment, profile[i + 1]?.fromNs ?? Infinity, share),
    );
  }

  /** When `work` more arrivals are expected to have come since `fromNs`; Infinity for never. */
  next(fromNs: SimTimeNs, work: number): SimTimeNs {
    let atNs = fromNs;
    let left = work;
    while (this.#current < this.#pieces.length) {
      const piece = this.#pieces[this.#current]!;
      if (atNs < piece.toNs) {
        atNs = Math.max(atNs, piece.fromNs);
        const rate = piece.startRps + (piece.slope * (atNs - piece.fromNs)) / NS_PER_SECOND;
        const lengthS = (piece.toNs - atNs) / NS_PER_SECOND;
        const inPiece =
          lengthS === Infinity
            ? rate > 0
              ? Infinity
              : 0
            : lengthS * (rate + (piece.slope * lengthS) / 2);
        if (left < inPiece) {
          const root = Math.sqrt(Math.max(0, rate * rate + 2 * piece.slope * left));
          return atNs + Math.round(((2 * left) / (rate + root)) * NS_PER_SECOND);
        }
        left -= inPiece;
        atNs = piece.toNs;
      }
      this.#current++;
    }
    return Infinity;
  }
}

function pieces(segment: RateSegment, endNs: number, share: number): Piece[] {
  const rampEndNs = Math.min(segment.fromNs + segment.rampNs, endNs);
  const result: Piece[] = [];
  if (segment.rampNs > 0) {
    const slope = ((segment.endRps - segment.startRps) * share * NS_PER_SECOND) / segment.rampNs;
    const startRps = segment.startRps * share;
    result.push({ fromNs: segment.fromNs, toNs: rampEndNs, startRps, slope });
  }
  if (rampEndNs < endNs) {
    result.push({ fromNs: rampEndNs, toNs: endNs, startRps: segment.endRps * share, slope: 0 });
  }
  return result;
}
