/**
 * Session affinity ClientIP: which endpoint a client's last connection went to, and until when that counts.
 *
 * Owns: one list of clients for each endpoint of a Service port, as the kernel keeps them (an xt_recent list,
 * or an nftables set). Refuses to own: which endpoints may be used: a client whose endpoint is no candidate
 * any more is as one that never came. Source: rules of kube-proxy, section 8 (docs/sources.md).
 */
import type { DurationNs, SimTimeNs } from "../../engine/index.ts";
import type { AddressId } from "../../network/address.ts";
import type { RuleEndpoint, ServicePortRules } from "./rules.ts";

/** Clients of one endpoint by when they last came, oldest first: a Map keeps the order of insertion. */
type Clients = Map<AddressId, SimTimeNs>;

export class AffinityLists {
  readonly #limit: number;
  /** By Service port (position), then by "ip:port". */
  readonly #lists = new Map<number, Map<string, Clients>>();

  /** @param limit clients that a list remembers; the one that has been silent longest gives way */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The endpoint that remembers the client, checked in the order of the rules; undefined for none. */
  find(
    rules: ServicePortRules,
    candidates: readonly RuleEndpoint[],
    client: AddressId,
    timeoutNs: DurationNs,
    nowNs: SimTimeNs,
  ): RuleEndpoint | undefined {
    const lists = this.#lists.get(rules.position);
    if (lists === undefined) return undefined;
    return candidates.find(({ text }) => {
      const lastNs = lists.get(text)?.get(client);
      return lastNs !== undefined && nowNs - lastNs < timeoutNs;
    });
  }

  /** The client has a new connection to the endpoint: its time begins anew. */
  remember(
    rules: ServicePortRules,
    { text }: RuleEndpoint,
    client: AddressId,
    nowNs: SimTimeNs,
  ): void {
    let lists = this.#lists.get(rules.position);
    if (lists === undefined) this.#lists.set(rules.position, (lists = new Map()));
    let clients = lists.get(text);
    if (clients === undefined) lists.set(text, (clients = new Map()));
    clients.delete(client);
    if (clients.size >= this.#limit) {
      const [oldest] = clients.keys();
      if (oldest !== undefined) clients.delete(oldest);
    }
    clients.set(client, nowNs);
  }

  /** Rules were replaced: endpoints that are gone lose their lists with their chains. */
  changed(before: readonly ServicePortRules[], after: readonly ServicePortRules[]): void {
    for (const old of before) {
      const now = after.find((each) => each.position === old.position);
      this.#keep(old.position, now?.all ?? []);
    }
  }

  #keep(port: number, endpoints: readonly RuleEndpoint[]): void {
    const lists = this.#lists.get(port);
    if (lists === undefined) return;
    const present = new Set(endpoints.map(({ text }) => text));
    for (const text of lists.keys()) if (!present.has(text)) lists.delete(text);
    if (lists.size === 0) this.#lists.delete(port);
  }
}
