/**
 * A followed request as spans: its tries, what each waited for, its packets and their hops.
 *
 * Owns: the words. What a client waits for in a try is one thing after another: the connection, the request's way, the
 * server's queue, its work, the answer's way. Packets stand beside that, each with its hops and queues.
 */
import type { Directory } from "../../observe/directory.ts";
import { Outcome, outcomeNames } from "../../observe/index.ts";
import type { TraceStep } from "../../inspect/trace/record.ts";
import { TransportProtocol } from "../../network/nat.ts";
import { Flag } from "../../network/packet.ts";
import type { FollowedPacket, FollowedRequest, FollowedTry } from "./follower.ts";
import type { Actor, Attribute, Span, SpanTree } from "./span.ts";

const NETWORK: Actor = { kind: "network", name: "network" };

export function requestTree({ request, tries }: FollowedRequest, directory: Directory): SpanTree {
  const { number, client, service, outcome, startedAtNs, endedAtNs, attempts, isStale } = request;
  const actor: Actor = { kind: "client", name: client };
  const failure = failureOf(outcome);
  const root: Span = {
    name: `request ${number} to ${service}: ${outcomeNames[outcome]}`,
    actor,
    startNs: startedAtNs,
    endNs: endedAtNs,
    attributes: {
      "podstorm.request": number,
      "podstorm.client": client,
      "podstorm.service": service,
      "podstorm.outcome": outcomeNames[outcome]!,
      "podstorm.attempts": attempts,
      "podstorm.stale_routed": isStale,
    },
    ...failure,
    children: tryChildren(tries, request, actor, directory),
  };
  return { key: `request ${number}`, group: `client ${client}`, root };
}

/** The tries, and what was waited for between them. */
function tryChildren(
  tries: readonly FollowedTry[],
  { startedAtNs, endedAtNs, client }: FollowedRequest["request"],
  actor: Actor,
  directory: Directory,
): Span[] {
  const spans: Span[] = [];
  let sinceNs = startedAtNs;
  for (const [index, each] of tries.entries()) {
    if (each.startedAtNs > sinceNs) {
      const name = index === 0 ? "look up the name" : "back off";
      spans.push(plain(name, actor, sinceNs, each.startedAtNs));
    }
    sinceNs = each.endedAtNs ?? endedAtNs;
    spans.push(tryOf(each, index + 1, sinceNs, { actor, directory, client }));
  }
  if (tries.length === 0) spans.push(plain("look up the name", actor, startedAtNs, endedAtNs));
  return spans;
}

function tryOf(
  own: FollowedTry,
  number: number,
  endNs: number,
  { actor, directory }: { actor: Actor; directory: Directory; client: string },
): Span {
  const known = own.endpoint < 0 ? null : directory.endpoint(own.endpoint);
  const attributes: Record<string, Attribute> = {
    "podstorm.try": number,
    "podstorm.connection": own.isNew ? "new" : "kept",
  };
  if (own.outcome !== null) attributes["podstorm.outcome"] = outcomeNames[own.outcome]!;
  if (known !== null) {
    attributes["podstorm.endpoint"] = known.address;
    attributes["k8s.pod.name"] = known.pod;
    attributes["k8s.node.name"] = known.node;
    const node = directory.nodes[own.node];
    if (node !== undefined) attributes["podstorm.routed_by"] = node;
  }
  const server: Actor =
    known === null ? NETWORK : { kind: "server", name: directory.service(known.service) };
  return {
    name: `try ${number}`,
    actor,
    startNs: own.startedAtNs,
    endNs,
    attributes,
    ...(own.outcome === null ? {} : failureOf(own.outcome)),
    children: phasesOf(own, endNs, actor, server, attributes),
    caused: own.packets.filter(({ recorder }) => recorder.steps.length > 0).map(packetSpan),
  };
}

/** What was waited for, one after another, until the try ended. */
function phasesOf(
  { startedAtNs, isNew, times }: FollowedTry,
  endNs: number,
  client: Actor,
  server: Actor,
  about: Readonly<Record<string, Attribute>>,
): Span[] {
  const isThere = times.requestArrived !== undefined;
  const phases: readonly (readonly [string, Actor, number | undefined])[] = [
    ["connect", client, isNew ? (times.connected ?? times.requestSent) : startedAtNs],
    ["request on its way", client, times.requestArrived],
    ["wait in the server's queue", server, times.serviceStarted],
    ["serve", server, times.answerSent],
    ["answer on its way", client, times.answerArrived],
  ];
  const spans: Span[] = [];
  let sinceNs = startedAtNs;
  for (const [name, actor, untilNs] of phases) {
    const stopNs = Math.min(untilNs ?? endNs, endNs);
    // What a try did not come to is not waited for; a part without time is not shown.
    const skips = name.startsWith("wait in") && isThere && times.serviceStarted === undefined;
    if (stopNs > sinceNs && !skips) {
      const own = actor.kind === "server" ? placeOf(about) : {};
      spans.push({ ...plain(name, actor, sinceNs, stopNs), attributes: own });
      sinceNs = stopNs;
    }
    if (untilNs === undefined && !skips) break;
  }
  return spans;
}

