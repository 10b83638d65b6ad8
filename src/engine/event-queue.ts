/**
 * The pending events: a short sorted front before a 4-ary heap, both over (time, order) on typed arrays.
 *
 * Owns: which pending event is next, and the numbers each event carries. Refuses to own: the clock, what
 * an event means, and any check of its arguments (simulation.ts). Nothing is allocated per event: events
 * live in slots that are used again, and a slot's generation tells a live handle from a stale one.
 */
import type { SimTimeNs } from "./time.ts";

/**
 * Names one scheduled event: generation * 2^24 + slot. Never 0, so 0 can mean "none". Once the event has
 * happened or was cancelled, the handle is stale and every use of it answers false.
 */
export type EventHandle = number;

const SLOT_BITS = 24;
const SLOT_LIMIT = 2 ** SLOT_BITS;
const SLOT_MASK = SLOT_LIMIT - 1;
/** Generations wrap here so that a handle stays below 2^53; by then 2^29 events have used the slot. */
const GENERATION_LIMIT = 2 ** 29;
const NOT_PENDING = -1;
/** Position of an event that is in the front, not in the heap. */
const IN_FRONT = -2;
const FRONT_LIMIT = 16;

/** Pending events, smallest (time, order) first. Orders must be unique. */
export class EventQueue {
  /** Event kind by slot; readable after `takeUntil` until the next `add`. */
  kinds: Int32Array;
  /** First argument by slot. */
  as: Int32Array;
  /** Second argument by slot. */
  bs: Int32Array;

  /** Time of the event taken last. */
  takenTime: SimTimeNs = 0;

  /** By heap position: time at 2i, order at 2i + 1, so that one comparison touches one cache line. */
  private keys: Float64Array;
  private slots: Int32Array;
  /** Heap position of a pending event by slot, or IN_FRONT. */
  private positions: Int32Array;
  private generations: Int32Array;
  private freeSlots: Int32Array;
  private freeCount: number;
  private heapCount = 0;
  /**
   * The first few events, last one first: each before all that the heap holds. Most events that a model
   * schedules are due soon; they are put here by moving a few neighbours and never see the heap.
   */
  private readonly frontKeys = new Float64Array(2 * FRONT_LIMIT);
  private readonly frontSlots = new Int32Array(FRONT_LIMIT);
  private frontCount = 0;
  private capacity: number;

  constructor(capacity = 64) {
    this.capacity = capacity;
    this.kinds = new Int32Array(capacity);
    this.as = new Int32Array(capacity);
    this.bs = new Int32Array(capacity);
    this.keys = new Float64Array(2 * capacity);
    this.slots = new Int32Array(capacity);
    this.positions = new Int32Array(capacity);
    this.generations = new Int32Array(capacity).fill(1);
    this.freeSlots = Int32Array.from({ length: capacity }, (_, i) => capacity - 1 - i);
    this.freeCount = capacity;
  }

  /** Number of pending events. */
  get size(): number {
    return this.frontCount + this.heapCount;
  }

  /** Time of the first pending event, or Infinity. */
  firstTime(): SimTimeNs {
    if (this.frontCount > 0) return this.frontKeys[2 * this.frontCount - 2]!;
    return this.heapCount === 0 ? Infinity : this.keys[0]!;
  }

  /** Slot of the event that takeUntil would take; negative when nothing is pending. */
  firstSlot(): number {
    if (this.frontCount > 0) return this.frontSlots[this.frontCount - 1]!;
    return this.heapCount === 0 ? NOT_PENDING : this.slots[0]!;
  }

  /** O(log n). @throws RangeError above 2^24 pending events */
  add(time: SimTimeNs, order: number, kind: number, a: number, b: number): EventHandle {
    const slot = this.post(time, order, kind, a, b);
    return this.generations[slot]! * SLOT_LIMIT + slot;
  }

  /** Adds without making a handle. @returns the slot */
  post(time: SimTimeNs, order: number, kind: number, a: number, b: number): number {
    if (this.freeCount === 0) this.grow();
    const slot = this.freeSlots[--this.freeCount]!;
    this.kinds[slot] = kind;
    this.as[slot] = a;
    this.bs[slot] = b;
    this.insert(time, order, slot);
    return slot;
  }

