/**
 * eBPF mode as `cilium-dbg bpf lb list` shows it: the service map, a line for each frontend and each slot.
 *
 * Owns: frontends with their flags and scopes, and their backends in Cilium's order. Source: dumpSVC of
 * cilium-dbg/cmd/bpf_lb_list.go, ServiceFlags.String of pkg/loadbalancer, updateFrontend and sortedBackends
 * of pkg/loadbalancer/reconciler. The list is of a hash map and in no order; here it is by number and slot.
 *
 * REVNAT_ID is Cilium's number of a frontend, which depends on what was there before: here they are counted
 * through. Not shown: endpoints that terminate while others are ready (no connection gets them), and the
 * maps of source ranges, affinity and reverse NAT. A frontend has two scopes wherever the external policy
 * is Local, for the model follows kube-proxy's short cut for pods and the node itself.
 */
import { ebpfTraits } from "../../kubernetes/proxy/modes/ebpf.ts";
import { Router } from "../../kubernetes/proxy/route.ts";
import type { RuleEndpoint, ServicePortRules } from "../../kubernetes/proxy/rules.ts";
import { NO_ADDRESS, type AddressId } from "../../network/address.ts";
import type { Chain, Programmed, RuleRenderer, Ruleset, Table, WalkedPacket } from "./contract.ts";
import { addressOrder, protocolName } from "./names.ts";
import { nodePortAddresses, renderedPorts, type RenderedPort } from "./services.ts";

type FrontendType = "ClusterIP" | "ExternalIPs" | "LoadBalancer" | "NodePort";

/** One key of the service map, without its slot. */
interface Frontend {
  readonly type: FrontendType;
  readonly port: RenderedPort;
  /** NO_ADDRESS for the surrogate of a node port: any address of the node, for sockets. */
  readonly address: AddressId;
  readonly portNumber: number;
  /** Looked up for who is in the cluster ("/i"), for the others, or for all. */
  readonly scope: "internal" | "external" | "both";
  readonly backends: readonly RuleEndpoint[];
}

class Writer {
  readonly #programmed: Programmed;
  readonly #router: Router;
  readonly #rows: (readonly [key: string, value: string])[] = [];
  readonly #chains = new Map<string, Chain>();
  readonly #map: Chain;
  #lastId = 0;

  constructor(programmed: Programmed) {
    this.#programmed = programmed;
    this.#map = { name: `cilium_lb${programmed.family}_services_v2`, hook: null, rules: [] };
    this.#router = new Router(programmed.table, programmed.view, ebpfTraits);
  }

