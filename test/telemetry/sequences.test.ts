/**
 * Sequence numbers of captured connections, told from the packets that pass.
 *
 * Seen to fail: with a SYN that is sent again numbered as the next byte, with data that is sent again numbered anew, with a FIN
 * that counts nothing, with what came too early acknowledged at once, and with a RST of a closed port that answers nothing.
 */
import { describe, expect, it } from "vitest";
import { Flag, Packet } from "../../src/network/packet.ts";
import { Sequences } from "../../src/telemetry/pcap/sequences.ts";

const [CLIENT, SERVER] = [1, 2];
let ids = 0;

/** A packet of the client's socket 1, or of the server's 2; between them nothing is translated. */
function packet(from: number, flags: number, more: Partial<Packet> = {}): Packet {
  const ports = from === CLIENT ? [1000, 80] : [80, 1000];
  return Object.assign(new Packet(ids++), {
    source: from,
    sourcePort: ports[0],
    destination: CLIENT + SERVER - from,
    destinationPort: ports[1],
    flags,
    originSocket: from,
    ...more,
  });
}

/** Sequences of a connection whose SYN has arrived and been answered, with the first number of each side. */
function opened() {
  const sequences = new Sequences((socket) => socket);
  const syn = packet(CLIENT, Flag.syn);
  const clientFirst = sequences.of(syn).seq;
  sequences.delivered(syn, SERVER);
  const answer = packet(SERVER, Flag.syn | Flag.ack);
  const { seq: serverFirst, ack } = sequences.of(answer);
  expect(ack).toBe((clientFirst + 1) % 2 ** 32);
  sequences.delivered(answer, CLIENT);
  return { sequences, clientFirst, serverFirst };
}

const data = (from: number, payloadBytes: number, more: Partial<Packet> = {}) =>
  packet(from, Flag.ack | Flag.push, { payloadBytes, ...more });

describe("a connection's numbers", () => {
  it("begin anywhere and go on by the byte", () => {
    const { sequences, clientFirst, serverFirst } = opened();
    const first = sequences.of(data(CLIENT, 100));
    expect([first.seq, first.ack]).toEqual([clientFirst + 1, serverFirst + 1]);
    expect(sequences.of(data(CLIENT, 50)).seq).toBe(clientFirst + 101);
    expect(clientFirst).not.toBe(serverFirst);
  });

  it("are the same for what is sent again", () => {
    const { sequences, clientFirst } = opened();
    const [one, two] = [data(CLIENT, 100), data(CLIENT, 30)];
    for (const each of [one, two]) sequences.of(each);
    sequences.lost(one);
    expect(sequences.of(data(CLIENT, 100, { attempt: 1 })).seq).toBe(clientFirst + 1);
    expect(sequences.of(data(CLIENT, 10)).seq).toBe(clientFirst + 131);

    const again = new Sequences((socket) => socket);
    const syn = packet(CLIENT, Flag.syn);
    const { seq } = again.of(syn);
    again.lost(syn);
    expect(again.of(packet(CLIENT, Flag.syn, { attempt: 1 })).seq).toBe(seq);
  });

  it("acknowledge what has come without a gap, and a FIN as one", () => {
    const { sequences, clientFirst } = opened();
    const [one, two] = [data(CLIENT, 100), data(CLIENT, 30)];
    for (const each of [one, two]) sequences.of(each);
    sequences.delivered(two, SERVER);
    expect(sequences.of(data(SERVER, 1)).ack).toBe(clientFirst + 1);
    sequences.delivered(one, SERVER);
    expect(sequences.of(data(SERVER, 1)).ack).toBe(clientFirst + 131);
    const fin = packet(CLIENT, Flag.ack | Flag.fin);
    sequences.of(fin);
    sequences.delivered(fin, SERVER);
    expect(sequences.of(data(SERVER, 1)).ack).toBe(clientFirst + 132);
  });

  it("of a closed port's RST answer what came to it", () => {
    const sequences = new Sequences((socket) => socket);
    const syn = packet(CLIENT, Flag.syn);
    const { seq } = sequences.of(syn);
    sequences.delivered(syn, SERVER);
    const rst = packet(SERVER, Flag.rst, { originSocket: -1 });
    expect(sequences.of(rst)).toMatchObject({ seq: 0, ack: seq + 1 });
    const open = opened();
    const late = data(CLIENT, 10);
    const { ack } = open.sequences.of(late);
    open.sequences.delivered(late, SERVER);
    expect(open.sequences.of(packet(SERVER, Flag.rst, { originSocket: -1 }))).toMatchObject({
      seq: ack,
      ack: 0,
    });
  });
});
