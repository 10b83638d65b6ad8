/**
 * What each node believes of each endpoint at an instant, against the truth: played forward, and begun again where one
 * goes back.
 *
 * Owns: the state between two changes, and counts of what is wrong. Pure: the browser part plays it, tests do too.
 */
import { changeKinds, type ClusterModel } from "./model.ts";

/** Who learns: a node, or the truth. */
const TRUTH = -1;

export class Beliefs {
  /** By endpoint: 1 if it could be used. */
  readonly truth: Uint8Array;
  /** By node and then endpoint: 1 if the node's rules hold it. */
  readonly held: Uint8Array;
  /** By node: endpoints held that cannot be used, and usable ones that are not held. */
  readonly stale: Int32Array;
  readonly missing: Int32Array;
  /** By endpoint: nodes that are wrong about it. */
  readonly wrong: Int32Array;
  /** Usable endpoints by Service, in truth. */
  readonly usable: Int32Array;
  /** By node and then Service. */
  readonly heldOf: Int32Array;
  readonly nodes: number;
  readonly endpoints: number;
  readonly #cluster: ClusterModel;
  readonly #first: Uint8Array;
  readonly #timesNs: Float64Array;
  readonly #who: Int32Array;
  readonly #change: Int32Array;
  #next = 0;
  #atNs = -1;

  constructor(cluster: ClusterModel) {
    const { nodes, endpoints, services } = cluster;
    this.#cluster = cluster;
    this.nodes = nodes.length;
    this.endpoints = endpoints.length;
    this.truth = new Uint8Array(this.endpoints);
    this.held = new Uint8Array(this.nodes * this.endpoints);
    this.stale = new Int32Array(this.nodes);
    this.missing = new Int32Array(this.nodes);
    this.wrong = new Int32Array(this.endpoints);
    this.usable = new Int32Array(services.length);
    this.heldOf = new Int32Array(this.nodes * services.length);
    this.#first = firstOf(cluster);
    const steps = stepsOf(cluster);
    this.#timesNs = Float64Array.from(steps, ({ atNs }) => atNs);
    this.#who = Int32Array.from(steps, ({ who }) => who);
    this.#change = Int32Array.from(steps, ({ change }) => change);
    this.#reset();
  }

  /** Instants at which anything changes, in order. */
  get timesNs(): Float64Array {
    return this.#timesNs;
  }

  /** How many of them have been: the state is the same while it is. */
  get step(): number {
    return this.#next;
  }

  seek(atNs: number): void {
    if (atNs < this.#atNs) this.#reset();
    this.#atNs = atNs;
    while (this.#next < this.#timesNs.length && this.#timesNs[this.#next]! <= atNs) this.#step();
  }

  isWrong(node: number, endpoint: number): boolean {
    return this.held[node * this.endpoints + endpoint] !== this.truth[endpoint];
  }

  #reset(): void {
    this.#next = 0;
    this.truth.set(this.#first);
    for (let node = 0; node < this.nodes; node++) this.held.set(this.#first, node * this.endpoints);
    this.stale.fill(0);
    this.missing.fill(0);
    this.wrong.fill(0);
    this.usable.fill(0);
    this.heldOf.fill(0);
    const services = this.usable.length;
    for (const [endpoint, { service }] of this.#cluster.endpoints.entries()) {
      if (this.#first[endpoint] === 0) continue;
      this.usable[service]! += 1;
      for (let node = 0; node < this.nodes; node++) this.heldOf[node * services + service]! += 1;
    }
  }

  #step(): void {
    const who = this.#who[this.#next]!;
    const change = this.#change[this.#next++]!;
    const { endpoint: changed, usable } = this.#cluster.changes;
    const endpoint = changed[change]!;
    const to = usable[change]!;
    if (who === TRUTH) this.#becomes(endpoint, to);
    else this.#learns(who, endpoint, to);
  }

  #becomes(endpoint: number, to: number): void {
    const { service } = this.#cluster.endpoints[endpoint]!;
    for (let node = 0; node < this.nodes; node++) this.#count(node, endpoint, -1);
    this.usable[service]! += to - this.truth[endpoint]!;
    this.truth[endpoint] = to;
    for (let node = 0; node < this.nodes; node++) this.#count(node, endpoint, 1);
  }

  #learns(node: number, endpoint: number, to: number): void {
    const { service } = this.#cluster.endpoints[endpoint]!;
    const place = node * this.endpoints + endpoint;
    this.#count(node, endpoint, -1);
    this.heldOf[node * this.usable.length + service]! += to - this.held[place]!;
    this.held[place] = to;
    this.#count(node, endpoint, 1);
  }

  /** Adds what is wrong of an endpoint to the node's counts, or takes it away. */
  #count(node: number, endpoint: number, by: 1 | -1): void {
    const held = this.held[node * this.endpoints + endpoint]!;
    if (held === this.truth[endpoint]) return;
    this.wrong[endpoint]! += by;
    if (held === 1) this.stale[node]! += by;
    else this.missing[node]! += by;
  }
}

