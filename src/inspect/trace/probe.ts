/**
 * A trace: one real SYN sent through a run at the instant that it has come to.
 *
 * Owns: sending it from a socket of its own, following it until its fate is known, and then a little for what
 * the sender is told. Refuses to own: its way, which is the stack's. The run goes on with a connection that
 * its scenario does not have, so its results are nobody's: it is thrown away.
 */
import { ms, seconds, type SimTimeNs } from "../../engine/index.ts";
import { RoutedRules } from "../../kubernetes/proxy/natRules.ts";
import type { AddressId } from "../../network/address.ts";
import type { Host, Namespace } from "../../network/host.ts";
import type { NatHookPoint } from "../../network/nat.ts";
import type { Socket, SocketError, SocketHandler } from "../../network/socket.ts";
import type { Run } from "../../scenario/compile.ts";
import { optionMistake, UserError } from "../../scenario/index.ts";
import type { ResolvedScenario } from "../../scenario/resolved.ts";
import { programmedOn, rulesOn } from "../node.ts";
import { walk, type MatchedRule } from "../rules/walk.ts";
import { Places, type Target } from "./places.ts";
import type { ConnectStep, Trace } from "./record.ts";
import { PacketRecorder, type PacketView } from "./recorder.ts";

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
  const recorder = new PacketRecorder(network, places.placeOf, (host, point, before, after) =>
    explainRules(run, scenario, host, point, before, after),
  );
  const atNs = sim.nowNs;
  const answer = new Answer(() => sim.nowNs - atNs);
  stack.tap = recorder;
  const socket = transport.connect(from, target.address, target.port, answer, 0);
  if (socket === null) {
    const found = `${places.placeOf(from)} cannot open a socket to it`;
    throw new UserError([optionMistake("--to", found, "an address of a family that it has")]);
  }
  const place = places.placeOf(from);
  const connect = stepAtConnect(run, scenario, socket, recorder, place, target);
  const flow = recorder.flowOf(recorder.first ?? viewOfSocket(socket));
  runWhile(run, atNs + LONGEST_WAY_NS, () => recorder.verdict === null && answer.outcome === null);
  // An answer that comes once the SYN goes again is none to this packet.
  const againNs = atNs + network.profile.tcp.initialRtoNs;
  const untilNs = Math.max(againNs - 1, sim.nowNs + LONGEST_ERROR_NS);
  runWhile(run, untilNs, () => answer.outcome === null);
  stack.tap = null;
  return {
    scenario: scenario.name,
    seed: scenario.seed,
    atNs,
    from: place,
    to: request.to,
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
  scenario: ResolvedScenario,
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
    rules: explainRules(run, scenario, host, "CONNECT", before, after),
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

/** The rules that the node's kernel would have matched, walked to the endpoint that the run has chosen. */
export function explainRules(
  run: Run,
  scenario: ResolvedScenario,
  host: Host,
  point: NatHookPoint,
  before: PacketView,
  after: PacketView,
): readonly MatchedRule[] {
  if (run.cluster.proxies[host.index] === undefined) return [];
  const { addresses } = run.transport.network;
  const family = addresses.family(before.destination);
  const { view, kernel } = programmedOn(run, host.index, family);
  const isTranslated =
    before.destination !== after.destination || before.destinationPort !== after.destinationPort;
  const judge = point === "CONNECT" ? kernel?.socketNat : kernel?.nat;
  const decided = judge instanceof RoutedRules ? judge.route : null;
  // Lost after the rules had let it through: conntrack or the ports of SNAT were full.
  if (decided?.verdict === "endpoints" && !isTranslated) return [];
  const text = addresses.text(after.destination);
  const endpoint = `${family === 6 ? `[${text}]` : text}:${after.destinationPort}`;
  const packet = {
    ...before,
    isMarked: false,
    chosen: isTranslated ? endpoint : null,
    isRemembered: decided?.isRemembered ?? false,
  };
  const isOwn = (address: AddressId): boolean => view.isOwn(address) || view.isLoopback(address);
  return walk(rulesOn(run, scenario, host.index, family), point, packet, isOwn).matched;
}
