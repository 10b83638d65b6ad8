/**
 * kube-proxy's answers to load balancers: how many ready endpoints of a Service are on this node.
 *
 * Owns: a listener on each health-check node port, and the answer: 200 with one or more, else 503; and
 * kube-proxy's own healthz. Both are 503 while kube-proxy is unhealthy: a change has waited for too long to be
 * programmed. It knows what the node has programmed, no more. Source: pkg/proxy/healthcheck/service_health.go and
 * proxy_health.go; rules of kube-proxy, section 14 (docs/sources.md). The proxiers of both families want the port of a
 * dual-stack Service (both listen on every address); the first gets it, and counts its own family. Not modelled: 503
 * because the node is being deleted (NodeEligible).
 */
import type { Namespace } from "../../network/host.ts";
import type { Listener, ListenerHandler, Socket } from "../../network/socket.ts";
import type { Transport } from "../../network/transport.ts";
import type { ServicePortRules } from "./rules.ts";

/** kube-proxy's own health, for load balancers of Services without node ports (pkg/cluster/ports). */
export const HEALTHZ_PORT = 10_256;

/** Bit 0 of an answer's info: 503 Service Unavailable. */
export const UNAVAILABLE = 1;

interface HealthCheck {
  /** Whose proxier listens: the first to have programmed the Service. The other finds the port taken. */
  readonly family: 4 | 6;
  readonly listener: Listener | null;
  readonly port: number;
  localEndpoints: number;
}

export class ServiceHealthServer implements ListenerHandler {
  readonly #transport: Transport;
  readonly #namespace: Namespace;
  readonly #answerBytes: number;
  readonly #byService = new Map<string, HealthCheck>();
  #healthz: Listener | null;
  readonly #byPort = new Map<number, HealthCheck>();
  readonly #isHealthy: () => boolean;

  /** @param isHealthy whether kube-proxy is: asked for each answer */
  constructor(
    transport: Transport,
    namespace: Namespace,
    answerBytes: number,
    isHealthy: () => boolean,
  ) {
    this.#isHealthy = isHealthy;
    this.#transport = transport;
    this.#namespace = namespace;
    this.#answerBytes = answerBytes;
    this.#healthz = transport.listen(namespace, HEALTHZ_PORT, this);
  }

  /** kube-proxy ends, and with it what it listened on. */
  stop(): void {
    if (this.#healthz !== null) this.#transport.closeListener(this.#healthz);
    for (const [service, check] of this.#byService) this.#close(service, check);
  }

  /** A new kube-proxy: it listens for a Service once it has programmed it. */
  start(): void {
    this.#healthz = this.#transport.listen(this.#namespace, HEALTHZ_PORT, this);
  }

  /** These rules of a Service are in force now, by the proxier of a family; none: it has gone. */
  sync(service: string, rules: readonly ServicePortRules[], family: 4 | 6): void {
    const port = rules[0]?.healthCheckNodePort ?? null;
    let check = this.#byService.get(service);
    if (check !== undefined && check.family !== family) return;
    if (check !== undefined && check.port !== port) {
      this.#close(service, check);
      check = undefined;
    }
    if (port === null) return;
    if (check === undefined) {
      const listener = this.#transport.listen(this.#namespace, port, this);
      check = { family, listener, port, localEndpoints: 0 };
      this.#byService.set(service, check);
      this.#byPort.set(port, check);
    }
    check.localEndpoints = countLocal(rules);
  }

  /** Ready endpoints of the Service on this node, as it would answer now. */
  localEndpoints(service: string): number {
    return this.#byService.get(service)?.localEndpoints ?? 0;
  }

  accepted(): void {}

  connected(): void {
    throw new Error("a health server does not connect");
  }

  message(socket: Socket, message: number): void {
    const { localPort } = socket;
    const isServed =
      localPort === HEALTHZ_PORT || (this.#byPort.get(localPort)?.localEndpoints ?? 0) > 0;
    const info = isServed && this.#isHealthy() ? 0 : UNAVAILABLE;
    this.#transport.send(socket, this.#answerBytes, message, info, true);
  }

  peerClosed(socket: Socket): void {
    this.#transport.close(socket);
  }

  failed(): void {}

  #close(service: string, { listener, port }: HealthCheck): void {
    if (listener !== null) this.#transport.closeListener(listener);
    this.#byService.delete(service);
    this.#byPort.delete(port);
  }
}

/** By address: two ports of one pod are one endpoint. Terminating ones never count. */
function countLocal(rules: readonly ServicePortRules[]): number {
  const addresses = new Set<number>();
  for (const { local } of rules) {
    for (const { address, ready } of local ?? []) if (ready) addresses.add(address);
  }
  return addresses.size;
}