  /**
   * Takes the first event out if it is due at `untilTime` or before, and sets `takenTime`.
   * @returns its slot, whose kind and arguments stay readable until the next `add`; -1 when nothing is due
   */
  takeUntil(untilTime: SimTimeNs): number {
    if (this.frontCount === 0) {
      if (this.heapCount === 0) return NOT_PENDING;
      this.refill();
    }
    const place = this.frontCount - 1;
    const time = this.frontKeys[2 * place]!;
    if (time > untilTime) return NOT_PENDING;
    this.frontCount = place;
    this.takenTime = time;
    const slot = this.frontSlots[place]!;
    this.release(slot);
    return slot;
  }

  isPending(handle: EventHandle): boolean {
    return this.slotOf(handle) !== NOT_PENDING;
  }

  /** The slot of a pending event, or -1 for a stale handle. */
  slotOf(handle: EventHandle): number {
    const slot = handle & SLOT_MASK;
    const generation = (handle - slot) / SLOT_LIMIT;
    // A slot's generation moves on when its event has happened or was cancelled.
    return this.generations[slot] === generation ? slot : NOT_PENDING;
  }

  /** O(log n). @returns false for a stale handle */
  cancel(handle: EventHandle): boolean {
    const slot = this.slotOf(handle);
    if (slot === NOT_PENDING) return false;
    this.takeOut(slot);
    this.release(slot);
    return true;
  }

  /** O(log n); the event keeps its handle, kind and arguments. @returns false for a stale handle */
  reschedule(handle: EventHandle, time: SimTimeNs, order: number): boolean {
    const slot = this.slotOf(handle);
    if (slot === NOT_PENDING) return false;
    this.takeOut(slot);
    this.insert(time, order, slot);
    return true;
  }

  /** Into the front if it belongs before what the heap holds, else into the heap. */
  private insert(time: number, order: number, slot: number): void {
    if (this.heapCount > 0) {
      const heapTime = this.keys[0]!;
      if (time > heapTime || (time === heapTime && order > this.keys[1]!)) {
        this.siftUp(this.heapCount++, time, order, slot);
        return;
      }
    }
    if (this.frontCount === FRONT_LIMIT) {
      // What is spilled may belong before the new event.
      this.spill();
      this.insert(time, order, slot);
      return;
    }
    const { frontKeys, frontSlots } = this;
    let place = this.frontCount++;
    while (place > 0) {
      const nextTime = frontKeys[2 * place - 2]!;
      const nextOrder = frontKeys[2 * place - 1]!;
      if (nextTime > time || (nextTime === time && nextOrder > order)) break;
      frontKeys[2 * place] = nextTime;
      frontKeys[2 * place + 1] = nextOrder;
      frontSlots[place] = frontSlots[place - 1]!;
      place--;
    }
    frontKeys[2 * place] = time;
    frontKeys[2 * place + 1] = order;
    frontSlots[place] = slot;
    this.positions[slot] = IN_FRONT;
  }

  /** The later half of the front goes into the heap. */
  private spill(): void {
    const { frontKeys, frontSlots } = this;
    const half = FRONT_LIMIT / 2;
    for (let i = 0; i < half; i++) {
      const slot = frontSlots[i]!;
      this.siftUp(this.heapCount++, frontKeys[2 * i]!, frontKeys[2 * i + 1]!, slot);
    }
    frontKeys.copyWithin(0, 2 * half, 2 * FRONT_LIMIT);
    frontSlots.copyWithin(0, half, FRONT_LIMIT);
    this.frontCount -= half;
  }

  /** The first events of the heap go into the empty front. */
  private refill(): void {
    const count = Math.min(FRONT_LIMIT / 2, this.heapCount);
    for (let place = count - 1; place >= 0; place--) {
      const slot = this.slots[0]!;
      this.frontKeys[2 * place] = this.keys[0]!;
      this.frontKeys[2 * place + 1] = this.keys[1]!;
      this.frontSlots[place] = slot;
      this.removeFromHeap(0);
      this.positions[slot] = IN_FRONT;
    }
    this.frontCount = count;
  }

