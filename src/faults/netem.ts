/**
 * Makes the lines between hosts worse for a while: latency, jitter, loss, copies, another order, less bandwidth.
 *
 * Owns: which lines and when. What it does to a packet is netem's affair (network/netem.ts): one discipline on the
 * NIC of each host that sends, with a queue and a random stream of its own, for its traffic to the other side.
 */
import type { NetemOptions } from "../network/netem.ts";
import { Netem } from "../network/netem.ts";
import type { Host } from "../network/host.ts";
import type { FaultScheduler } from "./contract.ts";
import { hostsOf, lineText, othersOf, type HostGroup } from "./hosts.ts";
import { during, type Span } from "./span.ts";

export interface NetemSpec extends Span, NetemOptions {
  readonly kind: "netem";
  readonly from: HostGroup;
  /** null: all other hosts. */
  readonly to: HostGroup | null;
  /** Packets of `from` to `to` only; otherwise those back as well. */
  readonly oneWay: boolean;
}

export const netem: FaultScheduler<NetemSpec> = (spec, context, name) => {
  const { kind, from, to } = spec;
  during(context, spec, { kind, object: lineText(from, to) }, () => {
    const here = hostsOf(from, context);
    const there = othersOf(to, here, context);
    const ends = [
      ...here.map((host) => shape(host, there, "to")),
      ...(spec.oneWay ? [] : there.map((host) => shape(host, here, "from"))),
    ];
    return () => {
      for (const end of ends) end();
    };
  });

  function shape(host: Host, targets: readonly Host[], way: "to" | "from"): () => void {
    const { sim, stack } = context;
    const stream = sim.streams.get(`fault/${name}/${way}/${host.name}`);
    const others = targets.filter((target) => target !== host);
    const shaping = {
      netem: new Netem(spec, stream),
      targets: new Set(others.map(({ index }) => index)),
    };
    const faults = stack.faultsOf(host);
    faults.shape(shaping);
    return () => faults.unshape(shaping);
  }
};
