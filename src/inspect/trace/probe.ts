/**
 * A trace: one real first packet sent through a run at the instant that it has come to: a SYN, an INIT or a datagram.
 *
 * Owns: sending it from a socket of its own, following it until its fate is known, and then a little for what
 * the sender is told. Refuses to own: its way, which is the stack's. The run goes on with a connection that
 * its scenario does not have, so its results are nobody's: it is thrown away.
 */
import { ms, seconds, type SimTimeNs } from "../../engine/index.ts";
import { RoutedRules } from "../../kubernetes/proxy/natRules.ts";
import type { AddressId } from "../../network/address.ts";
import type { Namespace } from "../../network/host.ts";
import { TransportProtocol } from "../../network/nat.ts";
import type { Socket, SocketError, SocketHandler } from "../../network/socket.ts";
import type { Run } from "../../scenario/compile.ts";
import { optionMistake, UserError } from "../../scenario/index.ts";
import type { ResolvedScenario } from "../../scenario/resolved.ts";
import { Places, type Target } from "./places.ts";
import { protocolNames, type ConnectStep, type Trace } from "./record.ts";
import { PacketRecorder, type PacketView } from "./recorder.ts";
import { NodeRuleBook } from "./ruleBook.ts";

export interface TraceRequest {
  readonly from: string;
  readonly to: string;
  /** Where both ends have two; without: the target's primary one. */
  readonly family?: 4 | 6;
}

/** A packet that is held for a neighbour is given up after 3 s; queues are shorter. */
const LONGEST_WAY_NS = seconds(10);
/** What an error message may take to come back. */
const LONGEST_ERROR_NS = ms(100);
/** Payload of a datagram. */
const DATAGRAM_BYTES = 64;

/** @throws UserError for places that do not exist at this instant */
export function traceFirstPacket(
  run: Run,
  scenario: ResolvedScenario,
  request: TraceRequest,
): Trace {
  const { sim, transport, stack } = run;
  const { network } = transport;
  const places = new Places(run, scenario);
  const from = places.origin(request.from);
  const familyOf = (id: AddressId): 4 | 6 => network.addresses.family(id);
  const family =
    request.family ??
    (from === null ? null : soleFamily(from, familyOf, network.addresses.loopback));
  const target = places.target(request.to, family);
  if (from === null || target === null) throw new UserError(places.mistakes);
  const rules = new NodeRuleBook(run, scenario);
  const recorder = new PacketRecorder(network, places.placeOf, rules);
  const atNs = sim.nowNs;
  const answer = new Answer(() => sim.nowNs - atNs);
  stack.tap = recorder;
  const { address, port, protocol } = target;
  const socket = transport.connect(from, address, port, answer, 0, protocol);
  if (socket === null) {
    const found = `${places.placeOf(from)} cannot open a socket to it`;
    throw new UserError([optionMistake("--to", found, "an address of a family that it has")]);
  }
  const place = places.placeOf(from);
  const connect = stepAtConnect(run, rules, socket, recorder, place, target);
  const isDatagram = protocol === TransportProtocol.UDP;
  if (isDatagram && connect?.verdict !== "reject") {
    transport.send(socket, DATAGRAM_BYTES, 0, 0, false);
  }
  const flow = recorder.flowOf(recorder.first ?? viewOfSocket(socket));
  runWhile(run, atNs + LONGEST_WAY_NS, () => recorder.verdict === null && answer.outcome === null);
  // An answer that comes once the SYN goes again is none to this packet.
  const againNs = atNs + network.profile.tcp.initialRtoNs;
  const untilNs = Math.max(againNs - 1, sim.nowNs + LONGEST_ERROR_NS);
  // What a server would make of the datagram is not looked at: it is none of its own clients'.
  const isOver = (): boolean => isDatagram && recorder.verdict?.kind === "delivered";
  runWhile(run, untilNs, () => answer.outcome === null && !isOver());
  stack.tap = null;
  return {
    scenario: scenario.name,
    seed: scenario.seed,
    atNs,
    from: place,
    to: request.to,
    protocol: protocolNames[protocol],
    aimedAt: recorder.textOf(target.address, target.port),
    flow,
    steps: connect === null ? recorder.steps : [connect, ...recorder.steps],
    verdict:
      recorder.verdict ??
      (recorder.first === null && connect !== null ? refusedAt(place, connect) : recorder.giveUp()),
    answer: answer.outcome,
  };
}

/** What the rules at the sockets of a host have made of a connect(); null where there are none. */
function stepAtConnect(
  run: Run,
  rules: NodeRuleBook,
  socket: Socket,
  recorder: PacketRecorder,
  place: string,
  { address, port }: Target,
): ConnectStep | null {
  const host = run.transport.network.hosts[socket.namespace!.host]!;
  const { socketNat } = host;
  if (!(socketNat instanceof RoutedRules)) return null;
  const after = viewOfSocket(socket);
  const before = { ...after, destination: address, destinationPort: port };
  const { verdict, cause } = socketNat.route;
  return {
    kind: "connect",
    place,
    afterNs: 0,
    before: recorder.flowOf(before),
    after: recorder.flowOf(after),
    rules: rules.matched(host, "CONNECT", before, after),
    verdict: verdict === "reject" ? "reject" : "pass",
    cause: verdict === "reject" ? cause : "",
  };
}

function viewOfSocket({
  protocol,
  localAddress,
  localPort,
  remoteAddress,
  remotePort,
}: Socket): PacketView {
  return {
    protocol,
    source: localAddress,
    sourcePort: localPort,
    destination: remoteAddress,
    destinationPort: remotePort,
  };
}

/** connect() has failed: there was no packet. */
function refusedAt(place: string, { cause }: ConnectStep): Trace["verdict"] {
  return { kind: "rejected", place, cause, afterNs: 0 };
}

function runWhile({ sim }: Run, untilNs: SimTimeNs, goesOn: () => boolean): void {
  while (goesOn() && sim.peekTimeNs() <= untilNs && sim.step());
}

/** The family of a namespace that has one only; null for both. */
function soleFamily(
  { addresses }: Namespace,
  familyOf: (address: AddressId) => 4 | 6,
  loopback: AddressId,
): 4 | 6 | null {
  const families = new Set([...addresses].filter((each) => each !== loopback).map(familyOf));
  return families.size === 1 ? [...families][0]! : null;
}

/** The sender's side of the probe. */
class Answer implements SocketHandler {
  outcome: Trace["answer"] = null;
  readonly #afterNs: () => number;

  constructor(afterNs: () => number) {
    this.#afterNs = afterNs;
  }

  connected(): void {
    this.outcome = { outcome: "connected", afterNs: this.#afterNs() };
  }

  failed(_socket: unknown, error: SocketError): void {
    this.outcome = { outcome: error, afterNs: this.#afterNs() };
  }

  message(): void {}

  peerClosed(): void {}
}
