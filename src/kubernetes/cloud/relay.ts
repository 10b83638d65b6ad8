/**
 * A load balancer of ipMode Proxy: it ends the client's connection and dials a node port itself.
 *
 * Owns: pairs of connections, passing messages from one to the other, and forgetting pairs that have been
 * silent. Refuses to own: which node is dialled. A message is passed on when all of it has arrived.
 */
import { Phase, type DurationNs, type EventKind, type Simulation } from "../../engine/index.ts";
import type { ListenerHandler, Socket } from "../../network/socket.ts";
import type { Transport } from "../../network/transport.ts";

interface Message {
  readonly bytes: number;
  readonly message: number;
  readonly info: number;
}

/** A client's connection (down) and the balancer's own to a node (up). */
interface Pair {
  readonly index: number;
  down: Socket | null;
  up: Socket | null;
  isConnected: boolean;
  /** What came before the node had answered. */
  readonly waiting: Message[];
  lastNs: number;
  /** Goes up when the pair ends. */
  serial: number;
}

/** Opens a connection to a node for a client's; null when that cannot be. */
export type Dial = (down: Socket, handler: ListenerHandler, user: number) => Socket | null;

/** A socket's user is twice its pair, and 1 for the side of the node. */
const UP = 1;

export class Relay implements ListenerHandler {
  readonly #sim: Simulation;
  readonly #transport: Transport;
  readonly #dial: Dial;
  readonly #idleNs: DurationNs;
  readonly #pairs: Pair[] = [];
  readonly #free: Pair[] = [];
  readonly #idleKind: EventKind;

  constructor(transport: Transport, idleNs: DurationNs, dial: Dial) {
    this.#transport = transport;
    this.#sim = transport.network.sim;
    this.#idleNs = idleNs;
    this.#dial = dial;
    this.#idleKind = this.#sim.defineKind("balancer_idle", Phase.timeout, (pair, serial) =>
      this.#looksIdle(this.#pairs[pair]!, serial),
    );
  }

  accepted(socket: Socket): void {
    const pair = this.#free.pop() ?? this.#newPair();
    pair.down = socket;
    pair.lastNs = this.#sim.nowNs;
    socket.user = 2 * pair.index;
    this.#watch(pair);
    pair.up = this.#dial(socket, this, 2 * pair.index + UP);
    if (pair.up === null) this.#reset(pair);
  }

  connected(socket: Socket): void {
    const pair = this.#pairOf(socket);
    pair.isConnected = true;
    for (const { bytes, message, info } of pair.waiting) {
      this.#transport.send(socket, bytes, message, info, false);
    }
    pair.waiting.length = 0;
  }

  message(socket: Socket, message: number, info: number, bytes: number): void {
    const pair = this.#pairOf(socket);
    pair.lastNs = this.#sim.nowNs;
    if ((socket.user & UP) !== 0) {
      this.#tellRoute(pair);
      this.#transport.send(pair.down!, bytes, message, info, false);
    } else if (pair.isConnected) this.#transport.send(pair.up!, bytes, message, info, false);
    else pair.waiting.push({ bytes, message, info });
  }

  /** The end of one side's stream is the end of the other's. */
  peerClosed(socket: Socket): void {
    const pair = this.#pairOf(socket);
    for (const side of [pair.up, pair.down]) if (side !== null) this.#transport.close(side);
    this.#end(pair);
  }

  failed(socket: Socket): void {
    const pair = this.#pairOf(socket);
    if (pair.up === socket) pair.up = null;
    else pair.down = null;
    this.#reset(pair);
  }

  #pairOf({ user }: Socket): Pair {
    return this.#pairs[user >> 1]!;
  }

  #newPair(): Pair {
    const index = this.#pairs.length;
    const pair = {
      index,
      down: null,
      up: null,
      isConnected: false,
      waiting: [],
      lastNs: 0,
      serial: 0,
    };
    this.#pairs.push(pair);
    return pair;
  }

  #reset(pair: Pair): void {
    for (const side of [pair.up, pair.down]) if (side !== null) this.#transport.abort(side);
    this.#end(pair);
  }

  #end(pair: Pair): void {
    pair.down = null;
    pair.up = null;
    pair.isConnected = false;
    pair.waiting.length = 0;
    pair.serial++;
    this.#free.push(pair);
  }

  /** For observations only: the client learns by which endpoint it was answered. */
  #tellRoute({ up, down }: Pair): void {
    const { routeNote, routedBy, seenAs } = up!;
    const { answersSocket: client, answersGeneration: use } = down!;
    if (routeNote < 0) return;
    this.#transport.noteRoute(client, use, routeNote >> 1, routeNote & 1, routedBy);
    this.#transport.noteSeen(client, use, seenAs);
  }

  #watch(pair: Pair): void {
    this.#sim.post(pair.lastNs + this.#idleNs, this.#idleKind, pair.index, pair.serial);
  }

  /** Nobody is told: the next packet of either side finds no socket and gets a RST. */
  #looksIdle(pair: Pair, serial: number): void {
    if (pair.serial !== serial) return;
    if (this.#sim.nowNs - pair.lastNs < this.#idleNs) {
      this.#watch(pair);
      return;
    }
    for (const side of [pair.up, pair.down]) if (side !== null) this.#transport.forget(side);
    this.#end(pair);
  }
}