  write(): Ruleset {
    const compare = addressOrder(this.#programmed.view.addresses);
    for (const port of renderedPorts(this.#programmed)) {
      for (const frontend of this.#frontendsOf(port)) {
        const sorted = frontend.backends.toSorted(
          (a, b) => compare(a.address, b.address) || a.port - b.port,
        );
        this.#writeFrontend({ ...frontend, backends: sorted });
      }
    }
    this.#chains.set(this.#map.name, this.#map);
    const table: Table = { name: "bpf", chains: this.#chains };
    const hooked = [[table, this.#map] as const];
    const hooks = { prerouting: hooked, output: hooked, input: [], forward: [], postrouting: [] };
    return { tables: [table], hooks, lines: this.#lines() };
  }

  *#frontendsOf(port: RenderedPort): Generator<Frontend> {
    const { rules, cluster, local, internal } = port;
    const { clusterIP, externalIPs, loadBalancerVIPs, nodePort } = rules;
    const at = { port, address: clusterIP, portNumber: rules.port } as const;
    yield { ...at, type: "ClusterIP", scope: "both", backends: internal };
    const scoped = function* (
      type: FrontendType,
      addresses: readonly AddressId[],
      portNumber: number,
    ): Generator<Frontend> {
      for (const address of addresses) {
        const own = { type, port, address, portNumber };
        if (rules.externalTrafficPolicy === "Cluster") {
          yield { ...own, scope: "both", backends: cluster };
        } else {
          yield { ...own, scope: "external", backends: local };
          yield { ...own, scope: "internal", backends: cluster };
        }
      }
    };
    yield* scoped("ExternalIPs", externalIPs, rules.port);
    yield* scoped("LoadBalancer", loadBalancerVIPs, rules.port);
    if (nodePort === null) return;
    const { ownAddresses } = this.#programmed;
    const nodes = nodePortAddresses(this.#programmed) ?? ownAddresses;
    yield* scoped("NodePort", [...nodes, NO_ADDRESS], nodePort);
  }

  #writeFrontend(frontend: Frontend): void {
    const id = ++this.#lastId;
    const key = this.#keyOf(frontend);
    const { family } = this.#programmed;
    const nobody = family === 4 ? "0.0.0.0:0" : "[::]:0";
    const flags = flagsOf(frontend, frontend.address === NO_ADDRESS).join(", ");
    const master = [`${key} (0)`, `${nobody} (${id}) (0) [${flags}]`] as const;
    this.#rows.push(master);
    const chain: Chain = { name: key, hook: null, rules: [] };
    this.#chains.set(key, chain);
    this.#map.rules.push({
      text: master.join("  "),
      apply: (packet) => (this.#matches(frontend, packet) ? { kind: "goto", chain: key } : null),
    });
    this.#checkSource(frontend, chain);
    const protocol = protocolName(frontend.port.rules.protocol).toUpperCase();
    for (const [i, { text, address, port }] of frontend.backends.entries()) {
      const slot = [`${key} (${i + 1})`, `${text}/${protocol} (${id}) (${i + 1})`] as const;
      this.#rows.push(slot);
      chain.rules.push({
        text: slot.join("  "),
        apply: ({ chosen }) => (chosen === text ? { kind: "dnat", address, port } : null),
      });
    }
    const isEmpty = frontend.backends.length === 0;
    chain.rules.push({
      text: "no backend: service-no-backend-response is reject",
      apply: () => (isEmpty ? { kind: "reject" } : null),
    });
  }

  /** cilium_lb4_source_range: who is in no range is dropped. */
  #checkSource({ type, port }: Frontend, chain: Chain): void {
    if (type !== "LoadBalancer" || !port.hasFirewall) return;
    const { addresses } = this.#programmed.view;
    const { sourceRanges } = port.rules;
    chain.rules.push({
      text: "source in no range of the source range map",
      apply: ({ source }) => {
        const isAllowed =
          port.allowedVIPs.includes(source) ||
          sourceRanges.some((range) => addresses.contains(range, source));
        return isAllowed ? null : { kind: "drop" };
      },
    });
  }

  #matches(frontend: Frontend, packet: WalkedPacket): boolean {
    const { type, scope, portNumber, port } = frontend;
    const { view } = this.#programmed;
    if (packet.protocol !== port.rules.protocol || packet.destinationPort !== portNumber) {
      return false;
    }
    const { source, destination } = packet;
    const isInside = this.#router.isPod(source) || view.isOwn(source) || view.isLoopback(source);
    if (scope !== "both" && (scope === "internal") !== isInside) return false;
    // Not routable: lbExternalClusterIP is off.
    if (type === "ClusterIP" && !view.isOwn(source) && this.#router.isForeign(source)) return false;
    if (frontend.address === NO_ADDRESS)
      return isInside && this.#router.isNodePortAddress(destination);
    return frontend.address === destination;
  }

  /** L3n4Addr.StringWithProtocol. */
  #keyOf({ address, portNumber, port, scope }: Frontend): string {
    const { view, family } = this.#programmed;
    const text = address === NO_ADDRESS ? ANY[family] : view.addresses.text(address);
    const host = family === 6 ? `[${text}]` : text;
    const suffix = scope === "internal" ? "/i" : "";
    return `${host}:${portNumber}/${protocolName(port.rules.protocol).toUpperCase()}${suffix}`;
  }

  /** As text/tabwriter aligns two columns with a padding of three. */
  #lines(): string[] {
    const rows = [
      ["SERVICE ADDRESS", "BACKEND ADDRESS (REVNAT_ID) (SLOT)"] as const,
      ...this.#rows,
    ];
    const width = 3 + Math.max(...rows.map(([key]) => key.length));
    return rows.map(([key, value]) => `${key.padEnd(width)}${value}`);
  }
}

const ANY = { 4: "0.0.0.0", 6: "::" } as const;

/** ServiceFlags.String. */
function flagsOf({ type, port, scope }: Frontend, isSurrogate: boolean): string[] {
  const { rules, hasFirewall } = port;
  const isLocal = (policy: ServicePortRules["internalTrafficPolicy"]): boolean =>
    policy === "Local";
  const flags: readonly (readonly [flag: string, isSet: boolean])[] = [
    [type, true],
    ["Local", isLocal(rules.externalTrafficPolicy)],
    ["InternalLocal", isLocal(rules.internalTrafficPolicy)],
    ["two-scopes", scope !== "both"],
    ["sessionAffinity", rules.affinityNs !== null],
    ["non-routable", type === "ClusterIP" || isSurrogate],
    ["check source-range", type === "LoadBalancer" && hasFirewall],
  ];
  return flags.flatMap(([flag, isSet]) => (isSet ? [flag] : []));
}

const TOOL = "cilium-dbg bpf lb list";

export const ebpf: RuleRenderer = {
  tool: { 4: TOOL, 6: TOOL },
  hookNames: { prerouting: "tc ingress", output: "tc egress" },
  render: (programmed) => new Writer(programmed).write(),
};
