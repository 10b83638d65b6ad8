/**
 * The calls of servers against the rest of the cluster: which Service each goes to, and that they end.
 *
 * Owns: one caller for each server and each thing that it calls in one way, with a name for the results; and finding
 * calls that go in a circle. Refuses to own: the fields of a call (schema/calling.ts).
 */
import { objectKey } from "../kubernetes/api/types.ts";
import type { FileMistakes, Path } from "./mistakes.ts";
import type { ResolvedCall, ResolvedServer, ServiceTarget } from "./resolved.ts";
import type { CallPart } from "./schema/calling.ts";
import { DNS_SCHEME, resolver } from "./schema/scenario.ts";
import { kindsByPair, kindsMatching, podKinds } from "./services.ts";
import { resolverOf } from "./names.ts";
import { callingOf, resolveTarget, type KnownNames } from "./targets.ts";

/** How a pod of namespace default looks a name up, where nobody says otherwise. */
const STANDARD = resolver.parse({});

/** A server that was read, with its place. */
export interface PlacedServer {
  readonly server: ResolvedServer;
  /** As the author named it: "deploy/web". */
  readonly reference: string;
  readonly path: Path;
}

export interface ResolvedCalls {
  readonly servers: ResolvedServer[];
  /** Empty where no server calls. */
  readonly calls: readonly ResolvedCall[];
}

export function resolveCalls(
  placed: readonly PlacedServer[],
  known: KnownNames,
  zone: string | null,
  mistakes: FileMistakes,
): ResolvedCalls {
  const calls: ResolvedCall[] = [];
  const servers = placed.map((each) => {
    const { server } = each;
    if (server.kind !== "requests" || server.calls === undefined) return server;
    const first = calls.length;
    const stages = server.calls.map((stage, index) =>
      stage.flatMap((part, i) => {
        const own = mistakes.within([
          ...each.path,
          "calls",
          index,
          ...(stage.length > 1 ? [i] : []),
        ]);
        const target = targetOf(part, known, zone, own);
        if (target === null) return [];
        const caller = callerOf(part, { to: target, zone }, each, calls, first);
        return [{ caller, probability: part.probability }];
      }),
    );
    return { ...server, stages };
  });
  reportCircles(placed, calls, known, mistakes);
  return { servers, calls };
}

function targetOf(
  part: CallPart,
  known: KnownNames,
  zone: string | null,
  own: FileMistakes,
): ServiceTarget | null {
  const to = { ...wayOf(part), node: null };
  const { search, ndots } = STANDARD;
  const rules = { zone, search, ndots };
  const target = resolveTarget(to, known.services, known.objects, own, rules);
  return target !== null && "service" in target ? target : null;
}

/** By a ClusterIP, or by what DNS says. */
function wayOf({ to }: CallPart): {
  readonly reference: string;
  readonly via: "clusterIP" | "dns";
} {
  const isName = to.startsWith(DNS_SCHEME);
  return isName
    ? { reference: to.slice(DNS_SCHEME.length), via: "dns" }
    : { reference: to, via: "clusterIP" };
}

/** Index of the caller, which may be there from another stage: a process has one pool for a target. */
function callerOf(
  part: CallPart,
  { to, zone }: { readonly to: ServiceTarget; readonly zone: string | null },
  { server, reference }: PlacedServer,
  calls: ResolvedCall[],
  first: number,
): number {
  const call: Omit<ResolvedCall, "name"> = {
    workload: server.workload,
    to,
    ...(zone !== null &&
      resolverOf({ to: { ...wayOf(part), node: null }, resolver: STANDARD }, zone)),
    ...callingOf(part),
    isOptional: part.optional,
  };
  const key = JSON.stringify(call);
  const same = calls.findIndex((other, index) => {
    return index >= first && JSON.stringify({ ...other, name: undefined }) === key;
  });
  if (same >= 0) return same - first;
  const name = `${shortName(reference)} -> ${shortName(part.to)}`;
  const others = calls.filter((each) => each.name.replace(/ \(\d+\)$/, "") === name).length;
  // The name last: above it is compared without.
  calls.push({ ...call, name: others === 0 ? name : `${name} (${others + 1})` });
  return calls.length - 1 - first;
}

/** "shop/deploy/web:80" as "shop/web". */
function shortName(text: string): string {
  if (text.startsWith(DNS_SCHEME)) return text.slice(DNS_SCHEME.length).replace(/:\d+$/, "");
  return text.replace(/:[^:]*$/, "").replace(/(^|\/)[a-z]+\/([^/]*)$/, "$1$2");
}

/** Calls that come back to where they began would never end. */
function reportCircles(
  placed: readonly PlacedServer[],
  calls: readonly ResolvedCall[],
  { services, objects }: KnownNames,
  mistakes: FileMistakes,
): void {
  if (calls.length === 0) return;
  const kinds = podKinds(objects);
  const byPair = kindsByPair(kinds);
  const byKey = new Map(services.map((service) => [objectKey(service), service]));
  const behind = new Map<string, readonly string[]>();
  for (const { to } of calls) {
    if (behind.has(to.service)) continue;
    const service = byKey.get(to.service);
    const selector = service?.spec.selector ?? null;
    const [pair] = Object.entries(selector ?? {});
    const near = pair === undefined ? [] : (byPair.get(pair.join("=")) ?? []);
    const matching =
      service === undefined || selector === null
        ? []
        : kindsMatching(near, service.metadata.namespace, selector);
    behind.set(
      to.service,
      matching.map(({ namespace, title }) => `${namespace}/${title.slice(title.indexOf(" ") + 1)}`),
    );
  }
  const next = new Map<string, string[]>();
  for (const { workload, to } of calls) {
    const own = next.get(workload);
    if (own === undefined) next.set(workload, [...behind.get(to.service)!]);
    else own.push(...behind.get(to.service)!);
  }
  const circle = circleIn(next);
  if (circle === null) return;
  const at = placed.find(({ server }) => circle.includes(server.workload))!;
  const start = circle.indexOf(at.server.workload);
  const turned = [...circle.slice(start), ...circle.slice(0, start), at.server.workload];
  const found = `calls that come back: ${turned.join(" -> ")}`;
  mistakes.add([...at.path, "calls"], found, "calls that end somewhere");
}

/** Workloads that call each other in a circle; null: none do. */
function circleIn(next: ReadonlyMap<string, readonly string[]>): string[] | null {
  const done = new Set<string>();
  for (const start of next.keys()) {
    const way = [start];
    const onWay = new Map([[start, 0]]);
    // By each on the way: how many of those that it calls have been looked at.
    const looked = [0];
    while (way.length > 0) {
      const at = way.at(-1)!;
      const to = next.get(at)?.[looked[looked.length - 1]!++];
      if (to === undefined || done.has(at)) {
        done.add(at);
        onWay.delete(at);
        way.pop();
        looked.pop();
        continue;
      }
      const since = onWay.get(to);
      if (since !== undefined) return way.slice(since);
      if (done.has(to)) continue;
      onWay.set(to, way.length);
      way.push(to);
      looked.push(0);
    }
  }
  return null;
}
