/**
 * The nodes as a scheduler's plugins see them: what runs on each, by requests, in columns.
 *
 * Owns: the sums as pods come and go, and a fork for trying what would be. Refuses to own: the judgement
 * (placement.ts). A scheduler looks at hundreds of nodes for each pod, which costs as much as the memory that is touched:
 * a plugin that reads one column reads it from end to end, and a row is a node, in the order in which they came.
 */
import { objectKey, type Node, type Pod, type ResourceRequests } from "../api/types.ts";

/** A node with what runs on it. Terminating pods count until their object is gone. */
export interface NodeState {
  readonly node: Node;
  readonly pods: ReadonlyMap<string, Pod>;
  /** Those of them that have terms about other pods. */
  readonly affine: ReadonlyMap<string, Pod>;
}

/** One of each for a row. */
export interface Amounts {
  readonly cpuMillis: Float64Array;
  readonly memoryBytes: Float64Array;
  readonly pods: Float64Array;
}

/** Each row's domain by a label of the nodes, from 0; -1 where the node has no such label. */
export interface Domains {
  readonly ids: Int32Array;
  readonly count: number;
}

interface OwnState extends NodeState {
  node: Node;
  readonly pods: Map<string, Pod>;
  readonly affine: Map<string, Pod>;
}

const NOWHERE: ReadonlyMap<number, number> = new Map();

export class NodeTable {
  /** By row. */
  readonly states: OwnState[] = [];
  requested = amounts(0);
  /** The same with upstream's assumption for containers that request nothing. */
  scored = amounts(0);
  allocatable = amounts(0);
  /** Rows with pods that have terms about others. */
  readonly affine = new Set<number>();
  /** Room for whoever compares rows: which, and numbers of them. */
  scratch = { rows: new Int32Array(0), totals: new Float64Array(0), scores: new Float64Array(0) };
  /** Rows that are cordoned or have taints. */
  readonly #restricted = new Set<number>();
  /** Pods that are not being deleted, by owner and row. */
  readonly #siblings = new Map<string, Map<number, number>>();
  #domains = new Map<string, Domains>();
  #base: NodeTable | null = null;

  constructor(nodes: Iterable<Node>) {
    for (const node of nodes) this.addNode(node);
  }

