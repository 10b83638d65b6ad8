/**
 * Requests from outside the cluster, to a node port or a load balancer, and the hop between two nodes that they may
 * take: what several questions have in common.
 *
 * Owns: opening the Service to the outside, who calls, and telling requests by their way. Refuses to own: what is
 * varied and what it means (questions/).
 */
import type { DurationNs, SimTimeNs } from "../engine/index.ts";
import { Outcome, type OutcomeCode } from "../observe/index.ts";
import { deterministic } from "../scenario/language/distributions.ts";
import type { ClientInput } from "../scenario/language/scenario.ts";
import type { Measures, Watch } from "./contract.ts";
import { at, server, type Draft } from "./draft.ts";
import { callersOf, quantile } from "./rollout.ts";

/** What the importer assumes on average. */
const SERVICE_TIME = "4ms";

/** Every request takes as long as any other, or what a wire adds would be lost in the draws. */
export function evenServiceTime(draft: Draft): void {
  server(draft).serviceTime = deterministic(SERVICE_TIME);
}

export const evenServiceTimeAssumes =
  "here every request takes just those 4 ms: what the network adds would be lost in their draws";

/** Clients on hosts outside, as many as nodes (at most 10), which dial for each request and do not try again. */
export function prepareOutside(draft: Draft, to: "nodePort" | "loadBalancer"): ClientInput {
  const { service, target, scenario } = draft;
  const spec = at(service, "spec");
  // A load balancer has node ports too, so a Service that has one keeps it.
  if (spec["type"] !== "LoadBalancer") {
    spec["type"] = to === "nodePort" ? "NodePort" : "LoadBalancer";
  }
  // Whoever asks lets these clients in.
  for (const field of ["loadBalancerSourceRanges", "allocateLoadBalancerNodePorts"]) {
    delete spec[field];
  }
  const client = {
    ...callersOf(draft, "outside"),
    to: { kind: to, service: target.service },
  } as const;
  scenario.clients = [client];
  return client;
}

/** The requests of one client, by their ways. */
export class Ways {
  /** Latencies of those served by a pod of the node that chose it, and by one of another node. */
  readonly stayed: DurationNs[] = [];
  readonly hopped: DurationNs[] = [];
  failed = 0;

  get measures(): Measures {
    const { stayed, hopped, failed } = this;
    const served = stayed.length + hopped.length;
    const ended = served + failed;
    return {
      hopShare: served === 0 ? null : hopped.length / served,
      ...latencies("all", [...stayed, ...hopped]),
      ...latencies("stayed", stayed),
      ...latencies("hopped", hopped),
      failed,
      ended,
      failedShare: ended === 0 ? null : failed / ended,
    };
  }
}

function latencies(name: string, durations: readonly DurationNs[]): Measures {
  const sorted = durations.toSorted((a, b) => a - b);
  const sum = sorted.reduce((total, each) => total + each, 0);
  return {
    [`${name}MeanNs`]: sorted.length === 0 ? null : sum / sorted.length,
    [`${name}P50Ns`]: quantile(sorted, 0.5),
    [`${name}P99Ns`]: quantile(sorted, 0.99),
  };
}

/** Follows each request of the scenario's clients to the pod that answers it. */
export class WaysWatch implements Watch {
  /** By client. */
  readonly ways: readonly Ways[];
  /** By the endpoint's index, and by the node's. */
  readonly #nodeOfEndpoint: string[] = [];
  readonly #nodes: string[] = [];
  readonly #fromNs: SimTimeNs;
  #endpoint = -1;
  #node = -1;

  /** @param fromNs requests that began earlier do not count */
  constructor(clients: number, fromNs: SimTimeNs = 0) {
    this.#fromNs = fromNs;
    this.ways = Array.from({ length: clients }, () => new Ways());
  }

  nodeNamed(node: number, name: string): void {
    this.#nodes[node] = name;
  }

  endpointNamed(
    endpoint: number,
    _service: number,
    _address: string,
    _pod: string,
    node: string,
  ): void {
    this.#nodeOfEndpoint[endpoint] = node;
  }

  /** Of a request's last try, just before the request ends. */
  attemptEnded(_request: number, _outcome: OutcomeCode, endpoint: number, node: number): void {
    this.#endpoint = endpoint;
    this.#node = node;
  }

  requestEnded(
    client: number,
    _service: number,
    outcome: OutcomeCode,
    startedAtNs: SimTimeNs,
    endedAtNs: SimTimeNs,
  ): void {
    const ways = this.ways[client];
    if (ways === undefined || startedAtNs < this.#fromNs) return;
    if (outcome !== Outcome.served) {
      ways.failed++;
      return;
    }
    const latencyNs = endedAtNs - startedAtNs;
    const stays = this.#nodeOfEndpoint[this.#endpoint] === this.#nodes[this.#node];
    (stays ? ways.stayed : ways.hopped).push(latencyNs);
  }

  endNs(): number | null {
    return null;
  }
}
