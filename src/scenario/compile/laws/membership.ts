/**
 * Law 2, membership: a node sends new connections only where its own programmed rules allow.
 *
 * Owns: its own picture, made of observations, of which endpoints each node has programmed. Refuses to
 * own: the rules themselves and the book of changes (kubernetes/ledger.ts), neither of which it reads.
 * A connection costs it two array reads.
 */
import type { SimTimeNs } from "../../../engine/index.ts";
import type { Observer } from "../../../observe/observations.ts";
import type { BrokenLaw } from "../../../observe/report.ts";

/** What a node has programmed about an endpoint. */
const Held = { never: 0, usable: 1, removed: 2 } as const;

/** More of them tell nothing new. */
const REPORTED_MAX = 5;

interface Endpoint {
  service: number;
  address: string;
  node: string;
  /** Usable in truth. */
  usable: boolean;
  /** What each node begins with. */
  begins: number;
  /** By node, from the first change that any node programs. */
  held: Uint8Array | null;
}

interface Change {
  readonly endpoint: Endpoint;
  readonly usable: boolean;
}

export class MembershipWatch implements Observer {
  readonly #nodes: string[] = [];
  readonly #nodeIndex = new Map<string, number>();
  readonly #services: string[] = [];
  readonly #serviceIndex = new Map<string, number>();
  readonly #endpoints: Endpoint[] = [];
  /** By Service, the last pod to have an address. */
  readonly #byAddress: Map<string, Endpoint>[] = [];
  readonly #changes: Change[] = [];
  readonly #broken: BrokenLaw[] = [];
  readonly #local: ReadonlySet<string>;
  readonly #reuses: boolean;
  #count = 0;

  /**
   * @param local Services with a traffic policy Local, by "namespace/name"
   * @param reuses a SYN on the tuple of a connection that has closed goes where that one went (IPVS with
   *   conn_reuse_mode 0), also to an endpoint that has left
   */
  constructor(local: ReadonlySet<string> = new Set(), reuses = false) {
    this.#local = local;
    this.#reuses = reuses;
  }

  nodeNamed(node: number, name: string): void {
    this.#nodes[node] = name;
    this.#nodeIndex.set(name, node);
  }

  serviceNamed(service: number, name: string): void {
    this.#services[service] = name;
    this.#serviceIndex.set(name, service);
    this.#byAddress[service] = new Map();
  }

  /**
   * Until a change says that it was added, an endpoint has been there since before the run. One that is named again has
   * another address, as its node has booted: nodes hold of it what they held.
   */
  endpointNamed(
    endpoint: number,
    service: number,
    address: string,
    _pod: string,
    node: string,
  ): void {
    const known = this.#endpoints[endpoint];
    const fresh = { usable: true, begins: Held.usable, held: null };
    const made = Object.assign(known ?? fresh, { service, address, node });
    this.#endpoints[endpoint] = made;
    this.#byAddress[service]!.set(address, made);
  }

  endpointChanged(
    id: number,
    service: string,
    address: string,
    change: string,
    _changedAtNs: SimTimeNs,
    usable: 0 | 1,
  ): void {
    const endpoint = this.#byAddress[this.#serviceIndex.get(service)!]!.get(address)!;
    endpoint.usable = usable === 1;
    if (change === "added") endpoint.begins = Held.never;
    this.#changes[id] = { endpoint, usable: usable === 1 };
  }

  endpointProgrammed(id: number, node: string): void {
    const { endpoint, usable } = this.#changes[id]!;
    endpoint.held ??= new Uint8Array(this.#nodes.length).fill(endpoint.begins);
    endpoint.held[this.#nodeIndex.get(node)!] = usable ? Held.usable : Held.removed;
  }

  connectionRouted(node: number, endpoint: number, atNs: SimTimeNs): void {
    if (heldBy(this.#endpoints[endpoint]!, node) !== Held.usable) {
      this.#judge(node, this.#endpoints[endpoint]!, atNs);
    }
  }

  broken(): readonly BrokenLaw[] {
    const more = this.#count - this.#broken.length;
    const last = this.#broken.at(-1);
    if (last === undefined || more === 0) return this.#broken;
    const detail = `${last.detail}; and ${more} more connections like these`;
    return [...this.#broken.slice(0, -1), { ...last, detail }];
  }

  /**
   * Without a ready endpoint kube-proxy falls back to those that terminate and still serve: the one way
   * in which an endpoint that has left may get a connection. Policy Local looks at its own node's alone.
   */
  #judge(node: number, endpoint: Endpoint, atNs: SimTimeNs): void {
    if (this.#reuses && heldBy(endpoint, node) === Held.removed) return;
    const { service, address } = endpoint;
    const rivals = this.#endpoints.filter(
      (other) => other.service === service && heldBy(other, node) === Held.usable,
    );
    const here = this.#nodes[node];
    const isAloneHere =
      this.#local.has(this.#services[service]!) &&
      endpoint.node === here &&
      rivals.every((other) => other.node !== here);
    if ((rivals.length === 0 || isAloneHere) && !endpoint.usable) return;
    this.#count++;
    if (this.#broken.length === REPORTED_MAX) return;
    const state =
      heldBy(endpoint, node) === Held.removed ? "programmed as gone" : "never programmed";
    this.#broken.push({
      law: "2 membership",
      entity: `node/${this.#nodes[node]}`,
      atNs,
      detail: `new connection for ${this.#services[service]} to ${address}, which it had ${state}`,
    });
  }
}

function heldBy({ held, begins }: Endpoint, node: number): number {
  return held === null ? begins : held[node]!;
}