  /** The same nodes and pods, where pods may be put and removed without anybody else's notice. */
  fork(): NodeTable {
    const copy = new NodeTable([]);
    copy.states.push(...this.states);
    copy.requested = amounts(0, this.requested);
    copy.scored = amounts(0, this.scored);
    copy.allocatable = this.allocatable;
    copy.scratch = this.scratch;
    for (const row of this.affine) copy.affine.add(row);
    for (const row of this.#restricted) copy.#restricted.add(row);
    copy.#domains = this.#domains;
    copy.#base = this;
    return copy;
  }

  get isRestricted(): boolean {
    return this.#restricted.size > 0;
  }

  addNode(node: Node): number {
    const row = this.states.push({ node, pods: new Map(), affine: new Map() }) - 1;
    if (row === this.allocatable.pods.length) this.#grow(2 * row + 1);
    this.#domains.clear();
    this.setNode(row, node);
    return row;
  }

  setNode(row: number, node: Node): void {
    const state = this.states[row]!;
    if (state.node.metadata.labels !== node.metadata.labels) this.#domains.clear();
    state.node = node;
    const { cpuMillis, memoryBytes, maxPods } = node.status.allocatable;
    this.allocatable.cpuMillis[row] = cpuMillis;
    this.allocatable.memoryBytes[row] = memoryBytes;
    this.allocatable.pods[row] = maxPods;
    if (node.spec.unschedulable || (node.spec.taints ?? []).length > 0) this.#restricted.add(row);
    else this.#restricted.delete(row);
  }

  put(row: number, pod: Pod): void {
    const { pods, affine } = this.#own(row);
    const key = objectKey(pod);
    const before = pods.get(key);
    if (before === undefined) this.#charge(row, pod, 1);
    else this.#count(row, before, -1);
    this.#count(row, pod, 1);
    pods.set(key, pod);
    if (pod.spec.affinity === undefined) return;
    affine.set(key, pod);
    this.affine.add(row);
  }

  remove(row: number, pod: Pod): void {
    const { pods, affine } = this.#own(row);
    const key = objectKey(pod);
    const before = pods.get(key);
    if (before === undefined) return;
    pods.delete(key);
    if (affine.delete(key) && affine.size === 0) this.affine.delete(row);
    this.#count(row, before, -1);
    this.#charge(row, before, -1);
  }

  /** Pods that an owner has, by row. */
  siblings(ownerUid: string): ReadonlyMap<number, number> {
    return this.#siblings.get(ownerUid) ?? this.#base?.siblings(ownerUid) ?? NOWHERE;
  }

  /** @param labelOf the value of a node's label, which is its domain */
  domains(key: string, labelOf: (node: Node, key: string) => string | undefined): Domains {
    let domains = this.#domains.get(key);
    if (domains === undefined) {
      const known = new Map<string, number>();
      const ids = Int32Array.from(this.states, ({ node }) => {
        const label = labelOf(node, key);
        if (label === undefined) return -1;
        if (!known.has(label)) known.set(label, known.size);
        return known.get(label)!;
      });
      this.#domains.set(key, (domains = { ids, count: known.size }));
    }
    return domains;
  }

  /** A fork shares its base's states until it changes one. */
  #own(row: number): OwnState {
    const state = this.states[row]!;
    if (state !== this.#base?.states[row]) return state;
    const own = { ...state, pods: new Map(state.pods), affine: new Map(state.affine) };
    this.states[row] = own;
    return own;
  }

  /** Pods of an owner count for spreading until they are told to go. */
  #count(row: number, { metadata }: Pod, sign: 1 | -1): void {
    const { ownerUid, deletionTimestampNs } = metadata;
    if (ownerUid === null || deletionTimestampNs !== null) return;
    let counts = this.#siblings.get(ownerUid);
    if (counts === undefined) {
      this.#siblings.set(ownerUid, (counts = new Map(this.#base?.siblings(ownerUid))));
    }
    const count = (counts.get(row) ?? 0) + sign;
    if (count !== 0) counts.set(row, count);
    else if (counts.delete(row) && counts.size === 0 && this.#base === null) {
      this.#siblings.delete(ownerUid);
    }
  }

  #charge(row: number, pod: Pod, sign: 1 | -1): void {
    add(this.requested, row, requestsOf(pod), sign);
    add(this.scored, row, scoredRequestsOf(pod), sign);
  }

  #grow(rows: number): void {
    this.requested = amounts(rows, this.requested);
    this.scored = amounts(rows, this.scored);
    this.allocatable = amounts(rows, this.allocatable);
    this.scratch = {
      rows: new Int32Array(rows),
      totals: new Float64Array(rows),
      scores: new Float64Array(rows),
    };
  }
}

function amounts(rows: number, from?: Amounts): Amounts {
  const column = (before?: Float64Array): Float64Array => {
    const cells = new Float64Array(Math.max(rows, before?.length ?? 0));
    if (before !== undefined) cells.set(before);
    return cells;
  };
  return {
    cpuMillis: column(from?.cpuMillis),
    memoryBytes: column(from?.memoryBytes),
    pods: column(from?.pods),
  };
}

function add(to: Amounts, row: number, more: ResourceRequests, sign: 1 | -1): void {
  to.cpuMillis[row]! += sign * more.cpuMillis;
  to.memoryBytes[row]! += sign * more.memoryBytes;
  to.pods[row]! += sign;
}

export function requestsOf(pod: Pod): ResourceRequests {
  let cpuMillis = 0;
  let memoryBytes = 0;
  for (const { requests } of pod.spec.containers) {
    cpuMillis += requests.cpuMillis;
    memoryBytes += requests.memoryBytes;
  }
  return { cpuMillis, memoryBytes };
}

/** What a container without requests counts as in scores: 100m and 200 MiB (NonZeroRequested). */
export function scoredRequestsOf(pod: Pod): ResourceRequests {
  let cpuMillis = 0;
  let memoryBytes = 0;
  for (const { requests } of pod.spec.containers) {
    cpuMillis += requests.cpuMillis || 100;
    memoryBytes += requests.memoryBytes || 200 * 1024 ** 2;
  }
  return { cpuMillis, memoryBytes };
}
