/**
 * Events of frozen hosts: what was due while their CPUs stood still.
 *
 * Owns: keeping them in order, host by host, and posting them again when the host goes on.
 */
import type { EventKind, Simulation } from "../engine/index.ts";

interface Held {
  readonly kind: EventKind;
  readonly a: number;
  readonly b: number;
}

export class HeldEvents {
  readonly #byHost = new Map<number, Held[]>();

  add(host: number, kind: EventKind, a: number, b: number): void {
    const held = this.#byHost.get(host);
    if (held === undefined) this.#byHost.set(host, [{ kind, a, b }]);
    else held.push({ kind, a, b });
  }

  /** All of them at this instant, each in its own phase, in the order in which they were due. */
  release(host: number, sim: Simulation): void {
    const held = this.#byHost.get(host) ?? [];
    this.#byHost.delete(host);
    for (const { kind, a, b } of held) sim.post(sim.nowNs, kind, a, b);
  }
}
