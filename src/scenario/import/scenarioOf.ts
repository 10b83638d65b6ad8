/**
 * A draft in the scenario language.
 *
 * Owns: which fields are written, in which order, and what is said beside them. Refuses to own: what they
 * hold (draft.ts) and how they are formatted (text.ts).
 */
import type { Draft } from "./draft.ts";
import type { Entry } from "./entry.ts";
import { fineDuration } from "../traffic/contract.ts";
import { clientsFor, type Traffic } from "../traffic/index.ts";
import { referenceTo } from "./subject.ts";
import { Remarked, scenarioText, Word } from "./text.ts";

/** @param manifests what `cluster.manifests` names */
export function fieldsOf(draft: Draft, manifests: readonly string[]): Record<string, unknown> {
  const { cluster, servers, entry, duration, rate, traffic } = draft;
  const entries = servers.map(({ workload, calls, isFirst, serviceNs }) => [
    referenceTo(workload),
    {
      serviceTime:
        (isFirst ? traffic?.serviceTime : null) ??
        new Word("exponential", [fineDuration(serviceNs)]),
      ...(isFirst && traffic?.responseBytes && { responseSize: traffic.responseBytes }),
      ...(calls.length > 0 && { calls: calls.map(({ target }) => target) }),
    },
  ]);
  return {
    duration,
    cluster: { ...cluster, ...(manifests.length > 0 && { manifests }) },
    ...(entries.length > 0 && {
      servers: new Remarked(
        Object.fromEntries(entries),
        draft.servers.some(({ calls }) => calls.length > 0)
          ? 'Assumed: measure yours. Calls are guessed, one after the other; ["a", "b"] in a list is at the same time.'
          : "Assumed: measure yours. Workloads without an entry: the same.",
      ),
    }),
    ...(entry !== null && { clients: clientsOf(entry, rate, traffic) }),
    ...(traffic !== null && traffic.thresholds.length > 0 && { thresholds: traffic.thresholds }),
  };
}

function clientsOf(entry: Entry, rate: number, traffic: Traffic | null): unknown[] {
  const client = {
    name: "users",
    from: new Word(isInside(entry) ? "pods" : "outside", [2]),
    to: targetWord(entry),
    load: new Word("openLoop", [rate]),
    timeout: "5s",
  };
  return traffic === null ? [client] : clientsFor(client, traffic);
}

function isInside({ via }: Entry): boolean {
  return via === "clusterIP" || via === "name";
}

function targetWord(entry: Entry): unknown {
  return isInside(entry) ? entry.target : new Word(entry.via, [entry.target]);
}

/** The file's text. @param manifest name of the manifest beside it */
export function writtenScenario(draft: Draft, manifest: string): string {
  const { entry, otherEntries } = draft;
  const first = (draft.servers.find(({ isFirst }) => isFirst) ?? draft.servers[0])?.workload;
  const rollout = first !== undefined && /^(Deployment|StatefulSet|DaemonSet)$/.test(first.kind);
  const remarks = [
    ...(otherEntries.length > 0
      ? [
          `Other ways in: ${otherEntries
            .slice(0, 8)
            .map(({ target }) => target)
            .join(", ")}`,
        ]
      : []),
    ...(rollout
      ? [
          "What would a restart do? Import rolloutRestart, and add:",
          `faults: [rolloutRestart({ workload: ${JSON.stringify(referenceTo(first))}, at: "20s" })],`,
        ]
      : []),
  ];
  const where = entry === null ? "the cluster that was read" : entry.target;
  return scenarioText(`How does ${where} fare?`, fieldsOf(draft, [`./${manifest}`]), remarks);
}
