/**
 * Where a trace begins and where it is aimed: `--from` and `--to`, looked up in a run.
 *
 * Owns: reading both, and saying what there is instead of what was not found. What is looked up is what is so
 * at this instant: pods come and go.
 */
import { objectKey, type Service, type ServicePort } from "../../kubernetes/api/types.ts";
import type { AddressId } from "../../network/address.ts";
import type { Host, Namespace } from "../../network/host.ts";
import { TransportProtocol, type TransportProtocolNumber } from "../../network/nat.ts";
import type { Run } from "../../scenario/compile.ts";
import { nearest, optionMistake, type Mistake } from "../../scenario/index.ts";
import type { ResolvedScenario } from "../../scenario/resolved.ts";

export interface Target {
  readonly address: AddressId;
  readonly port: number;
  readonly protocol: TransportProtocolNumber;
}

/** Address of a host outside that a scenario without one is given: RFC 5737. */
const OUTSIDE_ADDRESS = "203.0.113.254";
/** RFC 3849. */
const OUTSIDE_ADDRESS6 = "2001:db8::ffff";

const FROM_ALLOWED =
  '"pod/NAME", "NAMESPACE/pod/NAME", "node/NAME", "container/NAME", "host/NAME" of a Docker host, "outside" or "outside/NAME"';
const TO_ALLOWED =
  '"svc/NAME:PORT", "NAMESPACE/svc/NAME:PORT", "pod/NAME:PORT", "node/NAME:PORT", "container/NAME:PORT", "host/NAME:PORT" or "IP:PORT"; "/udp" or "/sctp" behind a port number';

interface Reference {
  readonly namespace: string;
  readonly kind: string;
  readonly name: string;
  readonly port: string | null;
  readonly protocol: TransportProtocolNumber;
}

const PROTOCOLS: Readonly<Record<string, TransportProtocolNumber>> = {
  tcp: TransportProtocol.TCP,
  udp: TransportProtocol.UDP,
  sctp: TransportProtocol.SCTP,
};

const KINDS: Readonly<Record<string, string>> = {
  po: "pod",
  pod: "pod",
  no: "node",
  node: "node",
  svc: "svc",
  service: "svc",
  container: "container",
  host: "host",
  outside: "outside",
};

function parse(text: string): Reference | null {
  const pattern =
    /^(?:([a-z0-9-]+)\/)?([a-z]+)\/([a-z0-9.-]+)(?::([a-z0-9-]+)(?:\/(tcp|udp|sctp))?)?$/;
  const [, namespace = "default", kind = "", name = "", port = null, protocol = "tcp"] =
    pattern.exec(text) ?? [];
  const known = KINDS[kind];
  if (known === undefined || text.length > 512) return null;
  return { namespace, kind: known, name, port, protocol: PROTOCOLS[protocol]! };
}

/** Looks up places in one run, at the instant that it has come to. */
export class Places {
  readonly mistakes: Mistake[] = [];
  readonly #run: Run;
  readonly #scenario: ResolvedScenario;

  constructor(run: Run, scenario: ResolvedScenario) {
    this.#run = run;
    this.#scenario = scenario;
  }

  /** "pod/web-0", "node/node-1", "container/web", "host/docker-1", "outside/internet-0". */
  placeOf = ({ kind, host, name }: Namespace): string => {
    const isNode = host < this.#scenario.cluster.nodes.length;
    if (kind === "guest") return `${isNode ? "pod" : "container"}/${name}`;
    if (isNode) return `node/${name}`;
    return `${this.#isDockerHost(name) ? "host" : "outside"}/${name}`;
  };

