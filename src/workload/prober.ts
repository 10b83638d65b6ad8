/**
 * Probes as traffic: a connection from the node's own namespace to the pod.
 *
 * Owns: sending one probe and judging its answer. Refuses to own: when to probe and what a result
 * means (kubelet). An httpGet or grpc probe is a request like any other, of a connection of its own: it waits
 * for a worker of the server, and a server whose queue is full fails it.
 */
import { Phase, type DurationNs } from "../engine/index.ts";
import type { Prober, Sandbox, SentProbe } from "../kubernetes/kubelet/contract.ts";
import { SocketState, type Socket, type SocketHandler } from "../network/socket.ts";
import { RequestInfo, type Programs } from "./program.ts";

interface Probe {
  readonly request: boolean;
  socket: Socket | null;
  /** The socket may vanish with its namespace, and be another's then. */
  generation: number;
  done: ((success: boolean) => void) | null;
}

export class NodeProber implements Prober, SocketHandler {
  readonly #programs: Programs;
  readonly #requestBytes: number;
  readonly #probes: Probe[] = [];
  readonly #free: number[] = [];

  constructor(programs: Programs, requestBytes: number) {
    this.#programs = programs;
    this.#requestBytes = requestBytes;
  }

  probe(
    node: number,
    sandbox: Sandbox,
    handler: SentProbe,
    timeoutNs: DurationNs,
    done: (success: boolean) => void,
  ): void {
    const { sim, transport } = this.#programs;
    const index = this.#free.pop() ?? this.#probes.length;
    const probe: Probe = {
      request: handler.kind !== "tcpSocket",
      socket: null,
      generation: 0,
      done,
    };
    this.#probes[index] = probe;
    const { namespace } = transport.network.hosts[node]!;
    probe.socket = transport.connect(namespace, sandbox.addresses[0]!, handler.port, this, index);
    probe.generation = probe.socket?.generation ?? 0;
    if (probe.socket === null) {
      sim.callAfter(0, Phase.complete, () => this.#finish(index, false));
      return;
    }
    // The slot may be used again by then: only the probe it was set for may end by it.
    sim.callAfter(timeoutNs, Phase.timeout, () => {
      if (this.#probes[index] === probe) this.#finish(index, false);
    });
  }

  connected(socket: Socket): void {
    const probe = this.#probes[socket.user]!;
    if (!probe.request) {
      this.#finish(socket.user, true);
      return;
    }
    const info = RequestInfo.probe | RequestInfo.close;
    this.#programs.transport.send(socket, this.#requestBytes, socket.user, info, false);
  }

  message(socket: Socket, _message: number, info: number): void {
    this.#finish(socket.user, (info & 1) === 0);
  }

  peerClosed(socket: Socket): void {
    this.#finish(socket.user, false);
  }

  failed(socket: Socket): void {
    this.#probes[socket.user]!.socket = null;
    this.#finish(socket.user, false);
  }

  #finish(index: number, success: boolean): void {
    const probe = this.#probes[index]!;
    const { done, socket, generation } = probe;
    if (done === null) return;
    probe.done = null;
    const isOurs = socket !== null && socket.generation === generation;
    if (isOurs && socket.state !== SocketState.free) this.#programs.transport.close(socket);
    this.#free.push(index);
    delete this.#probes[index];
    done(success);
  }
}
