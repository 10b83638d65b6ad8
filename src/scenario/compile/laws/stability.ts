/**
 * Law 4, stability: a ClusterIP stays its Service's, and a connection stays with its endpoint.
 *
 * Owns: comparing the end with the beginning, and both ends of each open connection with each other.
 */
import { objectKey } from "../../../kubernetes/api/types.ts";
import { SocketState, type Socket } from "../../../network/socket.ts";
import type { Observer } from "../../../observe/observations.ts";
import type { BrokenLaw } from "../../../observe/report.ts";
import { hasKeptAll } from "./conntrack.ts";
import type { LawContext } from "./contract.ts";

/** Remembers the endpoints' addresses. */
export class StabilityWatch implements Observer {
  /** Of each endpoint: a pod gets another when its node has booted. */
  readonly #addresses: string[][] = [];

  endpointNamed(endpoint: number, _service: number, address: string): void {
    (this.#addresses[endpoint] ??= []).push(address);
  }

  *broken(context: LawContext): Generator<BrokenLaw> {
    yield* clusterIPs(context);
    yield* connections(context, this.#addresses);
  }
}

function* clusterIPs({ cluster, scenario, nowNs }: LawContext): Generator<BrokenLaw> {
  const stored = new Map(
    [...cluster.api.list("Service")].map((each) => [objectKey(each), each.spec.clusterIP]),
  );
  for (const service of scenario.cluster.services) {
    const key = objectKey(service);
    const now = stored.get(key);
    if (now === undefined || now === service.spec.clusterIP) continue;
    yield {
      law: "4 stability",
      entity: `service/${key}`,
      atNs: nowNs,
      detail: `its ClusterIP was ${service.spec.clusterIP} and is ${now}`,
    };
  }
}

/**
 * An open connection ends in a namespace that holds the address of the endpoint it was routed to. Where the host that
 * routed it has lost its table, a packet in the middle of it is routed anew, maybe elsewhere (nf_conntrack_tcp_loose):
 * both ends take it for open until the reset arrives.
 */
function* connections(
  { transport, network, nowNs }: LawContext,
  addresses: readonly (readonly string[])[],
): Generator<BrokenLaw> {
  const { all } = transport.sockets;
  for (const socket of all) {
    const peer = openPeer(socket, all);
    if (peer === null || socket.routeNote < 0) continue;
    // A proxy answers for the endpoint; its own connection to it is looked at by itself.
    if (network.hosts[peer.namespace!.host]!.steering !== null) continue;
    const table = network.hosts[socket.routedBy]?.conntrack ?? null;
    if (table !== null && !hasKeptAll(table)) continue;
    const endpoints = addresses[socket.routeNote >> 1]!;
    // An endpoint is named by one of its pod's addresses; a dual-stack pod has another for the other family.
    const held = [...peer.namespace!.addresses].map((id) => network.addresses.text(id));
    if (held.some((text) => endpoints.some((each) => isAt(each, text)))) continue;
    const reached = network.addresses.text(peer.localAddress);
    yield {
      law: "4 stability",
      entity: `socket/${socket.namespace!.name}:${socket.localPort}`,
      atNs: nowNs,
      detail: `its connection was routed to ${endpoints.at(-1)} and ends at ${reached}`,
    };
  }
}

function isAt(endpoint: string, address: string): boolean {
  return endpoint.startsWith(`${address}:`) || endpoint.startsWith(`[${address}]:`);
}

function openPeer(socket: Socket, all: readonly Socket[]): Socket | null {
  if (socket.state !== SocketState.established || socket.listener !== null) return null;
  const peer = all[socket.peer];
  if (peer === undefined || peer.peer !== socket.id) return null;
  return peer.state === SocketState.established ? peer : null;
}