  #isDockerHost(name: string): boolean {
    return this.#scenario.docker.hosts.some((each) => each.name === name);
  }

  /** The namespace to send from; null after a mistake. */
  origin(text: string): Namespace | null {
    if (text === "outside") return (this.#outside()[0] ?? this.#addOutside()).namespace;
    const found = parse(text);
    if (found === null || found.port !== null || found.kind === "svc") {
      return this.#mistake("--from", JSON.stringify(text.slice(0, 80)), FROM_ALLOWED);
    }
    return this.#namespace("--from", found);
  }

  /** The address and port to send to; null after a mistake. */
  target(text: string, family: 4 | 6 | null): Target | null {
    const literal = /^(?:\[([0-9a-fA-F:.]+)\]|([\d.]+)):(\d{1,5})(?:\/(tcp|udp|sctp))?$/.exec(text);
    if (literal !== null) {
      const [, ipv6, ipv4, port, protocol = "tcp"] = literal;
      return this.#literal(text, ipv6 ?? ipv4!, Number(port), PROTOCOLS[protocol]!);
    }
    const found = parse(text);
    if (found === null || found.kind === "outside") {
      return this.#mistake("--to", JSON.stringify(text.slice(0, 80)), TO_ALLOWED);
    }
    if (found.kind === "svc") return this.#service(text, found, family);
    const port = Number(found.port);
    if (found.port === null || !(port >= 1 && port <= 65_535)) {
      return this.#mistake("--to", `${JSON.stringify(text)} (no port number)`, TO_ALLOWED);
    }
    const namespace = this.#namespace("--to", found);
    if (namespace === null) return null;
    const address = this.#addressOf(namespace, family);
    const { protocol } = found;
    return address === undefined ? this.#noFamily(text, family) : { address, port, protocol };
  }

  #literal(
    text: string,
    ip: string,
    port: number,
    protocol: TransportProtocolNumber,
  ): Target | null {
    const { addresses } = this.#run.transport.network;
    try {
      if (port >= 1 && port <= 65_535) return { address: addresses.intern(ip), port, protocol };
    } catch {
      // Said below: it is no address.
    }
    return this.#mistake("--to", JSON.stringify(text), "an IP address and a port from 1 to 65535");
  }

  #service(
    text: string,
    { namespace, name, port }: Reference,
    family: 4 | 6 | null,
  ): Target | null {
    const { services } = this.#scenario.cluster;
    const key = `${namespace}/${name}`;
    const service = services.find((each) => objectKey(each) === key);
    if (service === undefined) {
      const known = services.map(({ metadata }) => reference("svc", metadata));
      return this.#unknown(
        "--to",
        `no Service ${key}`,
        reference("svc", { namespace, name }),
        known,
      );
    }
    if (service.spec.type === "ExternalName") {
      const what = `${key} is an ExternalName: DNS gives ${service.spec.externalName} for it, and nothing else`;
      return this.#mistake("--to", what, "a Service with an address, or where the name leads");
    }
    const found = portOf(service, port);
    if (found === null) {
      const ports = service.spec.ports.map((each) => portText(each)).join(", ");
      const what = port === null ? `${JSON.stringify(text)} names no port` : `no port ${port}`;
      return this.#mistake("--to", `${what} of ${key}`, `one of the ports ${ports}`);
    }
    const { addresses } = this.#run.transport.network;
    const clusterIPs = service.spec.clusterIPs ?? [service.spec.clusterIP];
    if (!clusterIPs.some((each) => each.includes(".") || each.includes(":"))) {
      return this.#mistake("--to", `${key} has no ClusterIP`, "a Service with one, or a pod of it");
    }
    const ids = clusterIPs.map((each) => addresses.intern(each));
    const address = ids.find((each) => family === null || addresses.family(each) === family);
    if (address === undefined) return this.#noFamily(text, family);
    const protocol = PROTOCOLS[found.protocol.toLowerCase()]!;
    return { address, port: found.port, protocol };
  }

  #noFamily(text: string, family: 4 | 6 | null): null {
    const found = `${JSON.stringify(text)} has no IPv${family} address`;
    return this.#mistake("--to", found, "a target of the sender's family");
  }

  #namespace(option: string, { kind, namespace, name }: Reference): Namespace | null {
    if (kind === "pod") return this.#pod(option, namespace, name);
    if (kind === "container") return this.#container(option, name);
    const { hosts } = this.#run.transport.network;
    const nodes = this.#scenario.cluster.nodes.length;
    const among =
      kind === "node"
        ? hosts.slice(0, nodes)
        : kind === "host"
          ? hosts.filter((host) => this.#isDockerHost(host.name))
          : this.#outside();
    const found = among.find((host) => host.name === name);
    if (found !== undefined) return found.namespace;
    const known = among.map((host) => `${kind}/${host.name}`);
    return this.#unknown(option, `no ${kind} ${name}`, `${kind}/${name}`, known);
  }

  #pod(option: string, namespace: string, name: string): Namespace | null {
    const pods = [...this.#run.cluster.api.list("Pod")];
    const key = `${namespace}/${name}`;
    const pod = pods.find((each) => objectKey(each) === key);
    if (pod === undefined) {
      const known = pods.map(({ metadata }) => reference("pod", metadata));
      return this.#unknown(option, `no pod ${key}`, reference("pod", { namespace, name }), known);
    }
    const { namespaces, addresses } = this.#run.transport.network;
    const ips = pod.status.podIPs.map((text) => addresses.intern(text));
    const found = namespaces.find(
      (each) => each.alive && each.name === name && ips.some((ip) => each.addresses.has(ip)),
    );
    if (found !== undefined) return found;
    const what = `pod ${key} has no address (${pod.status.phase})`;
    return this.#mistake(option, what, "a pod that runs at that time");
  }

  /** In the host's network it has no namespace but the host's. */
  #container(option: string, name: string): Namespace | null {
    const { containers } = this.#scenario.docker;
    const spec = containers.find((each) => each.name === name);
    if (spec === undefined) {
      const known = containers.map((each) => `container/${each.name}`);
      return this.#unknown(option, `no container ${name}`, `container/${name}`, known);
    }
    const { hosts, namespaces } = this.#run.transport.network;
    const host = hosts.find((each) => each.name === spec.host)!;
    if (spec.network === "host") return host.namespace;
    const found = namespaces.find(
      (each) => each.alive && each.host === host.index && each.name === name,
    );
    const allowed = "a container that runs at that time";
    return found ?? this.#mistake(option, `container ${name} does not run`, allowed);
  }

  /** Hosts that are no nodes, track nothing and balance nobody's load: those of clients. */
  #outside(): Host[] {
    const { hosts } = this.#run.transport.network;
    const nodes = this.#scenario.cluster.nodes.length;
    return hosts
      .slice(nodes)
      .filter(({ conntrack, steering }) => conntrack === null && steering === null);
  }

  #addOutside(): Host {
    const { network } = this.#run.transport;
    const isDual = this.#scenario.cluster.nodes.some(({ status }) => status.internalIPs.length > 1);
    const address = isDual ? `${OUTSIDE_ADDRESS},${OUTSIDE_ADDRESS6}` : OUTSIDE_ADDRESS;
    return network.addHost({ name: "host", address, cores: 1, tracked: false });
  }

  #addressOf({ addresses }: Namespace, family: 4 | 6 | null): AddressId | undefined {
    const { network } = this.#run.transport;
    return [...addresses].find(
      (each) =>
        each !== network.addresses.loopback &&
        (family === null || network.addresses.family(each) === family),
    );
  }

  #unknown(option: string, found: string, meant: string, known: readonly string[]): null {
    const shown = known.length > 12 ? [...known.slice(0, 12), "..."] : known;
    const allowed = known.length === 0 ? "there are none" : `one of ${shown.join(", ")}`;
    return this.#mistake(option, found, allowed, nearest(meant, known));
  }

  #mistake(option: string, found: string, allowed: string, suggestion: string | null = null): null {
    this.mistakes.push(optionMistake(option, found, allowed, suggestion));
    return null;
  }
}

function reference(kind: string, { namespace, name }: { namespace: string; name: string }): string {
  return `${namespace === "default" ? "" : `${namespace}/`}${kind}/${name}`;
}

function portOf({ spec }: Service, wanted: string | null): ServicePort | null {
  const { ports } = spec;
  if (wanted === null) return ports.length === 1 ? ports[0]! : null;
  return ports.find(({ port, name }) => name === wanted || String(port) === wanted) ?? null;
}

function portText({ port, name }: ServicePort): string {
  return name === null ? String(port) : `${port} (${name})`;
}
