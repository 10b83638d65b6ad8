/**
 * A node of the machine's own kernel, with pods behind it and clients in front.
 *
 * Owns: three namespaces and the wires between them: `node` has the rules and forwards, `pods` has every
 * endpoint's address and a server on each, `clients` has all other sources. Refuses to own: the rules.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { join } from "node:path";
import { Namespaces } from "./namespaces.ts";

export interface Dial {
  readonly protocol: "TCP" | "UDP";
  readonly source: string;
  readonly address: string;
  readonly port: number;
  readonly times: number;
}

export interface Places {
  readonly own: readonly string[];
  readonly endpoints: readonly { readonly address: string; readonly port: number }[];
  /** Sources that are neither. */
  readonly clients: readonly string[];
}

/** Gateways, on the wires' ends at the node. */
const GATEWAYS = { 4: "169.254.1.1", 6: "fe80::1" } as const;

export class Lab {
  readonly node: string;
  readonly #namespaces = new Namespaces();
  readonly #pods: string;
  readonly #clients: string;
  readonly #places: Places;
  readonly #family: 4 | 6;
  #server: ChildProcess | null = null;

  constructor(family: 4 | 6, places: Places) {
    this.#family = family;
    this.#places = places;
    this.node = this.#namespaces.add("node");
    this.#pods = this.#namespaces.add("pods");
    this.#clients = this.#namespaces.add("clients");
    try {
      this.#configure();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Starts the servers. */
  async listen(): Promise<void> {
    const { endpoints } = this.#places;
    const tcp = [...new Set(endpoints.map(({ port }) => port))];
    const udp = [...new Set(endpoints.map((each) => JSON.stringify([each.address, each.port])))];
    const ports = JSON.stringify({ tcp, udp: udp.map((text) => JSON.parse(text) as unknown) });
    const argv = ["netns", "exec", this.#pods, process.execPath, script("listen.mjs"), ports];
    const server = spawn("ip", argv, { stdio: ["ignore", "pipe", "inherit"] });
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.stdout.once("data", () => resolve());
      server.once("exit", () => reject(new Error("the servers did not start")));
    });
  }

  /** What the connections of each came to: "ip:port" and who the server saw, or an error. */
  dial(flows: readonly Dial[]): string[][] {
    const results: string[][] = flows.map(() => []);
    for (const namespace of [this.node, this.#pods, this.#clients]) {
      const here = flows.flatMap((flow, i) => (this.#homeOf(flow.source) === namespace ? [i] : []));
      if (here.length === 0) continue;
      const input = JSON.stringify(here.map((i) => flows[i]));
      const output = this.#namespaces.run(namespace, [process.execPath, script("dial.mjs")], input);
      for (const [k, result] of (JSON.parse(output) as string[][]).entries()) {
        results[here[k]!] = result;
      }
    }
    return results;
  }

  /** Replaces every rule of the node. */
  load(mode: "iptables" | "nftables", lines: readonly string[]): void {
    const text = `${lines.join("\n")}\n`;
    this.unload();
    const restore = this.#family === 4 ? "iptables-restore" : "ip6tables-restore";
    this.#namespaces.run(this.node, mode === "iptables" ? [restore] : ["nft", "-f", "-"], text);
  }

  /** As if there were no kube-proxy. */
  unload(): void {
    this.#namespaces.run(this.node, ["nft", "flush", "ruleset"]);
  }

  close(): void {
    this.#server?.kill("SIGKILL");
    this.#namespaces.delete();
  }

  #homeOf(source: string): string {
    const { own, endpoints } = this.#places;
    if (own.includes(source) || source === "127.0.0.1" || source === "::1") return this.node;
    return endpoints.some(({ address }) => address === source) ? this.#pods : this.#clients;
  }

  #configure(): void {
    const { endpoints, clients } = this.#places;
    this.#configureNode();
    this.#wire(this.#pods, "pods0", [...new Set(endpoints.map(({ address }) => address))]);
    this.#wire(this.#clients, "clients0", clients);
    // What no rule sends to an endpoint goes where nobody answers.
    this.#ip(this.node, `-${this.#family}`, "route", "add", "default", "dev", "clients0");
  }

  #configureNode(): void {
    // route_localnet as kube-proxy sets it; no limit on ICMP errors, so that each REJECT shows.
    const v4 = {
      ip_forward: 1,
      icmp_ratelimit: 0,
      "conf/all/route_localnet": 1,
      "conf/all/rp_filter": 0,
      "conf/default/rp_filter": 0,
      "conf/all/send_redirects": 0,
      "conf/default/send_redirects": 0,
    };
    const v6 = { "conf/all/forwarding": 1, "conf/default/accept_dad": 0, "icmp/ratelimit": 0 };
    for (const [name, value] of Object.entries(v4)) this.#set(this.node, `ipv4/${name}`, value);
    for (const [name, value] of Object.entries(v6)) this.#set(this.node, `ipv6/${name}`, value);
    for (const address of this.#places.own) this.#address(this.node, "lo", address);
  }

  /** A namespace behind the node, which routes those addresses there. */
  #wire(namespace: string, device: string, addresses: readonly string[]): void {
    const gateway = GATEWAYS[this.#family];
    this.#set(namespace, "ipv6/conf/default/accept_dad", 0);
    this.#ip(this.node, "link", "add", device, "type", "veth", "peer", "eth0", "netns", namespace);
    this.#address(this.node, device, gateway);
    this.#ip(this.node, "link", "set", device, "up");
    this.#ip(namespace, "link", "set", "eth0", "up");
    for (const address of addresses) {
      this.#address(namespace, "eth0", address);
      this.#ip(this.node, `-${this.#family}`, "route", "add", address, "dev", device);
    }
    const route = ["route", "add", "default", "via", gateway, "dev", "eth0", "onlink"];
    this.#ip(namespace, `-${this.#family}`, ...route);
  }

  #address(namespace: string, device: string, address: string): void {
    const options = this.#family === 4 ? [] : ["nodad"];
    const length = this.#family === 4 ? 32 : address.startsWith("fe80") ? 64 : 128;
    this.#ip(namespace, "address", "add", `${address}/${length}`, "dev", device, ...options);
  }

  #ip(namespace: string, ...argv: readonly string[]): void {
    this.#namespaces.run(namespace, ["ip", ...argv]);
  }

  #set(namespace: string, path: string, value: number): void {
    const name = `net/${path}=${value}`.replaceAll("/", ".");
    this.#namespaces.run(namespace, ["sysctl", "-qw", name]);
  }
}

function script(name: string): string {
  return join(import.meta.dirname, name);
}
