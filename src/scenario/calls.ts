/**
 * The calls of servers against the rest of the cluster: which Service each goes to, and that they end.
 *
 * Owns: one caller for each server and each thing that it calls in one way, with a name for the results; and finding
 * calls that go in a circle. Refuses to own: the fields of a call (schema/calling.ts).
 */
import { matchesLabels, objectKey } from "../kubernetes/api/types.ts";
import { ownersOf } from "./manifests/objects.ts";
import type { FileMistakes, Path } from "./mistakes.ts";
import type { ResolvedCall, ResolvedServer, ServiceTarget } from "./resolved.ts";
import type { CallPart } from "./schema/calling.ts";
import { callingOf, resolveTarget, type KnownNames } from "./targets.ts";

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
        const target = targetOf(part, known, own);
        if (target === null) return [];
        const caller = callerOf(part, target, each, calls, first);
        return [{ caller, probability: part.probability }];
      }),
    );
    return { ...server, stages };
  });
  reportCircles(placed, calls, known, mistakes);
  return { servers, calls };
}

function targetOf(part: CallPart, known: KnownNames, own: FileMistakes): ServiceTarget | null {
  const to = { reference: part.to, via: "clusterIP", node: null } as const;
  const rules = { zone: null, search: [], ndots: 0 };
  const target = resolveTarget(to, known.services, known.objects, own, rules);
  return target !== null && "service" in target ? target : null;
}

/** Index of the caller, which may be there from another stage: a process has one pool for a target. */
function callerOf(
  part: CallPart,
  to: ServiceTarget,
  { server, reference }: PlacedServer,
  calls: ResolvedCall[],
  first: number,
): number {
  const call: Omit<ResolvedCall, "name"> = {
    workload: server.workload,
    to,
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
  return text.replace(/:[^:]*$/, "").replace(/(^|\/)[a-z]+\/([^/]*)$/, "$1$2");
}

/** Calls that come back to where they began would never end. */
function reportCircles(
  placed: readonly PlacedServer[],
  calls: readonly ResolvedCall[],
  { services, objects }: KnownNames,
  mistakes: FileMistakes,
): void {
  const behind = (key: string): string[] => {
    const service = services.find((each) => objectKey(each) === key);
    const selector = service?.spec.selector ?? null;
    if (service === undefined || selector === null) return [];
    return [...ownersOf(objects), ...objects.pods]
      .filter(({ object }) => {
        const labels = object.kind === "Pod" ? object.metadata.labels : object.spec.template.labels;
        return (
          object.metadata.namespace === service.metadata.namespace &&
          matchesLabels(selector, labels)
        );
      })
      .map(({ object }) => objectKey(object));
  };
  const next = new Map<string, string[]>();
  for (const { workload, to } of calls) {
    next.set(workload, [...(next.get(workload) ?? []), ...behind(to.service)]);
  }
  for (const { server, path } of placed) {
    const circle = wayBack(server.workload, next);
    if (circle === null) continue;
    const found = `calls that come back: ${circle.join(" -> ")}`;
    mistakes.add([...path, "calls"], found, "calls that end somewhere");
    return;
  }
}

/** The shortest way from a workload to itself; null: there is none. */
function wayBack(start: string, next: ReadonlyMap<string, readonly string[]>): string[] | null {
  const ways = [[start]];
  const seen = new Set<string>();
  for (let way = ways.shift(); way !== undefined; way = ways.shift()) {
    for (const to of next.get(way.at(-1)!) ?? []) {
      if (to === start) return [...way, to];
      if (seen.has(to)) continue;
      seen.add(to);
      ways.push([...way, to]);
    }
  }
  return null;
}
