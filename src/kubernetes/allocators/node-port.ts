/**
 * Node port allocation.
 *
 * Owns: which port a NodePort Service gets, by the rules of the API server's portallocator. Refuses to
 * own: who listens on the port.
 */
import type { RandomStream } from "../../engine/index.ts";
import { BandedRange, type BandRule } from "./banded-range.ts";

/** Default of kube-apiserver --service-node-port-range, both ends included. */
export const NODE_PORT_MIN = 30_000;
export const NODE_PORT_MAX = 32_767;

/** Ports: 2768 / 32 = 86. Kubernetes: pkg/registry/core/service/portallocator (KEP-3668). */
const STATIC_BAND: BandRule = { min: 16, max: 128, step: 32 };

export type NodePortRefusal = "outside" | "taken";

export class NodePortAllocator {
  readonly #range: BandedRange;

  constructor(stream: RandomStream) {
    const size = NODE_PORT_MAX - NODE_PORT_MIN + 1;
    this.#range = new BandedRange(size, size, STATIC_BAND, stream);
  }

  get free(): number {
    return this.#range.free;
  }

  /** Takes the port that a Service asks for; null when it is granted. */
  take(port: number): NodePortRefusal | null {
    if (!Number.isInteger(port) || port < NODE_PORT_MIN || port > NODE_PORT_MAX) return "outside";
    return this.#range.take(port - NODE_PORT_MIN) ? null : "taken";
  }

  /** A port of the allocator's choice, or null when all are taken. */
  takeNext(): number | null {
    const slot = this.#range.takeNext();
    return slot < 0 ? null : NODE_PORT_MIN + slot;
  }

  release(port: number): void {
    this.#range.release(port - NODE_PORT_MIN);
  }
}