  /** Out of the front or the heap; the slot stays taken. */
  private takeOut(slot: number): void {
    const position = this.positions[slot]!;
    if (position !== IN_FRONT) {
      this.removeFromHeap(position);
      return;
    }
    const { frontKeys, frontSlots } = this;
    const place = frontSlots.indexOf(slot);
    frontKeys.copyWithin(2 * place, 2 * place + 2, 2 * this.frontCount);
    frontSlots.copyWithin(place, place + 1, this.frontCount);
    this.frontCount--;
  }

  private removeFromHeap(position: number): void {
    const last = --this.heapCount;
    if (position !== last) {
      this.replace(position, this.keys[2 * last]!, this.keys[2 * last + 1]!, this.slots[last]!);
    }
  }

  private release(slot: number): void {
    const next = this.generations[slot]! + 1;
    this.generations[slot] = next === GENERATION_LIMIT ? 1 : next;
    this.freeSlots[this.freeCount++] = slot;
  }

  /** Puts a key where another was: it may have to go either way. */
  private replace(position: number, time: number, order: number, slot: number): void {
    const oldTime = this.keys[2 * position]!;
    if (time < oldTime || (time === oldTime && order < this.keys[2 * position + 1]!)) {
      this.siftUp(position, time, order, slot);
    } else {
      this.siftDown(position, time, order, slot);
    }
  }

  private siftUp(start: number, time: number, order: number, slot: number): void {
    const { keys, slots, positions } = this;
    let position = start;
    while (position > 0) {
      const parent = (position - 1) >> 2;
      const parentTime = keys[2 * parent]!;
      if (parentTime < time) break;
      const parentOrder = keys[2 * parent + 1]!;
      if (parentTime === time && parentOrder < order) break;
      const moved = slots[parent]!;
      keys[2 * position] = parentTime;
      keys[2 * position + 1] = parentOrder;
      slots[position] = moved;
      positions[moved] = position;
      position = parent;
    }
    keys[2 * position] = time;
    keys[2 * position + 1] = order;
    slots[position] = slot;
    positions[slot] = position;
  }

  private siftDown(start: number, time: number, order: number, slot: number): void {
    const { keys, slots, positions, heapCount } = this;
    let position = start;
    for (;;) {
      let child = 4 * position + 1;
      if (child >= heapCount) break;
      const end = child + 4 < heapCount ? child + 4 : heapCount;
      let best = child;
      let bestTime = keys[2 * child]!;
      for (child++; child < end; child++) {
        const childTime = keys[2 * child]!;
        if (childTime > bestTime) continue;
        if (childTime === bestTime && keys[2 * child + 1]! > keys[2 * best + 1]!) continue;
        best = child;
        bestTime = childTime;
      }
      const bestOrder = keys[2 * best + 1]!;
      if (time < bestTime || (time === bestTime && order < bestOrder)) break;
      const moved = slots[best]!;
      keys[2 * position] = bestTime;
      keys[2 * position + 1] = bestOrder;
      slots[position] = moved;
      positions[moved] = position;
      position = best;
    }
    keys[2 * position] = time;
    keys[2 * position + 1] = order;
    slots[position] = slot;
    positions[slot] = position;
  }

  private grow(): void {
    const old = this.capacity;
    if (old >= SLOT_LIMIT) throw new RangeError(`more than ${SLOT_LIMIT} pending events`);
    const capacity = Math.min(2 * old, SLOT_LIMIT);
    this.kinds = enlarge(this.kinds, new Int32Array(capacity));
    this.as = enlarge(this.as, new Int32Array(capacity));
    this.bs = enlarge(this.bs, new Int32Array(capacity));
    this.keys = enlarge(this.keys, new Float64Array(2 * capacity));
    this.slots = enlarge(this.slots, new Int32Array(capacity));
    this.positions = enlarge(this.positions, new Int32Array(capacity));
    this.generations = enlarge(this.generations, new Int32Array(capacity).fill(1));
    this.freeSlots = new Int32Array(capacity);
    for (let slot = capacity - 1; slot >= old; slot--) this.freeSlots[this.freeCount++] = slot;
    this.capacity = capacity;
  }
}

function enlarge<T extends Int32Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
