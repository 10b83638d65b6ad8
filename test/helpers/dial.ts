/**
 * A small running cluster, in which a test opens connections by hand.
 *
 * Owns: two nodes with web pods behind one Service, brought up through the scenario language, and dialling
 * from any namespace. What a test changes of the Service or the profile it changes in the resolved scenario.
 */
import { seconds } from "../../src/engine/index.ts";
import type { Service } from "../../src/kubernetes/api/types.ts";
import type { KubeProxyProfile } from "../../src/kubernetes/proxy/profile.ts";
import type { Namespace } from "../../src/network/host.ts";
import type { Socket, SocketError } from "../../src/network/socket.ts";
import { compile, type Run } from "../../src/scenario/compile.ts";
import { defaultProfile } from "../../src/scenario/profile.ts";
import { loadFiles, scenarioText, webManifest } from "../scenario/files.ts";

/** What became of a connection. */
export interface Dialled {
  outcome: "connected" | SocketError | "nothing";
  /** Name of the namespace that accepted it, and the address it saw as the client's. */
  server: string;
  seenAs: string;
  readonly socket: Socket | null;
}

export interface DialOptions {
  readonly replicas?: number;
  readonly kubeProxy?: Partial<KubeProxyProfile>;
  readonly spec?: Partial<Service["spec"]>;
  readonly nodes?: number;
}

export interface DialledCluster {
  readonly run: Run;
  readonly service: Service;
  readonly clusterIP: string;
  /** Address of node number `index`. */
  nodeIP(index: number): string;
  /** Namespace of a web pod, in order of the network's guests. */
  pod(index: number): Namespace;
  /** Pods on node number `index`. */
  podsOn(index: number): Namespace[];
  node(index: number): Namespace;
  /** A machine on the switch, beside the cluster. */
  readonly outside: Namespace;
  dial(from: Namespace, address: string, port?: number): Dialled;
}

export async function dialledCluster(options: DialOptions = {}): Promise<DialledCluster> {
  const { replicas = 4, nodes = 2 } = options;
  const manifest = webManifest({ replicas, service: "\n  type: NodePort" });
  const loaded = await loadFiles(
    { "scenario.ts": scenarioText(), "web.yaml": manifest },
    { profile: defaultProfile },
  );
  const { cluster, profile } = loaded;
  const written = cluster.services[0]!;
  const service = { ...written, spec: { ...written.spec, ...options.spec } };
  const run = compile(
    {
      ...loaded,
      cluster: { ...cluster, services: [service], nodes: cluster.nodes.slice(0, nodes) },
      profile: {
        ...profile,
        kubernetes: {
          ...profile.kubernetes,
          kubeProxy: { ...profile.kubernetes.kubeProxy, ...options.kubeProxy },
        },
      },
    },
    [],
  );
  const { network } = run.transport;
  const outside = network.addHost({
    name: "outside",
    address: "203.0.113.9",
    cores: 1,
    tracked: false,
  }).namespace;
  const guests = network.namespaces.filter(({ kind }) => kind === "guest");
  const dial = (from: Namespace, address: string, port = 8080): Dialled => {
    const id = network.addresses.intern(address);
    const handler = {
      connected: (socket: Socket) => {
        const peer = run.transport.sockets.all[socket.peer]!;
        dialled.outcome = "connected";
        dialled.server = peer.namespace!.name;
        dialled.seenAs = network.addresses.text(peer.remoteAddress);
      },
      failed: (_socket: Socket, error: SocketError) => {
        dialled.outcome = error;
      },
      message: () => {},
      peerClosed: () => {},
    };
    const dialled: Dialled = {
      outcome: "nothing",
      server: "",
      seenAs: "",
      socket: run.transport.connect(from, id, port, handler, 0),
    };
    run.runUntil(run.nowNs + seconds(0.2));
    return dialled;
  };
  return {
    run,
    service,
    clusterIP: service.spec.clusterIP,
    nodeIP: (index) => cluster.nodes[index]!.status.internalIP,
    pod: (index) => guests[index]!,
    podsOn: (index) => guests.filter(({ host }) => host === index),
    node: (index) => network.hosts[index]!.namespace,
    outside,
    dial,
  };
}
