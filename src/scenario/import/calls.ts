/**
 * Who calls whom, guessed from what containers are told: environment, arguments and ConfigMaps that name a
 * Service.
 *
 * Owns: the guess, and why each call is believed. It is printed, and meant to be edited. Refuses to own:
 * what a call does (workload/).
 */
import { isRecord } from "../schema/reading.ts";
import { listAt, recordAt, textAt, type RawValue } from "./json.ts";
import { isWorkload, referenceTo, selects, type Subject } from "./subject.ts";

/** One guess. */
export interface GuessedCall {
  readonly from: Subject;
  readonly to: Subject;
  /** "svc/cart:7070". */
  readonly target: string;
  /** "env CART_SERVICE_ADDR=cartservice:7070". */
  readonly because: string;
}

/** A Service that something names, and that is not called after all. */
export interface PassedCall {
  readonly from: Subject;
  readonly because: string;
  readonly reason: string;
}

export interface Calls {
  readonly calls: readonly GuessedCall[];
  readonly passed: readonly PassedCall[];
}

/**
 * A host, perhaps with the name of a pod before it, with a namespace, the cluster's domain and a port, as it stands
 * in URLs and lists.
 */
const HOSTS =
  /(?:^|[/@,;=\s"'[({|])(?:([a-z0-9][-a-z0-9]*-\d+)\.(?!svc\b))?([a-z0-9](?:[-a-z0-9]*[a-z0-9])?)(?:\.([a-z0-9](?:[-a-z0-9]*[a-z0-9])?))?(?:\.svc(?:\.[a-z0-9.-]+)?)?\.?(?::(\d{1,5}))?(?=$|[/,;?\s"'\])}|])/g;
/** Names of variables whose value is a host even without a port. */
const NAMES_A_HOST =
  /(^|_|[a-z])(ADDR(ESS(ES)?)?|HOSTS?(NAME)?|URLS?|URIS?|SERVICES?|ENDPOINTS?|SERVERS?|UPSTREAMS?|BACKENDS?|BROKERS?|TARGETS?|PEERS?|MASTER|REDIS|DB|DATABASE|MONGO|DSN)(_[A-Z0-9_]+)?$/i;

/** ... and of those whose value only looks like one. */
const NAMES_NO_HOST =
  /_(NAME|USER|USERNAME|PASS|PASSWORD|ID|TYPE|SCHEMA|TABLE|KEY|VERSION|NAMESPACE|PREFIX|PATH|PORT)$/i;

/** What traces, metrics and logs are sent to, beside the requests. */
const TELEMETRY =
  /(^|-)(otel|otelcol|opentelemetry|jaeger|zipkin|tempo|statsd|pushgateway|fluentd|fluent|loki|datadog|newrelic|skywalking)(-|$)/;

/** @param subjects everything that was read, ConfigMaps too */
export function guessCalls(subjects: readonly Subject[]): Calls {
  const services = subjects.filter(({ kind, isDropped }) => kind === "Service" && !isDropped);
  const byKey = new Map(services.map((service) => [service.key, service]));
  const configs = new Map(
    subjects.filter(({ kind }) => kind === "ConfigMap").map((each) => [each.key, each]),
  );
  const calls: GuessedCall[] = [];
  const passed: PassedCall[] = [];
  const graph = new Graph(subjects.filter((each) => isWorkload(each) && !each.isDropped));
  for (const from of graph.workloads) {
    const seen = new Set<string>();
    for (const { text, because, isHost } of toldOf(from, configs)) {
      for (const { service, port } of servicesIn(text, from.namespace, byKey, isHost)) {
        if (seen.has(service.key)) continue;
        seen.add(service.key);
        const target = targetOf(service, port) ?? graph.nameOf(service, port);
        const reason =
          target === null
            ? whyNone(service)
            : TELEMETRY.test(service.name) && !TELEMETRY.test(from.name)
              ? "telemetry, which no request waits for"
              : graph.refusal(from, service);
        if (reason !== null || target === null) {
          if (reason !== "itself") passed.push({ from, because, reason: reason ?? "" });
          continue;
        }
        graph.add(from, service);
        calls.push({ from, to: service, target, because });
      }
    }
  }
  return { calls, passed };
}

/** Workloads and the calls between them, without a circle. */
class Graph {
  readonly workloads: readonly Subject[];
  readonly #index: PodIndex;
  readonly #next = new Map<Subject, Subject[]>();

  constructor(workloads: readonly Subject[]) {
    this.workloads = workloads;
    this.#index = new PodIndex(workloads);
  }

  refusal(from: Subject, service: Subject): string | null {
    const behind = this.#index.behind(service);
    if (behind.includes(from)) return "itself";
    if (behind.length === 0) return `${service.title} has no pods`;
    const circle = behind.some((each) => this.#reaches(each, from));
    return circle ? "it would close a circle of calls" : null;
  }

  nameOf(service: Subject, port: number | null): string | null {
    return nameTargetOf(service, port, this.#index);
  }

  add(from: Subject, service: Subject): void {
    this.#next.set(from, [...(this.#next.get(from) ?? []), ...this.#index.behind(service)]);
  }

  #reaches(from: Subject, to: Subject): boolean {
    const seen = new Set([from]);
    for (const at of seen) {
      if (at === to) return true;
      for (const next of this.#next.get(at) ?? []) seen.add(next);
    }
    return false;
  }
}

/** Workloads by the labels of their pods: of thousands few have to be compared with a selector. */
export class PodIndex {
  readonly #byPair = new Map<string, Subject[]>();
  readonly #behind = new Map<Subject, readonly Subject[]>();
  readonly #served = new Set<Subject>();

  constructor(workloads: readonly Subject[]) {
    for (const workload of workloads) {
      for (const [label, value] of Object.entries(workload.podLabels())) {
        const key = `${workload.namespace} ${label}=${String(value)}`;
        const known = this.#byPair.get(key);
        if (known === undefined) this.#byPair.set(key, [workload]);
        else known.push(workload);
      }
    }
  }

  /** The workloads whose pods a Service selects. */
  behind(service: Subject): readonly Subject[] {
    let behind = this.#behind.get(service);
    if (behind === undefined) {
      const selector = recordAt(service.value, "spec", "selector");
      const [pair] = Object.entries(selector ?? {});
      const near =
        pair === undefined
          ? []
          : this.#byPair.get(`${service.namespace} ${pair[0]}=${String(pair[1])}`);
      behind = (near ?? []).filter((each) => selects(selector, each.podLabels()));
      this.#behind.set(service, behind);
      for (const each of behind) this.#served.add(each);
    }
    return behind;
  }

  /** Whether one of the Services asked for so far has it behind it. */
  isServed(workload: Subject): boolean {
    return this.#served.has(workload);
  }
}

interface Told {
  readonly text: string;
  readonly because: string;
  /** The whole text may be a host without a port. */
  readonly isHost: boolean;
}

function* toldOf(subject: Subject, configs: ReadonlyMap<string, Subject>): Generator<Told> {
  for (const container of listAt(subject.podSpec(), "containers").filter(isRecord)) {
    yield* environmentOf(container, subject.namespace, configs);
    for (const field of ["command", "args"]) {
      for (const word of listAt(container, field)) {
        if (typeof word !== "string" || word.length > 4096) continue;
        yield { text: word, because: `${field} ${shortened(word)}`, isHost: false };
      }
    }
  }
}

function* environmentOf(
  container: RawValue,
  namespace: string,
  configs: ReadonlyMap<string, Subject>,
): Generator<Told> {
  const configured = (name: string | null): RawValue =>
    recordAt(configs.get(`${namespace}/${name}`)?.raw.value, "data") ?? {};
  const told = (name: string, text: unknown, from: string): Told[] =>
    typeof text !== "string" || text.length > 4096
      ? []
      : [{ text, because: `${from} ${name}=${shortened(text)}`, isHost: namesHost(name) }];
  const known = new Map<string, string>();
  for (const each of listAt(container, "env").filter(isRecord)) {
    const name = textAt(each, "name") ?? "";
    const value = expanded(each["value"], known);
    if (typeof value === "string") known.set(name, value);
    yield* told(name, value, "env");
    const reference = recordAt(each, "valueFrom", "configMapKeyRef");
    if (reference === null) continue;
    const data = configured(textAt(reference, "name"));
    yield* told(name, data[textAt(reference, "key") ?? ""], "ConfigMap");
  }
  for (const each of listAt(container, "envFrom").filter(isRecord)) {
    const data = configured(textAt(each, "configMapRef", "name"));
    for (const [name, text] of Object.entries(data)) yield* told(name, text, "ConfigMap");
  }
}

function namesHost(name: string): boolean {
  return NAMES_A_HOST.test(name) && !(NAMES_NO_HOST.test(name) && !/HOST_?NAME$/i.test(name));
}

/** As the kubelet does it: $(NAME) of a variable that was written before. */
function expanded(text: unknown, known: ReadonlyMap<string, string>): unknown {
  if (typeof text !== "string" || !text.includes("$(")) return text;
  return text.replace(
    /\$\(([A-Za-z_][A-Za-z0-9_]*)\)/g,
    (whole, name: string) => known.get(name) ?? whole,
  );
}

function* servicesIn(
  text: string,
  namespace: string,
  services: ReadonlyMap<string, Subject>,
  isHost: boolean,
): Generator<{ service: Subject; port: number | null }> {
  for (const match of text.matchAll(HOSTS)) {
    const [whole, pod, name = "", domain, port] = match;
    const service =
      services.get(`${domain ?? namespace}/${name}`) ??
      (domain === "svc" ? services.get(`${namespace}/${name}`) : undefined) ??
      // "cart-1.shop" may be Service cart-1 of namespace shop as well.
      (pod === undefined ? undefined : services.get(`${name}/${pod}`));
    if (service === undefined) continue;
    const isUrl = whole.startsWith("/") || whole.startsWith("@");
    const isQualified = domain !== undefined || pod !== undefined;
    if (port === undefined && !isQualified && !isUrl && !(isHost && whole === text)) continue;
    yield { service, port: port === undefined ? null : Number(port) };
  }
}

/** null: nobody can call it by its ClusterIP. */
export function targetOf(service: Subject, port: number | null): string | null {
  if (textAt(service.value, "spec", "clusterIP") === "None") return null;
  if (textAt(service.value, "spec", "type") === "ExternalName") return null;
  const ports = listAt(service.value, "spec", "ports")
    .filter(isRecord)
    .filter((each) => (each["protocol"] ?? "TCP") === "TCP");
  const chosen = ports.find((each) => each["port"] === port) ?? ports[0];
  return chosen === undefined ? null : `${referenceTo(service)}:${String(chosen["port"])}`;
}

/** A headless Service is called by its name, and by the port that its pods listen on. */
export function nameTargetOf(
  service: Subject,
  port: number | null,
  index: PodIndex,
): string | null {
  if (textAt(service.value, "spec", "clusterIP") !== "None") return null;
  const ports = listAt(service.value, "spec", "ports").filter(isRecord);
  const tcp = ports.filter((each) => (each["protocol"] ?? "TCP") === "TCP");
  const chosen = tcp.find((each) => each["port"] === port) ?? tcp[0];
  const containers = index.behind(service).flatMap((each) => listAt(each.podSpec(), "containers"));
  const declared = containers.flatMap((each) => listAt(each, "ports")).filter(isRecord);
  const target = chosen?.["targetPort"] ?? chosen?.["port"];
  const number =
    typeof target === "string"
      ? declared.find(({ name }) => name === target)?.["containerPort"]
      : (target ?? port ?? declared[0]?.["containerPort"]);
  return typeof number === "number" ? `dns://${service.name}.${service.namespace}:${number}` : null;
}

function whyNone(service: Subject): string {
  if (textAt(service.value, "spec", "clusterIP") === "None")
    return `${service.title} is headless, and nobody says on which port its pods listen`;
  if (textAt(service.value, "spec", "type") === "ExternalName")
    return `${service.title} is a name outside of the cluster`;
  return `${service.title} has no TCP port`;
}

/** Values may hold passwords: of a URL with one nothing but the host is shown. */
function shortened(text: string): string {
  const safe = text.replace(/\/\/[^/@\s]*@/g, "//...@");
  return safe.length <= 60 ? safe : `${safe.slice(0, 57)}...`;
}
