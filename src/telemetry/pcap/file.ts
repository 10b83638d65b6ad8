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

export class PcapFile {
  readonly #records: { readonly atNs: SimTimeNs; readonly bytes: Uint8Array }[] = [];

  /** @returns the frame's bytes, which may still be written to */
  add(atNs: SimTimeNs, frame: Uint8Array, wholeBytes: number): Uint8Array {
    const bytes = new Uint8Array(RECORD_BYTES + frame.length);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, Math.floor(atNs / 1e9));
    view.setUint32(4, atNs % 1e9);
    view.setUint32(8, frame.length);
    view.setUint32(12, wholeBytes);
    bytes.set(frame, RECORD_BYTES);
    this.#records.push({ atNs, bytes });
    return bytes.subarray(RECORD_BYTES);
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
    // Stable: of those at one instant the first to be told is first.
    for (const { bytes } of this.#records.toSorted((a, b) => a.atNs - b.atNs)) yield bytes;
  }
}
