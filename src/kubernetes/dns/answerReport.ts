/**
 * Tells the book of changes which endpoints of headless Services a DNS server's answers hold, and from when.
 *
 * Owns: comparing two versions of a slice. The watch does not empty the cache: what it keeps of the Service's name is
 * given until its time is over. Only observes: no server reads anything of it. Not told: what single endpoints' names and
 * SRV records are answered, which the cache keeps apart.
 */
import type { SimTimeNs } from "../../engine/index.ts";
import type { IpFamily } from "../api/types.ts";
import type { ChangeLedger } from "../ledger.ts";
import type { SlicesTold } from "./records.ts";

/**
 * @param server namespace/name of the server's pod
 * @param cachedUntilNs until when the server's cache answers a Service's name; now where it has no answer
 */
export function answerReport(
  ledger: ChangeLedger,
  server: string,
  clock: { readonly nowNs: SimTimeNs },
  cachedUntilNs: (service: string, family: IpFamily) => SimTimeNs,
): SlicesTold {
  return (before, now) => {
    const { service, addressType } = (now ?? before)!;
    const was = new Map(before?.endpoints.map((endpoint) => [endpoint.podUid, endpoint]));
    const is = new Map(now?.endpoints.map((endpoint) => [endpoint.podUid, endpoint]));
    for (const podUid of new Set([...was.keys(), ...is.keys()])) {
      const endpoint = is.get(podUid);
      const isReady = endpoint?.conditions.ready ?? false;
      if (isReady === (was.get(podUid)?.conditions.ready ?? false)) continue;
      const name = { service, podUid, addressType };
      const causeNs = endpoint?.observedCauseNs ?? null;
      const { nowNs } = clock;
      ledger.answered(server, name, isReady, causeNs, nowNs, cachedUntilNs(service, addressType));
    }
  };
}
