/** Two tracked hosts with guests, and one host outside: the smallest network that shows everything. */
import { Simulation } from "../../src/engine/index.ts";
import { bridgeHostGw } from "../../src/network/kinds/bridge.ts";
import type { Guest, GuestNetwork } from "../../src/network/kinds/contract.ts";
import type { FirstPacket, NatDecision, NatRules } from "../../src/network/nat.ts";
import type { AddressId } from "../../src/network/address.ts";
import type { Hop } from "../../src/network/hop.ts";
import type { Namespace } from "../../src/network/host.ts";
import { Network } from "../../src/network/network.ts";
import { linuxProfile, type LinuxProfile } from "../../src/network/profile.ts";
import type { Listener, ListenerHandler, Socket, SocketError } from "../../src/network/socket.ts";
import { NetworkStack } from "../../src/network/stack.ts";
import { Transport } from "../../src/network/transport.ts";

export interface Wire {
  readonly sim: Simulation;
  readonly network: Network;
  readonly stack: NetworkStack;
  readonly transport: Transport;
  readonly guests: GuestNetwork;
  /** Index of the host outside. */
  readonly outside: number;
}

/**
 * `nodes`: tracked hosts, node-1 at 192.168.0.11 with the guests 10.244.1.0/24 and so on; with `dual` at
 * fd00:168::11 with fd00:10:244:1::/64 as well, and the host outside at 2001:db8::5.
 */
export function wire(
  profile: LinuxProfile = linuxProfile,
  seed = "wire",
  nodes = 2,
  dual = false,
): Wire {
  const sim = new Simulation({ seed });
  const network = new Network(sim, profile);
  const stack = new NetworkStack(network);
  const transport = new Transport(network, stack);
  const hosts = Array.from({ length: nodes }, (_, index) => index + 1).map((i) => ({
    host: network.addHost({
      name: `node-${i}`,
      address: `192.168.0.${10 + i}${dual ? `,fd00:168::${10 + i}` : ""}`,
      cores: 2,
      tracked: true,
    }),
    cidr: `10.244.${i}.0/24${dual ? `,fd00:10:244:${i}::/64` : ""}`,
  }));
  const outside = network.addHost({
    name: "laptop",
    address: `203.0.113.5${dual ? ",2001:db8::5" : ""}`,
    cores: 2,
    tracked: false,
  });
  const guests = bridgeHostGw.install({ network, stack, transport, hosts });
  return { sim, network, stack, transport, guests, outside: outside.index };
}

/** Rules made of a function, for tests that are about what happens after the decision. */
export function rules(decide: (packet: FirstPacket, decision: NatDecision) => void): NatRules {
  return { decide: (_point, packet, decision) => decide(packet, decision) };
}

/** An application that writes down what its kernel tells it. */
export class Recorder implements ListenerHandler {
  readonly log: string[] = [];
  /** What happened, without the times; and the times, in ns. */
  readonly events: string[] = [];
  readonly timesNs: number[] = [];
  readonly sockets: Socket[] = [];
  readonly #sim: Simulation;
  /** Answers each message with as many bytes, or not at all. */
  readonly #wire: Wire;
  readonly #answerBytes: number | null;

  constructor(wire: Wire, answerBytes: number | null = null) {
    this.#sim = wire.sim;
    this.#wire = wire;
    this.#answerBytes = answerBytes;
  }

  accepted(socket: Socket): void {
    this.sockets.push(socket);
    this.#note("accepted");
  }

  connected(): void {
    this.#note("connected");
  }

  failed(_socket: Socket, error: SocketError): void {
    this.#note(error);
  }

  message(socket: Socket, message: number, info: number): void {
    this.#note(`message ${message}`);
    if (this.#answerBytes !== null) {
      this.#wire.transport.send(socket, this.#answerBytes, message, info, info === 1);
    }
  }

  peerClosed(socket: Socket): void {
    this.#note("eof");
    this.#wire.transport.close(socket);
  }

  #note(what: string): void {
    this.log.push(`${(this.#sim.nowNs / 1e9).toFixed(6)} ${what}`);
    this.events.push(what);
    this.timesNs.push(this.#sim.nowNs);
  }
}

export function guest(wire: Wire, host: number, name: string): Guest {
  const added = wire.guests.add(host, name);
  if (added === null) throw new Error(`no address for ${name}`);
  return added;
}

export function listen(wire: Wire, guest: Guest, port: number, handler: ListenerHandler): Listener {
  const listener = wire.transport.listen(wire.network.namespaces[guest.namespace]!, port, handler);
  if (listener === null) throw new Error(`port ${port} is taken`);
  return listener;
}

export function namespaceOf(wire: Wire, guest: Guest): Namespace {
  return wire.network.namespaces[guest.namespace]!;
}

/** The hop of that name. @throws Error naming those there are */
export function hop(wire: Wire, name: string): Hop {
  const found = wire.network.hops.find((hop) => hop.name === name);
  if (found === undefined) throw new Error(`no ${name} in ${wire.network.hops.map((h) => h.name)}`);
  return found;
}

export interface Call {
  readonly socket: Socket;
  readonly client: Recorder;
}

/** Connects now, from a guest or from a root namespace. */
export function call(wire: Wire, from: Guest | Namespace, to: AddressId, port: number): Call {
  const namespace = "namespace" in from ? namespaceOf(wire, from) : from;
  const client = new Recorder(wire);
  const socket = wire.transport.connect(namespace, to, port, client, 0);
  if (socket === null) throw new Error("no local port is free");
  return { socket, client };
}

/** Takes what the next `count` guests of a host would have had, and gives it back. */
export function passAddresses(wire: Wire, host: number, count: number): void {
  for (let i = 0; i < count; i++) wire.guests.del(guest(wire, host, `filler-${i}`));
}
