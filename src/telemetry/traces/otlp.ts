/**
 * OTLP traces as JSON (opentelemetry-proto, trace/v1, and the JSON mapping of the OTLP specification: ids in hex, 64-bit
 * integers as text), what a collector's OTLP receiver and Jaeger take.
 *
 * Owns: ids, which are the same in every run of the scenario, and which resource a span belongs to. Tracks and counters of the
 * control plane have no place in the format; endpoint changes are traces of their own.
 */
import { createHash } from "node:crypto";
import type { Actor, Attribute, Span, SpanTree, TraceContents } from "./span.ts";

const kinds: Readonly<Record<Actor["kind"], number>> = {
  client: 3,
  server: 2,
  network: 1,
  "control plane": 1,
};

const STATUS_ERROR = 2;

/** Spans by the actor's name. */
type ByResource = Map<string, object[]>;

export function* otlpText({ requests, changes, about }: TraceContents): Generator<string> {
  const byResource: ByResource = new Map();
  const run = `${String(about["scenario"])} ${String(about["seed"])} ${String(about["replication"])}`;
  for (const tree of [...requests, ...changes]) addTree(tree, run, byResource);
  const scope = { name: "podstorm", version: about["podstorm"], attributes: listed(about) };
  yield '{"resourceSpans":[\n';
  let separator = "";
  for (const [name, spans] of byResource) {
    const resource = JSON.stringify({ attributes: listed({ "service.name": name }) });
    yield `${separator}{"resource":${resource},"scopeSpans":[{"scope":${JSON.stringify(scope)},"spans":[\n`;
    yield spans.map((span) => JSON.stringify(span)).join(",\n");
    yield "\n]}]}";
    separator = ",\n";
  }
  yield "\n]}\n";
}

function addTree({ key, root }: SpanTree, run: string, byResource: ByResource): void {
  const traceId = hash(`${run} ${key}`).slice(0, 32);
  let spans = 0;
  const add = (span: Span, parentSpanId: string): void => {
    const spanId = hash(`${traceId} ${spans++}`).slice(0, 16);
    const { name, actor, startNs, endNs, attributes, error, children, caused = [] } = span;
    const own = byResource.get(actor.name) ?? [];
    byResource.set(actor.name, own);
    own.push({
      traceId,
      spanId,
      ...(parentSpanId === "" ? {} : { parentSpanId }),
      name,
      kind: kinds[actor.kind],
      startTimeUnixNano: String(startNs),
      endTimeUnixNano: String(endNs),
      attributes: listed(attributes),
      status: error === undefined ? {} : { code: STATUS_ERROR, message: error },
    });
    for (const child of [...children, ...caused]) add(child, spanId);
  };
  add(root, "");
}

function listed(attributes: Readonly<Record<string, Attribute>>): object[] {
  return Object.entries(attributes).map(([key, value]) => ({ key, value: valueOf(value) }));
}

function valueOf(value: Attribute): object {
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value };
}

function hash(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
