/**
 * A proxier that is given one change after another, as upstream's TestSyncProxyRulesRepeated has them, and what each
 * of its syncs writes, counted in the rules as they are rendered.
 *
 * Owns: the changes by the words of the data, and counting. What is written is the proxier's own affair: it tells
 * which Services a sync puts in force.
 */
import { seconds } from "../../src/engine/index.ts";
import { objectKey, type EndpointSlice, type Service } from "../../src/kubernetes/api/types.ts";
import { newMeta } from "../../src/kubernetes/controllers/pods.ts";
import { kubeProxyProfile } from "../../src/kubernetes/proxy/profile.ts";
import type { NodeView } from "../../src/kubernetes/proxy/route.ts";
import { proxyModes } from "../../src/kubernetes/proxy/modes/index.ts";
import type { Chain, Ruleset } from "../../src/inspect/rules/contract.ts";
import { ruleRenderers } from "../../src/inspect/rules/index.ts";
import { parsePrefix } from "../../src/network/address.ts";
import { endpoint, service } from "../helpers/kube-objects.ts";
import { runningProxies } from "../helpers/running-proxies.ts";

export interface Counts {
  /** iptables: rules of table nat that the sync writes, and that are there after it. */
  readonly rulesWritten: number;
  readonly rulesTotal: number;
  /** nftables: what the transaction holds. */
  readonly operations: number;
}

type Mode = "iptables" | "nftables";

/** A sync lasts 100 ms, and a second passes between two; a failed one is tried again after 30 s. */
const STEP_NS = seconds(100);

function serviceNamed(n: number): Service {
  const port = n === 2 ? 8080 : 80;
  const made = service(
    {
      clusterIP: `172.30.0.4${n}`,
      ports: [{ name: `p${port}`, protocol: "TCP", port, targetPort: port, nodePort: null }],
    },
    `svc${n}`,
  );
  return { ...made, metadata: newMeta(`ns${n}`, `svc${n}`) };
}

function sliceOf(n: number, addresses: readonly string[]): EndpointSlice {
  const of = serviceNamed(n);
  return {
    kind: "EndpointSlice",
    metadata: newMeta(`ns${n}`, `svc${n}-1`),
    service: objectKey(of),
    addressType: "IPv4",
    ports: of.spec.ports.map(({ name, protocol, port }) => ({ name, protocol, port })),
    endpoints: addresses.map((address) => endpoint(address, { nodeName: "" })),
  };
}

export class RepeatedSyncs {
  readonly #mode: Mode;
  readonly #run: ReturnType<typeof runningProxies>;
  /** Services that the last sync has put in force. */
  readonly #written = new Set<string>();
  #before: Ruleset;

  constructor(mode: Mode) {
    this.#mode = mode;
    this.#run = runningProxies({
      services: [1, 2].map(serviceNamed),
      slices: [1, 2].map((n) => sliceOf(n, [`10.0.${n}.1`])),
      cold: true,
      mode: proxyModes[mode],
      told: { programmed: (key) => void this.#written.add(key) },
    });
    this.#before = this.#rendered();
  }

  /** Makes the change that the data words so, and waits for its sync. */
  step(words: string): Counts {
    const change = CHANGES.find(([pattern]) => pattern.test(words));
    if (change === undefined) throw new Error(`unknown change "${words}"`);
    this.#written.clear();
    change[1](this.#run);
    this.#run.sim.run(this.#run.sim.nowNs + STEP_NS);
    const full = this.#run.proxies[0]!.of(4)!.lastWork?.full === true;
    const after = this.#rendered();
    const counts = {
      ...countRules(after, (key) => full || this.#written.has(key)),
      operations: countOperations(this.#before, after, this.#written),
    };
    this.#before = after;
    return counts;
  }

  #rendered(): Ruleset {
    const { addresses, proxies } = this.#run;
    const proxier = proxies[0]!.of(4)!;
    const own = addresses.intern("192.168.0.2");
    const view: NodeView = {
      addresses,
      isOwn: (address) => address === own,
      isLoopback: () => false,
      isHere: () => false,
      primaryAddresses: [own],
      podNetworks: [parsePrefix("10.0.0.0/8")],
      masqueradeAll: false,
      nodePortAddresses: [],
      localhostNodePorts: true,
      serviceCIDRs: [],
    };
    return ruleRenderers[this.#mode].render({
      table: proxier.table,
      view,
      size: proxier.size(),
      profile: kubeProxyProfile,
      kernel: null,
      ownAddresses: [own],
      family: 4,
    });
  }
}

type Change = (run: ReturnType<typeof runningProxies>) => void;

const put =
  (n: number, addresses: readonly string[]): Change =>
  ({ hand }) => {
    const made = sliceOf(n, addresses);
    hand.patch("EndpointSlice", objectKey(made), (stored) => ({
      ...stored,
      endpoints: made.endpoints,
    }));
  };

