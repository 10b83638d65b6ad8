/**
 * Following the first packet of a connection that the run itself opens.
 *
 * Owns: knowing it by its socket, and how long it is followed. Refuses to own: its way, which is the stack's. Nothing is
 * sent: the run stays what it is.
 */
import { seconds } from "../../engine/index.ts";
import { Flag, type Packet } from "../../network/packet.ts";
import { TransportProtocol } from "../../network/nat.ts";
import type { Run } from "../../scenario/compile.ts";
import type { ResolvedScenario } from "../../scenario/resolved.ts";
import { Places } from "./places.ts";
import { NodeRuleBook } from "./ruleBook.ts";
import { protocolNames, type Trace } from "./record.ts";
import { PacketRecorder } from "./recorder.ts";

/** A packet that is held for a neighbour is given up after 3 s; queues are shorter. */
const LONGEST_WAY_NS = seconds(10);

/**
 * @param run just before the socket is opened
 * @param to what its owner calls, for the record
 * @returns null when it sends nothing in the time that is looked at
 */
export function followSocket(
  run: Run,
  scenario: ResolvedScenario,
  socket: number,
  to: string,
): Trace | null {
  const { sim, transport, stack } = run;
  const { network } = transport;
  const places = new Places(run, scenario);
  const recorder = new PacketRecorder(
    network,
    places.placeOf,
    new NodeRuleBook(run, scenario),
    (packet) => opens(packet, socket),
  );
  stack.tap = recorder;
  const untilNs = sim.nowNs + LONGEST_WAY_NS;
  while (recorder.verdict === null && sim.peekTimeNs() <= untilNs && sim.step());
  stack.tap = null;
  const { first } = recorder;
  if (first === null) return null;
  const flow = recorder.flowOf(first);
  const from = transport.sockets.all[socket]?.namespace ?? null;
  return {
    scenario: scenario.name,
    seed: scenario.seed,
    atNs: recorder.sentAtNs,
    from: from === null ? flow.source : places.placeOf(from),
    to,
    protocol: protocolNames[first.protocol],
    aimedAt: flow.destination,
    flow,
    steps: recorder.steps,
    verdict: recorder.verdict ?? recorder.giveUp(),
    answer: null,
  };
}

function opens({ originSocket, protocol, flags }: Packet, socket: number): boolean {
  if (originSocket !== socket) return false;
  if (protocol === TransportProtocol.UDP) return true;
  return (flags & Flag.syn) !== 0 && (flags & Flag.ack) === 0;
}
