/**
 * Priority and fairness: which requests count together, and how many of them run at a time.
 *
 * Owns: the priority levels, the flow schemas that lead to them, and the seats of each level. Refuses to
 * own: the queues of one level (priorityLevel.ts). Source: apiserver
 * pkg/apis/flowcontrol/bootstrap/default.go; timings §6. Lending: borrowing.ts.
 */
import type { Simulation } from "../../engine/index.ts";
import { Borrowing } from "./borrowing.ts";
import { PriorityLevel, type PriorityLevelSpec } from "./priorityLevel.ts";
import type { ApiServerProfile } from "./profile.ts";
import type { Kind } from "./types.ts";

/**
 * The suggested and mandatory levels. `shares` of all seats, of which `lendable` per cent may be lent; queues of
 * `length`, of which a flow has a hand.
 */
export const priorityLevels = {
  exempt: null,
  "node-high": { shares: 40, queues: 64, handSize: 6, lendable: 25, length: 50 },
  system: { shares: 30, queues: 64, handSize: 6, lendable: 33, length: 50 },
  "leader-election": { shares: 10, queues: 16, handSize: 4, lendable: 0, length: 50 },
  "workload-high": { shares: 40, queues: 128, handSize: 6, lendable: 50, length: 50 },
  "workload-low": { shares: 100, queues: 128, handSize: 6, lendable: 90, length: 50 },
  "global-default": { shares: 20, queues: 128, handSize: 6, lendable: 50, length: 50 },
  /** Rejects what finds no seat. */
  "catch-all": { shares: 5, queues: 0, handSize: 0, lendable: 0, length: 0 },
} as const satisfies Readonly<Record<string, LendingSpec | null>>;

interface LendingSpec extends PriorityLevelSpec {
  readonly lendable: number;
}

export type PriorityLevelName = keyof typeof priorityLevels;

/** What a request is judged by. */
export interface RequestInfo {
  /** "system:node:NAME", "system:kube-scheduler", "system:serviceaccount:NAMESPACE:NAME" ... */
  readonly user: string;
  readonly kind: Kind;
  readonly namespace: string;
}

interface FlowSchema {
  readonly name: string;
  readonly level: PriorityLevelName;
  readonly matches: (request: RequestInfo) => boolean;
  readonly distinguisher: "user" | "namespace";
}

const CONTROL_PLANE = new Set(["system:kube-controller-manager", "system:kube-scheduler"]);
const isNode = (user: string): boolean => user.startsWith("system:node:");
const isKubeSystem = (user: string): boolean =>
  user.startsWith("system:serviceaccount:kube-system:");

/** In order of precedence: the first that matches decides. */
export const flowSchemas: readonly FlowSchema[] = [
  {
    name: "exempt",
    level: "exempt",
    matches: ({ user }) => user === "system:masters",
    distinguisher: "user",
  },
  {
    name: "system-leader-election",
    level: "leader-election",
    matches: ({ user, kind }) =>
      kind === "Lease" && (CONTROL_PLANE.has(user) || isKubeSystem(user)),
    distinguisher: "user",
  },
  {
    name: "system-node-high",
    level: "node-high",
    matches: ({ user, kind }) => isNode(user) && (kind === "Node" || kind === "Lease"),
    distinguisher: "user",
  },
  {
    name: "system-nodes",
    level: "system",
    matches: ({ user }) => isNode(user),
    distinguisher: "user",
  },
  {
    name: "kube-controller-manager",
    level: "workload-high",
    matches: ({ user }) => user === "system:kube-controller-manager",
    distinguisher: "namespace",
  },
  {
    name: "kube-scheduler",
    level: "workload-high",
    matches: ({ user }) => user === "system:kube-scheduler",
    distinguisher: "namespace",
  },
  {
    name: "kube-system-service-accounts",
    level: "workload-high",
    matches: ({ user }) => isKubeSystem(user),
    distinguisher: "namespace",
  },
  {
    name: "service-accounts",
    level: "workload-low",
    matches: ({ user }) => user.startsWith("system:serviceaccount:"),
    distinguisher: "user",
  },
  {
    name: "global-default",
    level: "global-default",
    matches: ({ user }) => user !== "",
    distinguisher: "user",
  },
  { name: "catch-all", level: "catch-all", matches: () => true, distinguisher: "user" },
];

/** Where a request goes: its level, and its flow within. */
export interface Classified {
  /** null: exempt, never held up. */
  readonly level: PriorityLevel | null;
  readonly flow: string;
}

export class FlowControl {
  readonly levels = new Map<PriorityLevelName, PriorityLevel>();

  constructor(sim: Simulation, profile: ApiServerProfile) {
    const seats = profile.maxRequestsInflight + profile.maxMutatingRequestsInflight;
    const lender = new Borrowing(sim, profile.borrowing, seats);
    let shares = 0;
    for (const spec of Object.values(priorityLevels)) shares += spec?.shares ?? 0;
    for (const [name, spec] of Object.entries(priorityLevels)) {
      if (spec === null) continue;
      // NominalConcurrencyLimit: the share, rounded up.
      const limit = Math.ceil((seats * spec.shares) / shares);
      const waitLimitNs = profile.requestTimeoutNs / 4;
      const level = new PriorityLevel(sim, spec, limit, waitLimitNs, lender);
      this.levels.set(name as PriorityLevelName, level);
      lender.add(level, spec.lendable);
    }
    lender.begin();
  }

  classify(request: RequestInfo): Classified {
    const schema = flowSchemas.find(({ matches }) => matches(request))!;
    const by = schema.distinguisher === "user" ? request.user : request.namespace;
    return { level: this.levels.get(schema.level) ?? null, flow: `${schema.name}/${by}` };
  }

  /** Requests that wait for a seat. */
  get waiting(): number {
    let sum = 0;
    for (const level of this.levels.values()) sum += level.waiting;
    return sum;
  }
}