/** A sync that finds nothing to write: a slice of a Service that there is not asks for it. */
const idle: Change = ({ hand, sim }) => {
  hand.create("EndpointSlice", {
    ...sliceOf(9, []),
    metadata: newMeta("ns9", `of-nobody-${sim.nowNs}`),
  });
};

/** By their words, the first that fits. The Services are those of upstream's test, in its order. */
const CHANGES: readonly (readonly [RegExp, Change])[] = [
  [
    /fail/i,
    (run) => (
      run.proxies[0]!.breakSyncsUntil(run.sim.nowNs + seconds(1)),
      put(3, ["10.0.3.2", "10.0.3.3"])(run)
    ),
  ],
  [/initial|first sync|start/i, () => {}],
  [/no (new )?change|nothing|idle|stale|without changes/i, idle],
  [
    /(add|new).*service.*without|(add|new).*service.*no endpoint/i,
    ({ hand }) => hand.create("Service", serviceNamed(4)),
  ],
  [
    /add.*(its|their|the service's) endpoints?|endpoints? of (the|that) new/i,
    ({ hand }) => hand.create("EndpointSlice", sliceOf(4, ["10.0.4.1"])),
  ],
  [/(add|new)[^,;]*endpoint[^,;]*(to|of) (a|an|the|existing)/i, put(3, ["10.0.3.2", "10.0.3.3"])],
  [
    /(add|new).*service/i,
    ({ hand }) => {
      hand.create("Service", serviceNamed(3));
      hand.create("EndpointSlice", sliceOf(3, ["10.0.3.1"]));
    },
  ],
  [
    /(delete|remove).*service(?!.*endpoints)/i,
    ({ hand }) => hand.delete("Service", objectKey(serviceNamed(2)), {}),
  ],
  [/restore/i, put(3, ["10.0.3.2", "10.0.3.3"])],
  [/empty|remove.*endpoints/i, put(3, [])],
  [/(change|replace|update).*endpoint/i, put(3, ["10.0.3.2"])],
];

/** KUBE- chains of table nat: the shared ones are written in each sync, those of a Service with it. */
function countRules(
  { tables }: Ruleset,
  isWritten: (service: string) => boolean,
): Pick<Counts, "rulesWritten" | "rulesTotal"> {
  const nat = tables.find(({ name }) => name === "nat");
  let rulesWritten = 0;
  let rulesTotal = 0;
  for (const chain of nat?.chains.values() ?? []) {
    if (!chain.name.startsWith("KUBE-")) continue;
    rulesTotal += chain.rules.length;
    const owner = /^KUBE-(SVC|SVL|SEP|EXT|FW)-/.test(chain.name) ? ownerOf(chain) : null;
    if (owner === null || isWritten(owner)) rulesWritten += chain.rules.length;
  }
  return { rulesWritten, rulesTotal };
}

/** The comment of iptables' rules, and the name of nftables' chains. */
function ownerOf({ name, rules }: Chain): string | null {
  const found = /\b(ns\d+\/svc\d+)\b/.exec(`${name} ${rules.map(({ text }) => text).join(" ")}`);
  return found?.[1] ?? null;
}

/**
 * Elements that come and go; of Services that are written, each chain is added, flushed and filled; a chain that
 * goes is flushed (it is deleted later, in a transaction of its own).
 */
function countOperations(before: Ruleset, after: Ruleset, written: ReadonlySet<string>): number {
  const [was, is] = [elementsOf(before), elementsOf(after)];
  let operations = 0;
  for (const element of is) if (!was.has(element)) operations++;
  for (const element of was) if (!is.has(element)) operations++;
  const [chainsBefore, chainsAfter] = [before, after].map(({ tables }) => tables[0]!.chains);
  for (const chain of chainsAfter!.values()) {
    const owner = ownerOf({ ...chain, rules: [] });
    if (owner !== null && written.has(owner)) operations += 2 + chain.rules.length;
  }
  for (const name of chainsBefore!.keys()) if (!chainsAfter!.has(name)) operations++;
  return operations;
}

/** Of all sets and maps, each with the name of its own. */
function elementsOf({ lines }: Ruleset): Set<string> {
  const found = new Set<string>();
  let set = "";
  let isInside = false;
  for (const line of lines) {
    const head = /^\s*(?:set|map) (\S+) \{/.exec(line);
    if (head !== null) set = head[1]!;
    const begins = line.includes("elements = {");
    if (begins) isInside = true;
    if (!isInside) continue;
    const text = line.replace(/^.*elements = \{/, "").replace(/\}\s*$/, "");
    for (const each of text.split(",")) if (each.trim() !== "") found.add(`${set} ${each.trim()}`);
    if (line.trimEnd().endsWith("}")) isInside = false;
  }
  return found;
}
