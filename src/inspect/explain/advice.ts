/**
 * Which setting would have avoided a failure: rules, each with its condition.
 *
 * Owns: the table. A rule speaks only where its condition shows that the setting would have helped this very request;
 * where none does there is nothing to set. To add one: a function and its line in the table. The figures in what it says
 * come from this run.
 */
import { seconds } from "../../engine/index.ts";
import { duration } from "../../output/index.ts";
import type { ResolvedClient } from "../../scenario/resolved.ts";
import type { LifeStage } from "../timeline/record.ts";
import type { Advice, Explanation } from "./record.ts";

/** What a rule looks at: the explanation so far, and the client as its scenario has it. */
export interface Evidence extends Omit<Explanation, "advice"> {
  readonly options: Pick<ResolvedClient, "retries" | "timeoutNs"> | null;
}

type Rule = (evidence: Evidence) => Omit<Advice, "rule"> | null;

/** Failures that a client learns of, or waits out, because nobody is there any more. */
const OF_GONE = new Set(["refused", "unreachable", "reset", "closed", "timeout", "misrouted"]);

/** The process went before the last node stopped sending to it. */
const preStop: Rule = ({ outcome, departure, life }) => {
  const exitedAtNs = stageAt(life, "container exited");
  if (departure?.change !== "removed" || !departure.isGraceful) return null;
  const { atNs, lastNodeAtNs } = departure;
  if (!OF_GONE.has(outcome ?? "") || exitedAtNs === null || lastNodeAtNs === null) return null;
  if (exitedAtNs >= lastNodeAtNs) return null;
  const sleepS = wholeSeconds(lastNodeAtNs - atNs);
  return {
    setting: `lifecycle.preStop.sleep.seconds: ${sleepS} or more, and terminationGracePeriodSeconds longer than that and the longest request together`,
    because: `the process had ended ${duration(exitedAtNs - atNs)} after its pod was told to go; the last node stopped sending to it ${duration(lastNodeAtNs - atNs)} after`,
  };
};

/** Its object went at once: nothing the pod says about its end is heard. */
const graceful: Rule = ({ outcome, departure }) => {
  if (departure?.change !== "removed" || departure.isGraceful) return null;
  const { atNs, lastNodeAtNs } = departure;
  if (!OF_GONE.has(outcome ?? "") || lastNodeAtNs === null) return null;
  return {
    setting: `delete with a grace period (in a scenario how: "delete"), and lifecycle.preStop.sleep.seconds: ${wholeSeconds(lastNodeAtNs - atNs)} or more`,
    because: `the pod's object was removed at once, so its process was stopped at once; the last node stopped sending to it ${duration(lastNodeAtNs - atNs)} later`,
  };
};

/** The node knew, and waited. */
const minSyncPeriod: Rule = ({ departure, rules }) => {
  if (rules === null || departure === null || departure.programmedAtNs === null) return null;
  const took = (name: string): number =>
    departure.stages.find(({ stage }) => stage === name)?.tookNs ?? 0;
  const waitNs = took("wait");
  const inTimeAtNs = departure.programmedAtNs - waitNs;
  if (waitNs === 0 || inTimeAtNs >= rules.decidedAtNs) return null;
  return {
    setting: `kube-proxy's minSyncPeriod: less than it is (0s lets every sync begin at once)`,
    because: `${rules.node} had been told ${duration(rules.decidedAtNs - (inTimeAtNs - took("sync")))} before the connection was opened, and waited ${duration(waitNs)} before it began to sync; without the wait its rules would have been in force ${duration(rules.decidedAtNs - inTimeAtNs)} before`,
  };
};

/** Another try would have found another endpoint. */
const retries: Rule = ({ outcome, tries, others, departure, options, endedAtNs }) => {
  if (outcome === null || options === null || endedAtNs === null || others === 0) return null;
  if (!OF_GONE.has(outcome) || tries.length < options.retries.maxAttempts) return null;
  const knownAtNs = departure?.programmedAtNs ?? null;
  if (departure !== null && knownAtNs === null) return null;
  const waitNs = knownAtNs === null ? 0 : Math.max(0, knownAtNs - endedAtNs);
  const backoff = waitNs === 0 ? "" : `, the last one ${duration(waitNs)} or more after this one`;
  const when = waitNs === 0 ? "" : `, which this node's rules choose among from then on`;
  return {
    setting: `the client's retries, attempts: ${tries.length + 1} or more${backoff}`,
    because: `${others} other endpoint${others === 1 ? "" : "s"} of the Service could be used${when}`,
  };
};

