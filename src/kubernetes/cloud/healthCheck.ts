/**
 * A load balancer's checks of its targets, as connections of its own.
 *
 * Owns: one check: GET of kube-proxy's health-check node port, or a connection to a node port. Refuses to
 * own: what results mean (targets.ts).
 */
import { Phase, type DurationNs } from "../../engine/index.ts";
import type { AddressId } from "../../network/address.ts";
import type { Namespace } from "../../network/host.ts";
import type { Socket, SocketHandler } from "../../network/socket.ts";
import type { Transport } from "../../network/transport.ts";
import { UNAVAILABLE } from "../proxy/healthServer.ts";
import type { LoadBalancerProfile } from "./profile.ts";

/** `http`: the answer counts. `tcp`: that there is a connection. */
export interface CheckedPort {
  readonly kind: "http" | "tcp";
  readonly port: number;
}

interface Check {
  readonly socket: Socket;
  /** Of the socket when it was opened: another use of its slot is another connection. */
  readonly generation: number;
  readonly sends: boolean;
  readonly done: (passed: boolean) => void;
}

export class HealthChecker implements SocketHandler {
  readonly #transport: Transport;
  readonly #namespace: Namespace;
  readonly #profile: LoadBalancerProfile["healthCheck"];
  readonly #checks = new Map<number, Check>();
  #next = 0;

  constructor(
    transport: Transport,
    namespace: Namespace,
    profile: LoadBalancerProfile["healthCheck"],
  ) {
    this.#transport = transport;
    this.#namespace = namespace;
    this.#profile = profile;
  }

  /** Calls `done` once: by an answer, a failure, or the time-out. */
  check(address: AddressId, { kind, port }: CheckedPort, done: Check["done"]): void {
    const number = this.#next++;
    const socket = this.#transport.connect(this.#namespace, address, port, this, number);
    if (socket === null) {
      done(false);
      return;
    }
    const { generation } = socket;
    this.#checks.set(number, { socket, generation, sends: kind === "http", done });
    this.#after(this.#profile.timeoutNs, () => this.#end(number, false));
  }

  connected(socket: Socket): void {
    if (this.#checks.get(socket.user)?.sends !== true) this.#end(socket.user, true);
    else this.#transport.send(socket, this.#profile.messageBytes, socket.user, 0, false);
  }

  message(socket: Socket, _message: number, info: number): void {
    this.#end(socket.user, (info & UNAVAILABLE) === 0);
  }

  peerClosed(socket: Socket): void {
    this.#end(socket.user, false);
  }

  failed(socket: Socket): void {
    const check = this.#checks.get(socket.user);
    this.#checks.delete(socket.user);
    check?.done(false);
  }

  #end(number: number, passed: boolean): void {
    const check = this.#checks.get(number);
    if (check === undefined) return;
    this.#checks.delete(number);
    const { socket, generation, done } = check;
    if (socket.generation === generation) this.#transport.close(socket);
    done(passed);
  }

  #after(delayNs: DurationNs, action: () => void): void {
    this.#transport.network.sim.callAfter(delayNs, Phase.timeout, action);
  }
}
