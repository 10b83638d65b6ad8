/**
 * The cluster's DNS, joined from the rooms: what CoreDNS' pods and the nodes' caches run, and what a client
 * that looks names up needs.
 *
 * Owns: handing the profile and the cluster to them. Refuses to own: any mechanism (kubernetes/dns,
 * workload/dns).
 */
import { objectKey, type Pod } from "../../kubernetes/api/types.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import { answerReport } from "../../kubernetes/dns/answerReport.ts";
import { DnsMessages } from "../../kubernetes/dns/messages.ts";
import { ClusterRecords } from "../../kubernetes/dns/records.ts";
import { NO_ADDRESS, type AddressId } from "../../network/address.ts";
import type { Network } from "../../network/network.ts";
import type { Transport } from "../../network/transport.ts";
import type { Observations } from "../../observe/observations.ts";
import type { DnsUse } from "../../workload/client.ts";
import { DnsFleet } from "../../workload/dns/fleet.ts";
import { DNS_PORT, type CachedUntil, type DnsServerOptions } from "../../workload/dns/server.ts";
import { startProgram, type ProgramSpec } from "../../workload/models.ts";
import type { Programs } from "../../workload/program.ts";
import { LookupNames } from "../lookups.ts";
import { DNS_UPSTREAM_SERVICE } from "../manifests/coredns.ts";
import type { ResolvedClient, ResolvedScenario } from "../resolved.ts";

/** What an outside name is taken to have: TEST-NET-1 (RFC 5737). Nothing answers there. */
const OUTSIDE_ADDRESS = "192.0.2.1";

export class ClusterDns {
  /** CoreDNS' processes. */
  readonly fleet = new DnsFleet();
  readonly #scenario: ResolvedScenario;
  readonly #network: Network;
  readonly #transport: Transport;
  readonly #cluster: Cluster;
  readonly #observations: Observations;
  readonly #messages: DnsMessages;
  readonly #nameserver: AddressId;
  readonly #outsideNames: ReadonlySet<string>;

  /** @param scenario one whose cluster has DNS */
  constructor(
    scenario: ResolvedScenario,
    transport: Transport,
    cluster: Cluster,
    observations: Observations,
  ) {
    const { network } = transport;
    this.#scenario = scenario;
    this.#messages = new DnsMessages(network.addresses);
    this.#transport = transport;
    this.#network = network;
    this.#cluster = cluster;
    this.#observations = observations;
    const { nodeLocal, address } = scenario.cluster.dns!;
    const { dns } = scenario.profile.kubernetes;
    this.#outsideNames = outsideNames(scenario);
    this.#nameserver = network.addresses.intern(nodeLocal ? dns.nodeLocal.address : address);
  }

  /** What a pod of CoreDNS runs: it watches the cluster by itself. */
  serverSpec(pod: Pod): ProgramSpec {
    const { dns } = this.#scenario.profile.kubernetes;
    const watcher = `coredns/${objectKey(pod)}/${pod.status.restartCount}`;
    const { addresses } = this.#network;
    const { api, ledger } = this.#cluster;
    const records = (cachedUntilNs: CachedUntil): ClusterRecords => {
      const told = answerReport(ledger, objectKey(pod), this.#network.sim, cachedUntilNs);
      return new ClusterRecords(api, addresses, watcher, dns.zone, told);
    };
    const options = { ...this.#common(), address: NO_ADDRESS, records, upstream: null };
    return { kind: "dns", options: { ...options, probePorts: true, fleet: this.fleet } };
  }

  /** What a client uses; null for one that looks nothing up. */
  useOf({ resolver, to }: Pick<ResolvedClient, "resolver" | "to">): DnsUse | null {
    if (resolver === undefined || !("service" in to)) return null;
    const { pick, slowStartNs, ...options } = resolver;
    const { ledger } = this.#cluster;
    const { addresses } = this.#network;
    return {
      resolver: { ...options, messages: this.#messages, nameserver: this.#nameserver },
      pick,
      slowStartNs,
      lookupOnly: to.via === "lookup",
      // A ClusterIP is no endpoint: then the node's rules say where the connection goes.
      note: (socket, address) => {
        const endpoint = ledger.endpointAt(to.service, addresses.text(address));
        if (endpoint < 0) return;
        const stale = ledger.isGone(endpoint) ? 1 : 0;
        const { id, generation, namespace } = socket;
        const { host } = namespace!;
        this.#transport.noteRoute(id, generation, endpoint, stale, host);
        this.#observations.connectionDialled(host, endpoint, this.#network.sim.nowNs, stale);
      },
    };
  }

  /** NodeLocal DNSCache: a process on each node, on an address that conntrack does not see. */
  startNodeCaches(programs: Programs): void {
    if (!this.#scenario.cluster.dns!.nodeLocal) return;
    const { services, nodes } = this.#scenario.cluster;
    const { nodeLocal, cache } = this.#scenario.profile.kubernetes.dns;
    const { successTtlNs, denialTtlNs } = nodeLocal;
    const service = services.find((each) => objectKey(each) === DNS_UPSTREAM_SERVICE)!;
    const upstream = {
      address: this.#network.addresses.intern(service.spec.clusterIP),
      port: DNS_PORT,
    };
    const options = {
      ...this.#common(),
      address: this.#nameserver,
      records: null,
      upstream,
      cache: { ...cache, successTtlNs, denialTtlNs },
      probePorts: false,
      fleet: null,
    };
    for (const [index, { metadata }] of nodes.entries()) {
      const host = this.#network.hosts[index]!;
      host.namespace.addresses.add(this.#nameserver);
      host.untracked = new Set([this.#nameserver]);
      const name = `node-local-dns/${metadata.name}`;
      const context = { programs, namespace: host.namespace, name, exited: () => {} };
      const launch = { ports: [], udpPorts: [], sctpPorts: [], started: true };
      startProgram(context, { kind: "dns", options }, launch);
    }
  }

  #common(): Omit<
    DnsServerOptions,
    "started" | "address" | "records" | "upstream" | "probePorts" | "fleet"
  > {
    const { kubernetes, server } = this.#scenario.profile;
    const { zone, recordTtlNs, cache, cpuPerQueryNs, workers, lameduckNs, forward, startupTime } =
      kubernetes.dns;
    const { udpAnswerBytes, ednsAnswerBytes } = kubernetes.dns;
    return {
      messages: this.#messages,
      zone,
      recordTtlNs,
      cache,
      cpuPerQueryNs,
      workers,
      lameduckNs,
      forward,
      startupTime,
      outsideNames: this.#outsideNames,
      outsideAddress: this.#network.addresses.intern(OUTSIDE_ADDRESS),
      udpAnswerBytes,
      ednsAnswerBytes,
      smallMessageBytes: server.smallMessageBytes,
    };
  }
}

/** Names outside the cluster that somebody means: those of lookups that are no Service, and of aliases. */
function outsideNames({ clients, cluster, profile }: ResolvedScenario): ReadonlySet<string> {
  const { zone } = profile.kubernetes.dns;
  const known = new LookupNames(cluster.services, zone);
  const asked = clients.flatMap(({ to, resolver }) => {
    if (to.via !== "lookup" || resolver === undefined || known.isOwn(resolver)) return [];
    return known.isOfCluster(resolver.name) ? [] : [resolver.name];
  });
  const aliases = cluster.services.flatMap(({ spec }) => spec.externalName ?? []);
  const names = [...asked, ...aliases].map((name) => name.replace(/\.$/, ""));
  // Nobody has a name at the top by itself.
  return new Set(names.filter((name) => name.includes(".") && !name.endsWith(`.${zone}`)));
}
