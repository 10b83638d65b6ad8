/**
 * The laws that are cheap enough to be checked at the end of every run. docs/invariants.md numbers them.
 *
 * Owns: checking, by counts kept apart from the mechanisms. Refuses to own: mending anything.
 */
import type { SimTimeNs } from "../../engine/index.ts";
import { ANY_ADDRESS } from "../../docker/contract.ts";
import type { Docker } from "../../docker/docker.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import type { Network } from "../../network/network.ts";
import type { Transport } from "../../network/transport.ts";
import type { Observer } from "../../observe/observations.ts";
import type { BrokenLaw } from "../../observe/report.ts";

/** Requests begun and ended, by client, counted as observed. */
export class RequestCounter implements Observer {
  started = 0;
  ended = 0;

  requestStarted(): void {
    this.started++;
  }

  requestEnded(): void {
    this.ended++;
  }
}

export interface LawContext {
  readonly network: Network;
  readonly transport: Transport;
  readonly cluster: Cluster;
  readonly docker: Docker | null;
  readonly counter: RequestCounter;
  readonly nowNs: SimTimeNs;
}

export function brokenLaws(context: LawContext): BrokenLaw[] {
  return [
    ...packetConservation(context),
    ...requestConservation(context),
    ...uniqueness(context),
    ...uniqueHostPorts(context),
  ];
}

/** 1a. Every packet is delivered, dropped, or on its way. */
function* packetConservation({ network, nowNs }: LawContext): Generator<BrokenLaw> {
  const { sent, delivered, dropped, inFlight } = network.packets;
  if (sent === delivered + dropped + inFlight) return;
  yield {
    law: "1 conservation",
    entity: "network/packets",
    atNs: nowNs,
    detail: `${sent} sent, ${delivered} delivered + ${dropped} dropped + ${inFlight} in flight`,
  };
}

/** 1b. No request ends more often than it began. */
function* requestConservation({ counter, nowNs }: LawContext): Generator<BrokenLaw> {
  if (counter.ended <= counter.started) return;
  yield {
    law: "1 conservation",
    entity: "workload/requests",
    atNs: nowNs,
    detail: `${counter.ended} requests ended, ${counter.started} began`,
  };
}

/** 5. No two live namespaces hold one address; behind bridges that only their hosts reach, of one host. */
function* uniqueness({ network, nowNs }: LawContext): Generator<BrokenLaw> {
  const holders = new Map<string, string>();
  for (const namespace of network.namespaces) {
    if (!namespace.alive) continue;
    const host = network.hosts[namespace.host]!;
    for (const address of namespace.addresses) {
      if (address === network.loopbackAddress) continue;
      const key = `${address}${host.isBehindBridge(address) ? ` of ${host.name}` : ""}`;
      const other = holders.get(key);
      if (other !== undefined) {
        yield {
          law: "5 uniqueness",
          entity: `namespace/${namespace.name}`,
          atNs: nowNs,
          detail: `${network.addresses.text(address)} is also held by ${other}`,
        };
      }
      holders.set(key, namespace.name);
    }
  }
}

/** 5. No two containers hold one port of a host; 0.0.0.0 is every address. */
function* uniqueHostPorts({ docker, nowNs }: LawContext): Generator<BrokenLaw> {
  const holders = new Map<string, { readonly hostIP: string; readonly name: string }[]>();
  for (const { spec, isPublished } of docker?.containers.values() ?? []) {
    if (!isPublished) continue;
    for (const { hostIP, hostPort } of spec.publish) {
      const key = `${spec.host}:${hostPort}`;
      const others = holders.get(key) ?? [];
      const other = others.find(
        (each) => each.hostIP === hostIP || [each.hostIP, hostIP].includes(ANY_ADDRESS),
      );
      if (other !== undefined) {
        const detail = `${key} is also held by container ${other.name}`;
        yield { law: "5 uniqueness", entity: `container/${spec.name}`, atNs: nowNs, detail };
      }
      holders.set(key, [...others, { hostIP, name: spec.name }]);
    }
  }
}
