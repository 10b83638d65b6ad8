/**
 * The pcap file format with nanoseconds (magic 0xa1b23c4d, draft-ietf-opsawg-pcap).
 *
 * Owns: records in order of time, whatever order they came in.
 */
import type { SimTimeNs } from "../../engine/index.ts";

const MAGIC_NANOSECONDS = 0xa1b23c4d;
const LINKTYPE_ETHERNET = 1;
const SNAP_BYTES = 65_535;
const RECORD_BYTES = 16;
/** Records are put together in blocks: an object for each would be a load for the garbage collector. */
const BLOCK_BYTES = 1 << 20;
/** Largest record, headers only: Ethernet 14, IPv6 with a fragment header 48, TCP with options 40. */
const MOST_RECORD_BYTES = RECORD_BYTES + 128;

export class PcapFile {
  readonly #blocks: Uint8Array[] = [];
  #free = BLOCK_BYTES;
  /** By record: when, where it begins, and how long it is. */
  readonly #atNs: SimTimeNs[] = [];
  readonly #offsets: number[] = [];
  readonly #lengths: number[] = [];

  /** @returns the frame's bytes, which may still be written to */
  add(atNs: SimTimeNs, frame: Uint8Array, wholeBytes: number): Uint8Array {
    if (this.#free + MOST_RECORD_BYTES > BLOCK_BYTES) {
      this.#blocks.push(new Uint8Array(BLOCK_BYTES));
      this.#free = 0;
    }
    const block = this.#blocks.at(-1)!;
    const from = this.#free;
    const view = new DataView(block.buffer, from);
    view.setUint32(0, Math.floor(atNs / 1e9));
    view.setUint32(4, atNs % 1e9);
    view.setUint32(8, frame.length);
    view.setUint32(12, wholeBytes);
    block.set(frame, from + RECORD_BYTES);
    this.#free += RECORD_BYTES + frame.length;
    this.#atNs.push(atNs);
    this.#offsets.push((this.#blocks.length - 1) * BLOCK_BYTES + from);
    this.#lengths.push(RECORD_BYTES + frame.length);
    return block.subarray(from + RECORD_BYTES, this.#free);
  }

  *chunks(): Generator<Uint8Array> {
    const header = new Uint8Array(24);
    const view = new DataView(header.buffer);
    view.setUint32(0, MAGIC_NANOSECONDS);
    view.setUint16(4, 2);
    view.setUint16(6, 4);
    view.setUint32(16, SNAP_BYTES);
    view.setUint32(20, LINKTYPE_ETHERNET);
    yield header;
    // Of those at one instant the first to be told is first.
    const order = Uint32Array.from(this.#atNs, (_, i) => i);
    order.sort((a, b) => this.#atNs[a]! - this.#atNs[b]! || a - b);
    let [chunk, filled] = [new Uint8Array(BLOCK_BYTES), 0];
    for (const record of order) {
      const [offset, length] = [this.#offsets[record]!, this.#lengths[record]!];
      if (filled + length > BLOCK_BYTES) {
        yield chunk.subarray(0, filled);
        [chunk, filled] = [new Uint8Array(BLOCK_BYTES), 0];
      }
      const block = this.#blocks[Math.floor(offset / BLOCK_BYTES)]!;
      const from = offset % BLOCK_BYTES;
      chunk.set(block.subarray(from, from + length), filled);
      filled += length;
    }
    yield chunk.subarray(0, filled);
  }
}