/** Before its first change: one that was not added then had been there. */
function firstOf({ endpoints, changes }: ClusterModel): Uint8Array {
  const first = new Uint8Array(endpoints.length).fill(1);
  const seen = new Set<number>();
  for (const [i, endpoint] of changes.endpoint.entries()) {
    if (seen.has(endpoint)) continue;
    seen.add(endpoint);
    if (changeKinds[changes.kind[i]!] === "added") first[endpoint] = 0;
  }
  return first;
}

interface Step {
  readonly atNs: number;
  readonly who: number;
  readonly change: number;
}

/** At one instant the later change is the one that counts. */
function stepsOf({ nodes, changes }: ClusterModel): Step[] {
  const steps: Step[] = [];
  for (const [change, atNs] of changes.atNs.entries()) {
    steps.push({ atNs, who: TRUTH, change });
    for (let node = 0; node < nodes.length; node++) {
      const lagNs = changes.lagNs[change * nodes.length + node]!;
      if (lagNs >= 0) steps.push({ atNs: atNs + lagNs, who: node, change });
    }
  }
  return steps.sort((a, b) => a.atNs - b.atNs || a.change - b.change);
}

/** Usable endpoints of one Service over time, in truth and as nodes see them. */
export interface ReadySteps {
  readonly atNs: number[];
  readonly truth: number[];
  readonly least: number[];
  readonly most: number[];
  /** By node, where they are few enough. */
  readonly nodes: number[][];
}

const STEPS_MAX = 1_500;

/** @param nodesMax more nodes than these have no line of their own */
export function readySteps(
  cluster: ClusterModel,
  service: number,
  durationNs: number,
  nodesMax: number,
): ReadySteps {
  const beliefs = new Beliefs(cluster);
  const services = cluster.services.length;
  const own = beliefs.nodes <= nodesMax ? beliefs.nodes : 0;
  const nodes: number[][] = Array.from({ length: own }, () => []);
  const steps: ReadySteps = { atNs: [], truth: [], least: [], most: [], nodes };
  const gapNs = durationNs / STEPS_MAX;
  const note = (atNs: number): void => {
    beliefs.seek(atNs);
    let [least, most] = [Infinity, -Infinity];
    for (let node = 0; node < beliefs.nodes; node++) {
      const held = beliefs.heldOf[node * services + service]!;
      if (held < least) least = held;
      if (held > most) most = held;
    }
    // What happened within a gap is one step, with all that any node saw in it.
    const last = steps.atNs.length - 1;
    if (last > 0 && atNs - steps.atNs[last]! < gapNs && beliefs.timesNs.length > STEPS_MAX) {
      steps.least[last] = Math.min(least, steps.least[last]!);
      steps.most[last] = Math.max(most, steps.most[last]!);
      steps.truth[last] = beliefs.usable[service]!;
      for (const [node, line] of nodes.entries())
        line[last] = beliefs.heldOf[node * services + service]!;
      return;
    }
    steps.atNs.push(atNs);
    steps.truth.push(beliefs.usable[service]!);
    steps.least.push(least === Infinity ? 0 : least);
    steps.most.push(Math.max(0, most));
    for (const [node, line] of nodes.entries())
      line.push(beliefs.heldOf[node * services + service]!);
  };
  note(0);
  let before = 0;
  for (const atNs of beliefs.timesNs) {
    if (atNs > before && atNs <= durationNs) note(atNs);
    before = atNs;
  }
  note(durationNs);
  return steps;
}
