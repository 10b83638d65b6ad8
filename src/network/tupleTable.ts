/**
 * A hash table from a connection's tuple, within one scope, to a small integer.
 *
 * Owns: lookup by (scope, protocol, address, port, address, port). Used for sockets (scope: namespace).
 * Open addressing with backward-shift deletion, so that it neither allocates per entry nor collects
 * tombstones.
 */

/** get() gives this where nothing is stored. */
export const ABSENT = -1;

const WORDS = 6;
const VALUE = 5;

export class TupleTable {
  #capacity = 1024;
  /** Per slot: scope, address, address, both ports, protocol, value + 1 (0: empty). */
  #slots = new Int32Array(this.#capacity * WORDS);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(
    scope: number,
    protocol: number,
    address: number,
    port: number,
    peer: number,
    peerPort: number,
  ): number {
    const slot = this.#find(scope, protocol, address, (port << 16) | peerPort, peer);
    return this.#slots[slot * WORDS + VALUE]! - 1;
  }

  /** Stores or replaces. `value` is a non-negative 31-bit integer. */
  set(
    scope: number,
    protocol: number,
    address: number,
    port: number,
    peer: number,
    peerPort: number,
    value: number,
  ): void {
    if (2 * (this.#size + 1) > this.#capacity) this.#grow();
    const ports = (port << 16) | peerPort;
    const base = this.#find(scope, protocol, address, ports, peer) * WORDS;
    const slots = this.#slots;
    if (slots[base + VALUE] === 0) this.#size++;
    slots[base] = scope;
    slots[base + 1] = address;
    slots[base + 2] = peer;
    slots[base + 3] = ports;
    slots[base + 4] = protocol;
    slots[base + VALUE] = value + 1;
  }

  delete(
    scope: number,
    protocol: number,
    address: number,
    port: number,
    peer: number,
    peerPort: number,
  ): boolean {
    const slot = this.#find(scope, protocol, address, (port << 16) | peerPort, peer);
    if (this.#slots[slot * WORDS + VALUE] === 0) return false;
    this.#size--;
    this.#closeGap(slot);
    return true;
  }

  /** Moves later members of the probe chain back, so that no lookup meets a hole. */
  #closeGap(slot: number): void {
    const slots = this.#slots;
    const mask = this.#capacity - 1;
    let gap = slot;
    let next = (slot + 1) & mask;
    while (slots[next * WORDS + VALUE] !== 0) {
      const home = this.#homeOf(next);
      if (((next - home) & mask) >= ((next - gap) & mask)) {
        for (let i = 0; i < WORDS; i++) slots[gap * WORDS + i] = slots[next * WORDS + i]!;
        gap = next;
      }
      next = (next + 1) & mask;
    }
    slots[gap * WORDS + VALUE] = 0;
  }

  #find(scope: number, protocol: number, address: number, ports: number, peer: number): number {
    const slots = this.#slots;
    const mask = this.#capacity - 1;
    let slot = hash(scope, protocol, address, ports, peer) & mask;
    for (;;) {
      const base = slot * WORDS;
      if (slots[base + VALUE] === 0) return slot;
      if (
        slots[base + 3] === ports &&
        slots[base + 1] === address &&
        slots[base + 2] === peer &&
        slots[base] === scope &&
        slots[base + 4] === protocol
      ) {
        return slot;
      }
      slot = (slot + 1) & mask;
    }
  }

  #homeOf(slot: number): number {
    const s = this.#slots;
    const b = slot * WORDS;
    return hash(s[b]!, s[b + 4]!, s[b + 1]!, s[b + 3]!, s[b + 2]!) & (this.#capacity - 1);
  }

  #grow(): void {
    const old = this.#slots;
    const count = this.#capacity;
    this.#capacity = 2 * count;
    this.#slots = new Int32Array(this.#capacity * WORDS);
    for (let base = 0; base < count * WORDS; base += WORDS) {
      if (old[base + VALUE] === 0) continue;
      const slot = this.#find(
        old[base]!,
        old[base + 4]!,
        old[base + 1]!,
        old[base + 3]!,
        old[base + 2]!,
      );
      this.#slots.set(old.subarray(base, base + WORDS), slot * WORDS);
    }
  }
}

/** Multiplicative mixing with the constants of MurmurHash3's finaliser. */
function hash(
  scope: number,
  protocol: number,
  address: number,
  ports: number,
  peer: number,
): number {
  let h = Math.imul(scope ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(address + protocol, 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 15) ^ ports, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13) ^ peer, 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
