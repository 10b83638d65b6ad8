/** Constants of the API server, of its clients' connections and of watches. "timings §N": docs/sources.md. */
import { minutes, ms, seconds, us, type DistributionSpec } from "../../engine/index.ts";

export const apiServerProfile = {
  /** A write with its etcd commit: 5-15 ms p50, 50-100 ms p99 while healthy (timings §6, typical). */
  writeLatency: { kind: "lognormal", p50: ms(10), p99: ms(75) } as DistributionSpec,
  /** From commit to one watcher: 5-20 ms in a small cluster (timings §6, typical). */
  watchLatency: { kind: "lognormal", p50: ms(8), p99: ms(20) } as DistributionSpec,
  /** A request or its response on the network between a component and the server. */
  networkNs: ms(0.2),
  /** What the server spends on one event for one watcher, one watcher after the other (timings §6). */
  watchSendNs: us(10),
  /** --max-requests-inflight and --max-mutating-requests-inflight: the seats of all levels (timings §6). */
  maxRequestsInflight: 400,
  maxMutatingRequestsInflight: 200,
  /** --request-timeout; a queued request waits a quarter of it at most (timings §6). */
  requestTimeoutNs: minutes(1),
  /** Retry-After of a 429, and how often client-go heeds it (timings §6). */
  retryAfterNs: seconds(1),
  maxRetries: 10,
  borrowing: {
    /** borrowingAdjustmentPeriod: how often the levels' limits are set anew (timings §6). */
    periodNs: seconds(10),
    /** seatDemandSmoothingCoefficient: of old demand, so much is left after a period (timings §6). */
    smoothing: 0.977,
  },
  watchCache: {
    /** Events of a kind that are kept at least and at most, and how long in between (timings §6). */
    minEvents: 100,
    maxEvents: 102_400,
    freshNs: seconds(75),
    /** How often an idle watch is told how far the server has come (timings §6). */
    bookmarkNs: minutes(1),
  },
  connection: {
    /** HTTP/2: silent for so long, a ping goes out; unanswered for so long, the connection is closed (§6). */
    readIdleNs: seconds(30),
    pingTimeoutNs: seconds(15),
    /** client-go's net.Dialer (timings §6). */
    dialTimeoutNs: seconds(30),
    /** Back-off of a reflector between lists: x2, each times 1 to 2 (timings §6). */
    relistBaseNs: ms(800),
    relistMaxNs: seconds(30),
    /** First retransmission of what was sent and not acknowledged, doubling (timings §6). */
    retransmitNs: ms(200),
  },
};

export type ApiServerProfile = typeof apiServerProfile;