/** SIGKILL came while the request was with the server. */
const terminationGracePeriod: Rule = ({ outcome, life, tries, endedAtNs }) => {
  const killedAtNs = stageAt(life, "SIGKILL");
  const toldAtNs = stageAt(life, "told to go");
  const last = tries.at(-1);
  if (killedAtNs === null || toldAtNs === null || last === undefined || endedAtNs === null) {
    return null;
  }
  if (last.startedAtNs >= killedAtNs || endedAtNs < killedAtNs) return null;
  if (outcome !== "reset" && outcome !== "closed" && outcome !== "timeout") return null;
  return {
    setting: `terminationGracePeriodSeconds: more than ${wholeSeconds(killedAtNs - toldAtNs)}, by what the request still needed`,
    because: `SIGKILL came ${duration(killedAtNs - toldAtNs)} after the pod was told to go, when the request had been with it for ${duration(killedAtNs - last.startedAtNs)}`,
  };
};

/** Its container ran, which is all that is asked of a pod without a readiness probe; its process did not listen yet. */
const readinessProbe: Rule = ({ outcome, departure, packet, life, rules }) => {
  if (outcome !== "refused" || departure !== null || rules === null) return null;
  if (packet?.verdict.kind !== "delivered") return null;
  const ready = life?.steps.findLast(
    ({ stage, atNs }) => stage === "ready" && atNs <= rules.decidedAtNs,
  );
  if (ready === undefined) return null;
  return {
    setting:
      "readinessProbe: one that asks the port that the Service sends to (a pod without is ready as soon as its containers run)",
    because: `the pod had counted as ready for ${duration(rules.decidedAtNs - ready.atNs)}, and nobody listened there yet`,
  };
};

/** The server was there, and the client did not wait for it. */
const timeout: Rule = ({ outcome, departure, packet, options }) => {
  if (outcome !== "timeout" || departure !== null || options === null) return null;
  if (packet?.verdict.kind !== "delivered") return null;
  return {
    setting: `the client's timeout: more than ${duration(options.timeoutNs)}; or more replicas, or more concurrency, so that requests wait less`,
    because: "the connection reached a pod that was there to serve, and the answer was not yet due",
  };
};

const capacity: Rule = ({ outcome }) =>
  outcome === "overloaded"
    ? {
        setting: "the server's queueLimit or concurrency, or the number of replicas: more of any",
        because: "the pod's queue was full when the request came",
      }
    : null;

const localPorts: Rule = ({ outcome }) =>
  outcome === "no_local_port"
    ? {
        setting:
          "net.ipv4.ip_local_port_range: wider (in a scenario profile.network.tcp.localPortFirst and localPortLast); or more replicas of the client, each with ports of its own",
        because: "every local port was taken by a connection to the same destination",
      }
    : null;

const rules = {
  preStop,
  graceful,
  minSyncPeriod,
  readinessProbe,
  terminationGracePeriod,
  retries,
  timeout,
  capacity,
  localPorts,
} as const satisfies Readonly<Record<string, Rule>>;

export const adviceRules = Object.keys(rules);

export function adviceFor(evidence: Evidence): Advice[] {
  return Object.entries(rules).flatMap(([rule, advise]) => {
    const advice = advise(evidence);
    return advice === null ? [] : [{ rule, ...advice }];
  });
}

/** When a pod's life first came to a stage; null: never. */
export function stageAt(life: Evidence["life"], stage: LifeStage): number | null {
  return life?.steps.find((step) => step.stage === stage)?.atNs ?? null;
}

/** More than a duration. */
function wholeSeconds(ns: number): number {
  return Math.floor(ns / seconds(1)) + 1;
}
