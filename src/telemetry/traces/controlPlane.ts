/**
 * The control plane as tracks: syncs of kube-proxies, the lives of pods, events, and each endpoint change on its way to the
 * nodes; and what queues hold, window by window.
 *
 * Owns: what is kept of these, and how much at most. Refuses to own: requests (requests.ts) and formats.
 */
import type { SimTimeNs } from "../../engine/index.ts";
import { PodLives } from "../../inspect/index.ts";
import type { Network } from "../../network/network.ts";
import { Changes, lagStages } from "../../observe/changes.ts";
import { Directory } from "../../observe/directory.ts";
import type { Observer } from "../../observe/index.ts";
import type { Actor, Counter, Instant, Slice, Span, SpanTree } from "./span.ts";

/** Of each kind of thing: a browser has to hold them all. */
const MOST = 50_000;
/** Of each change: the nodes that were first, and those that were last. */
const NODES_EACH_END = 8;

const CONTROL_PLANE: Actor = { kind: "control plane", name: "control plane" };
/** Stages that are the same for every node; the rest is each node's own. */
const SHARED_STAGES = lagStages.indexOf("watch");

export class ControlPlaneWatch implements Observer {
  readonly #directory = new Directory();
  readonly #changes = new Changes(this.#directory);
  readonly #lives = new PodLives();
  readonly #syncs: Slice[] = [];
  readonly #instants: Instant[] = [];
  readonly #counters = new Map<
    string,
    { group: string; name: string; points: [number, number][] }
  >();
  readonly #inFlight: number[] = [];
  #network: Network | null = null;
  #left = 0;

