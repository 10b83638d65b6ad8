/**
 * CoreDNS answers nobody for a while: its processes end again and again, or stand still.
 *
 * Owns: when. That endpoints go, that probes find out and that a container comes back by its back-off is the kubelets',
 * the controllers' and the proxies' own affair.
 */
import type { FaultScheduler } from "./contract.ts";
import { during, type Span } from "./span.ts";

export interface DnsOutageSpec extends Span {
  readonly kind: "dnsOutage";
  /**
   * crash: all processes end, and each that starts, as with a Corefile that none can read. hang: those that run stand
   * still with their sockets open; one that is started anew works.
   */
  readonly how: "crash" | "hang";
}

export const dnsOutage: FaultScheduler<DnsOutageSpec> = (spec, context) => {
  const dns = context.dns!;
  during(context, spec, { kind: spec.kind, object: "deploy/coredns" }, () =>
    spec.how === "hang"
      ? dns.hang()
      : context.overlaps.hold(
          "dns",
          () => dns.break(),
          () => dns.mend(),
        ),
  );
};