function placeOf(about: Readonly<Record<string, Attribute>>): Record<string, Attribute> {
  const keys = ["k8s.pod.name", "k8s.node.name", "podstorm.endpoint"];
  return Object.fromEntries(keys.flatMap((key) => (key in about ? [[key, about[key]!]] : [])));
}

function packetSpan({ recorder, ...packet }: FollowedPacket): Span {
  const { steps, sentAtNs, verdict } = recorder;
  const flow = recorder.flowOf(recorder.first!);
  const isLost = verdict !== null && verdict.kind !== "delivered";
  const startNs = sentAtNs + steps[0]!.afterNs;
  const last = steps.at(-1)!;
  const endNs = sentAtNs + Math.max(verdict?.afterNs ?? 0, last.afterNs + tookNs(last));
  const how = verdict === null ? "under way" : verdict.kind;
  return {
    name: `${nameOf(packet)} ${packet.isOut ? "out" : "back"}`,
    actor: NETWORK,
    startNs,
    endNs,
    attributes: {
      "podstorm.source": flow.source,
      "podstorm.destination": flow.destination,
      "podstorm.bytes": packet.payloadBytes,
      "podstorm.segments": packet.segments,
      "podstorm.retransmission": packet.attempt,
      "podstorm.end": how,
      ...(verdict === null ? {} : { "podstorm.place": verdict.place }),
    },
    ...(isLost ? { error: `${verdict.cause} at ${verdict.place}` } : {}),
    children: steps.filter(({ kind }) => kind !== "route").map((step) => stepSpan(step, sentAtNs)),
  };
}

const icmpNames: readonly (readonly [number, string])[] = [
  [Flag.icmpPortUnreachable, "ICMP port unreachable"],
  [Flag.icmpHostUnreachable, "ICMP host unreachable"],
  [Flag.icmpNetUnreachable, "ICMP network unreachable"],
];

function nameOf({
  flags,
  protocol,
  payloadBytes,
}: Pick<FollowedPacket, "flags" | "protocol" | "payloadBytes">): string {
  const icmp = icmpNames.find(([flag]) => (flags & flag) !== 0);
  if (icmp !== undefined) return icmp[1];
  if (protocol === TransportProtocol.UDP) return `datagram of ${payloadBytes} B`;
  const words = [
    ...((flags & Flag.syn) !== 0 ? ["SYN"] : []),
    ...((flags & Flag.rst) !== 0 ? ["RST"] : []),
    ...(payloadBytes > 0 ? [`data of ${payloadBytes} B`] : []),
    ...((flags & Flag.fin) !== 0 ? ["FIN"] : []),
    ...((flags & Flag.ack) !== 0 && payloadBytes === 0 ? ["ACK"] : []),
  ];
  return words.join(" ");
}

function tookNs(step: TraceStep): number {
  if (step.kind === "hop") return step.waitNs + step.sendNs + step.latencyNs;
  return step.kind === "netfilter" ? step.walkNs : 0;
}

function stepSpan(step: TraceStep, sentAtNs: number): Span {
  const startNs = sentAtNs + step.afterNs;
  const span = plain("", NETWORK, startNs, startNs + tookNs(step));
  if (step.kind === "hop") {
    const { hop, hopKind, waitNs, sendNs, latencyNs, place } = step;
    const attributes = { place, queue_ns: waitNs, send_ns: sendNs, latency_ns: latencyNs };
    const queued = waitNs > 0 ? [plain("queue", NETWORK, startNs, startNs + waitNs)] : [];
    return { ...span, name: `${hopKind} ${hop}`, attributes, children: queued };
  }
  if (step.kind !== "netfilter") return { ...span, name: step.kind };
  const { before, after, point, place, verdict, cause, isKnown } = step;
  const attributes: Record<string, Attribute> = { place, known_to_conntrack: isKnown, verdict };
  if (before.destination !== after.destination) {
    attributes["dnat"] = `${before.destination} to ${after.destination}`;
  }
  if (before.source !== after.source) attributes["snat"] = `${before.source} to ${after.source}`;
  const error = verdict === "pass" ? {} : { error: cause };
  return { ...span, name: `netfilter ${point} ${place}`, attributes, ...error };
}

function plain(name: string, actor: Actor, startNs: number, endNs: number): Span {
  return { name, actor, startNs, endNs, attributes: {}, children: [] };
}

function failureOf(outcome: number): { readonly error?: string } {
  return outcome === Outcome.served ? {} : { error: outcomeNames[outcome]! };
}
