/**
 * What is wrong in nodes' rules, beside the drawing: in words at an instant, and over the run as a strip.
 *
 * Owns: both.
 */
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { count } from "../../output/format.ts";
import { Beliefs } from "../belief.ts";
import type { Playing } from "./playing.ts";
import { useShared, type Shared } from "./state.ts";

const POINTS = 400;

interface StripProps {
  readonly playing: Playing;
  readonly durationNs: number;
  readonly time: Shared<number>;
}

/** How many nodes are wrong about anything, over the run: where to look. */
export function WrongOverTime({ playing, durationNs, time }: StripProps): JSX.Element {
  const atNs = useShared(time);
  const path = useMemo(() => pathOf(playing, durationNs), [playing, durationNs]);
  const hand = (atNs / durationNs) * POINTS;
  return (
    <svg
      class="strip"
      viewBox={`0 0 ${POINTS} 24`}
      preserveAspectRatio="none"
      role="img"
      aria-label="How many nodes hold endpoints that can no longer be used, over the run"
    >
      <rect width={POINTS} height="24" class="trough" />
      <path d={path} class="wrong" />
      <line x1={hand} x2={hand} y1="0" y2="24" class="hand" />
    </svg>
  );
}

function pathOf({ cluster, times }: Playing, durationNs: number): string {
  const beliefs = new Beliefs(cluster);
  const heights = Array.from({ length: POINTS }, () => 0);
  const pointAt = (ns: number): number =>
    Math.min(POINTS - 1, Math.floor((ns / durationNs) * POINTS));
  for (const [i, ns] of times.entries()) {
    beliefs.seek(ns);
    const wrong = beliefs.stale.reduce((sum, each) => sum + (each > 0 ? 1 : 0), 0);
    // From one change to the next it stays as it is.
    const last = wrong === 0 ? pointAt(ns) : pointAt(times[i + 1] ?? durationNs);
    for (let at = pointAt(ns); at <= last; at++) heights[at] = Math.max(heights[at]!, wrong);
  }
  const nodes = Math.max(1, cluster.nodes.length);
  return heights.map((each, i) => `M${i},24v${(-24 * each) / nodes}`).join("");
}

const WRONG_MAX = 12;

interface WrongProps {
  readonly playing: Playing;
  readonly time: Shared<number>;
  readonly chosen: number;
}

/** The same in words: which node is wrong about which endpoint. */
export function Wrong({ playing, time, chosen }: WrongProps): JSX.Element {
  const atNs = useShared(time);
  const { cluster, beliefs } = playing;
  beliefs.seek(atNs);
  const all =
    chosen < 0
      ? sumOf(beliefs.stale) + sumOf(beliefs.missing)
      : beliefs.stale[chosen]! + beliefs.missing[chosen]!;
  const { found, more } = all === 0 ? nothing : wrongPods(playing, chosen);
  const who =
    chosen < 0 ? "Every node's rules hold" : `${cluster.nodes[chosen]!.name}'s rules hold`;
  return (
    <div class="wrong-list">
      <h3>{all === 0 ? `${who} what is so.` : `Wrong at this instant: ${count(all)} entries`}</h3>
      <ul>
        {found.map(({ address, pod, nodes, services, isStale }) => (
          <li key={`${address} ${isStale}`} class={isStale ? "stale" : "missing"}>
            {isStale ? "▲" : "△"} {named(nodes, cluster)}{" "}
            {isStale
              ? nodes.size === 1
                ? "still sends to"
                : "still send to"
              : nodes.size === 1
                ? "does not know"
                : "do not know"}{" "}
            <code>{address}</code> {pod.replace(/^[^/]*\//, "")} of{" "}
            {[...services].map((each) => cluster.services[each]).join(", ")}
          </li>
        ))}
      </ul>
      {more > 0 && <p class="soft">And {count(more)} more pods.</p>}
    </div>
  );
}

interface WrongPod {
  readonly address: string;
  readonly pod: string;
  readonly isStale: boolean;
  readonly nodes: Set<number>;
  readonly services: Set<number>;
}

interface WrongPods {
  /** The first of them. */
  readonly found: readonly WrongPod[];
  readonly more: number;
}

const nothing: WrongPods = { found: [], more: 0 };

/** By address: which nodes are wrong about it, for which Services. */
function wrongPods({ cluster, beliefs }: Playing, chosen: number): WrongPods {
  const found = new Map<string, WrongPod>();
  const others = new Set<string>();
  for (const [endpoint, { address, pod, service }] of cluster.endpoints.entries()) {
    if (beliefs.wrong[endpoint] === 0) continue;
    if (chosen >= 0 && !beliefs.isWrong(chosen, endpoint)) continue;
    const isStale = beliefs.truth[endpoint] === 0;
    const key = `${address} ${isStale}`;
    let own = found.get(key);
    if (own === undefined) {
      if (found.size === WRONG_MAX) {
        others.add(key);
        continue;
      }
      own = { address, pod, isStale, nodes: new Set(), services: new Set() };
      found.set(key, own);
    }
    own.services.add(service);
    for (let node = 0; node < beliefs.nodes; node++) {
      if ((chosen < 0 || node === chosen) && beliefs.isWrong(node, endpoint)) own.nodes.add(node);
    }
  }
  return { found: [...found.values()], more: others.size };
}

const NODES_NAMED = 6;

function named(nodes: ReadonlySet<number>, cluster: Playing["cluster"]): string {
  const names = [...nodes].map((node) => cluster.nodes[node]!.name);
  if (names.length <= NODES_NAMED) return names.join(", ");
  return `${names.slice(0, NODES_NAMED).join(", ")} and ${count(names.length - NODES_NAMED)} more`;
}

function sumOf(values: Int32Array): number {
  return values.reduce((sum, each) => sum + each, 0);
}