  get observers(): readonly Observer[] {
    return [this.#directory, this.#changes, this.#lives, this];
  }

  attach(network: Network): void {
    this.#network = network;
  }

  /** Syncs and events that were too many to be kept. */
  get left(): number {
    return this.#left;
  }

  rulesSynced(
    node: number,
    startedAtNs: SimTimeNs,
    endedAtNs: SimTimeNs,
    full: 0 | 1,
    failed: 0 | 1,
    family: 4 | 6,
  ): void {
    const kind = full === 1 ? "full sync" : "partial sync";
    this.#keep(this.#syncs, {
      group: "kube-proxy",
      track: `${this.#directory.nodes[node] ?? node} IPv${family}`,
      name: failed === 1 ? `${kind}, failed` : kind,
      atNs: startedAtNs,
      tookNs: endedAtNs - startedAtNs,
      attributes: {},
    });
  }

  event(atNs: SimTimeNs, kind: string, object: string, detail: string): void {
    const attributes = detail === "" ? { object } : { object, detail };
    this.#keep(this.#instants, { track: "events", name: kind, atNs, attributes });
  }

  endpointRequestStarted(endpoint: number): void {
    this.#inFlight[endpoint] = (this.#inFlight[endpoint] ?? 0) + 1;
  }

  endpointRequestEnded(endpoint: number): void {
    this.#inFlight[endpoint] = (this.#inFlight[endpoint] ?? 0) - 1;
  }

  windowClosed(_startNs: SimTimeNs, endNs: SimTimeNs): void {
    for (const [endpoint, count] of this.#inFlight.entries()) {
      if (count === undefined) continue;
      const { pod, address } = this.#directory.endpoint(endpoint);
      this.#count("requests at servers", `${pod} ${address}`, endNs, count);
    }
    if (this.#network === null) return;
    for (const hop of this.#network.hops) {
      if (hop.queues) this.#count("queues, ns until empty", hop.name, endNs, hop.backlogNs(endNs));
    }
    for (const { name, conntrack } of this.#network.hosts) {
      if (conntrack !== null) this.#count("conntrack entries", name, endNs, conntrack.count);
    }
  }

  slices(endNs: SimTimeNs): Slice[] {
    return [...this.#syncs, ...this.#podSlices(endNs)];
  }

  get instants(): readonly Instant[] {
    return this.#instants;
  }

  get counters(): readonly Counter[] {
    return [...this.#counters.values()];
  }

  /** One for each change that a node has programmed. */
  changes(): SpanTree[] {
    return this.#changes.records.flatMap((record, id) => {
      const programmed = this.#directory.nodes.flatMap((name, node) => {
        const atNs = this.#changes.programmedAtNs(id, node);
        return atNs === null ? [] : [{ name, node, atNs }];
      });
      if (programmed.length === 0) return [];
      programmed.sort((a, b) => a.atNs - b.atNs || a.node - b.node);
      const shown =
        programmed.length <= 2 * NODES_EACH_END
          ? programmed
          : [...programmed.slice(0, NODES_EACH_END), ...programmed.slice(-NODES_EACH_END)];
      const { service, endpoint, change, changedAtNs: startNs } = record;
      const sharedNs = this.#changes.stagesNs(id, shown[0]!.node).slice(0, SHARED_STAGES);
      const root: Span = {
        name: `${change} ${endpoint} of ${service}`,
        actor: CONTROL_PLANE,
        startNs,
        endNs: programmed.at(-1)!.atNs,
        attributes: { nodes: programmed.length, nodes_shown: shown.length },
        children: stageSpans(startNs, sharedNs, 0),
        caused: shown.map(({ name, node, atNs }) => this.#nodeSpan(id, name, node, atNs)),
      };
      return [{ key: `change ${id}`, group: "endpoint changes", root }];
    });
  }

  #nodeSpan(id: number, name: string, node: number, endNs: SimTimeNs): Span {
    const stagesNs = this.#changes.stagesNs(id, node);
    const ownNs = stagesNs.slice(SHARED_STAGES);
    const startNs = endNs - ownNs.reduce<number>((sum, each) => sum + (each ?? 0), 0);
    return {
      name,
      actor: CONTROL_PLANE,
      startNs,
      endNs,
      attributes: { "k8s.node.name": name },
      children: stageSpans(startNs, ownNs, SHARED_STAGES),
    };
  }

  #podSlices(endNs: SimTimeNs): Slice[] {
    const slices: Slice[] = [];
    const seen = new Map<string, number>();
    for (const { pod, steps } of this.#lives.lives()) {
      // One that was there before the run and stayed as it was is no news.
      if (steps.length < 2) continue;
      const life = (seen.get(pod) ?? 0) + 1;
      seen.set(pod, life);
      const track = life === 1 ? pod : `${pod} (${life})`;
      for (const [i, { atNs, stage, detail }] of steps.entries()) {
        const tookNs = (steps[i + 1]?.atNs ?? (stage === "object gone" ? atNs : endNs)) - atNs;
        const attributes = detail === "" ? {} : { detail };
        slices.push({ group: "pods", track, name: stage, atNs, tookNs, attributes });
      }
    }
    if (slices.length > MOST) this.#left += slices.splice(MOST).length;
    return slices;
  }

  #keep<T>(list: T[], item: T): void {
    if (list.length < MOST) list.push(item);
    else this.#left++;
  }

  /** What was nothing and is nothing is not written down. */
  #count(group: string, name: string, atNs: SimTimeNs, value: number): void {
    const key = `${group} ${name}`;
    let counter = this.#counters.get(key);
    if (counter === undefined) {
      if (value === 0) return;
      this.#counters.set(key, (counter = { group, name, points: [] }));
    }
    if (counter.points.at(-1)?.[1] !== value) counter.points.push([atNs, value]);
  }
}

/** Stages one after another, those that took no time left out. @param first number of the first of them */
function stageSpans(
  startNs: SimTimeNs,
  stagesNs: readonly (number | null)[],
  first: number,
): Span[] {
  let sinceNs = startNs;
  return stagesNs.flatMap((tookNs, i) => {
    if (tookNs === null || tookNs === 0) return [];
    const name = lagStages[first + i]!;
    const span = { name, actor: CONTROL_PLANE, startNs: sinceNs, endNs: sinceNs + tookNs };
    sinceNs += tookNs;
    return [{ ...span, attributes: {}, children: [] }];
  });
}
