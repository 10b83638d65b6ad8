/**
 * IPVS' schedulers: which real server of a virtual server gets a new connection.
 *
 * Owns: rr, wrr, lc, wlc, sed, nq, sh, dh and mh by the kernel's own formulas, and the state that some of
 * them keep. Refuses to own: the list of real servers (virtualServer.ts). Source: kernel
 * net/netfilter/ipvs/ip_vs_{rr,wrr,lc,wlc,sed,nq,sh,dh,mh}.c.
 *
 * Not modelled: lblc and lblcr, thresholds (IP_VS_DEST_F_OVERLOAD), and the flags of sh and mh but mh's port
 * (sh-port, fallback), which kube-proxy never sets.
 */
import type { RuleEndpoint } from "../rules.ts";
import { maglevTable } from "../maglev.ts";
import { hsiphash } from "./hsiphash.ts";

export interface RealServer {
  endpoint: RuleEndpoint;
  /** 1, and 0 while it drains: quiesced. */
  weight: number;
  /** Connections from their SYN until one side closes; and those that are on their way out. */
  active: number;
  inactive: number;
}

/** Addresses as ipvs hashes them: one 32-bit word each. */
export interface Hashed {
  readonly source: number;
  readonly sourcePort: number;
  readonly destination: number;
}

export interface Scheduler {
  /** null: no destination is available. */
  schedule(packet: Hashed): RealServer | null;
  /** A real server has come into, or is about to leave, the list at this place. */
  inserted(index: number): void;
  removing(index: number): void;
  /** Some weight has changed. */
  reweighted(): void;
}

/** @param wordOf an endpoint's address and port as mh hashes them: their sum */
type Maker = (
  servers: readonly RealServer[],
  wordOf: (endpoint: RuleEndpoint) => number,
) => Scheduler;

/** A scheduler that looks at the list anew each time. */
function stateless(schedule: Scheduler["schedule"]): Scheduler {
  return { schedule, inserted: () => {}, removing: () => {}, reweighted: () => {} };
}

/** The next with a weight, from the one that was last; a new list begins at its head. */
const rr: Maker = (servers) => {
  let last = -1;
  return {
    schedule: () => {
      for (let tried = 1; tried <= servers.length; tried++) {
        const index = (last + tried) % servers.length;
        if (servers[index]!.weight <= 0) continue;
        last = index;
        return servers[index]!;
      }
      return null;
    },
    inserted: (index) => {
      if (index <= last) last++;
    },
    // The one before it counts as the last: nobody is passed over.
    removing: (index) => {
      if (index <= last) last--;
    },
    reweighted: () => {},
  };
};

/** Passes over the list with a falling threshold; any change of the list starts at its head again. */
const wrr: Maker = (servers) => {
  let last = -1;
  let threshold = 0;
  const restart = (): void => {
    last = -1;
    threshold = Math.min(threshold, greatest());
  };
  const greatest = (): number => servers.reduce((most, { weight }) => Math.max(most, weight), 0);
  return {
    schedule: () => {
      const most = greatest();
      if (most === 0) return null;
      if (threshold === 0) threshold = most;
      // Weights are 0 and 1 here, so the greatest common divisor, the step, is 1.
      for (;;) {
        for (last++; last < servers.length; last++) {
          if (servers[last]!.weight >= threshold) return servers[last]!;
        }
        last = -1;
        threshold = threshold > 1 ? threshold - 1 : most;
      }
    },
    inserted: restart,
    removing: restart,
    reweighted: restart,
  };
};

/** The first of those with the least overhead for their weight. */
function least(
  servers: readonly RealServer[],
  overheadOf: (server: RealServer) => number,
): RealServer | null {
  let best: RealServer | null = null;
  let bestOverhead = 0;
  for (const server of servers) {
    if (server.weight <= 0) continue;
    const overhead = overheadOf(server);
    if (best === null || bestOverhead * server.weight > overhead * best.weight) {
      best = server;
      bestOverhead = overhead;
    }
  }
  return best;
}

/** ip_vs_dest_conn_overhead: an active connection counts as 256 inactive ones. */
const connections = ({ active, inactive }: RealServer): number => active * 256 + inactive;

/** lc compares what wlc does, without weights: the same among servers whose weight is 1. */
const wlc: Maker = (servers) => stateless(() => least(servers, connections));

/** Shortest expected delay: the connection to come is counted in. */
const expected = ({ active }: RealServer): number => active + 1;
const sed: Maker = (servers) => stateless(() => least(servers, expected));

/** Never queue: an idle server at once, else as sed. */
const nq: Maker = (servers) =>
  stateless(
    () =>
      servers.find(({ weight, active }) => weight > 0 && active === 0) ?? least(servers, expected),
  );

const BUCKETS = 256;

/** Buckets go round the list, also past servers that drain: who hashes to one of those is refused. */
function bucket(servers: readonly RealServer[], hash: number): RealServer | null {
  const server = servers.length === 0 ? null : servers[(hash % BUCKETS) % servers.length]!;
  return server !== null && server.weight > 0 ? server : null;
}

/** hash_32 with 8 bits: by GOLDEN_RATIO_32. */
const sh: Maker = (servers) =>
  stateless(({ source }) => bucket(servers, Math.imul(source, 0x61c88647) >>> 24));

const dh: Maker = (servers) =>
  stateless(({ destination }) => bucket(servers, Math.imul(destination, 0x9e3779b1) & 0xff));

/** CONFIG_IP_VS_MH_TAB_INDEX 12. */
const MH_TABLE_SIZE = 4093;
const MH_KEY_1 = [2654435761n, 2654435761n] as const;
const MH_KEY_2 = [2654446892n, 2654446892n] as const;

/**
 * Maglev by last weights: a server that drains keeps its slots until it is deleted. kube-proxy sets the flag
 * mh-port (FlagSourceHash of pkg/proxy/ipvs/util): the source port is hashed with the address, so each connection of
 * a client has a slot of its own.
 */
const mh: Maker = (servers, wordOf) => {
  let table: Int32Array | null = null;
  const build = (): Int32Array =>
    maglevTable(
      MH_TABLE_SIZE,
      servers.map(({ endpoint }) => ({
        offset: hsiphash(wordOf(endpoint), MH_KEY_1) % MH_TABLE_SIZE,
        skip: (hsiphash(wordOf(endpoint), MH_KEY_2) % (MH_TABLE_SIZE - 1)) + 1,
        turns: 1,
      })),
    );
  const outdated = (): void => {
    table = null;
  };
  return {
    schedule: ({ source, sourcePort }) => {
      table ??= build();
      const slot = hsiphash((source + sourcePort) >>> 0, MH_KEY_1) % MH_TABLE_SIZE;
      const server = servers[table[slot]!];
      return server !== undefined && server.weight > 0 ? server : null;
    },
    inserted: outdated,
    removing: outdated,
    reweighted: () => {},
  };
};

export const schedulers = {
  rr,
  wrr,
  lc: wlc,
  wlc,
  sed,
  nq,
  sh,
  dh,
  mh,
} satisfies Readonly<Record<string, Maker>>;

export type SchedulerName = keyof typeof schedulers;
