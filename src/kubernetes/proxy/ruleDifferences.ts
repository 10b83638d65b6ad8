/**
 * How much two versions of a Service's rules differ.
 *
 * Owns: counting endpoints of rules, and those that one version has and another has not. Refuses to own: what a
 * sync makes of it (kubeProxy.ts) and what it costs (modes/).
 */
import type { ServicePortRules } from "./rules.ts";

/** Endpoints that these rules hold, port by port. */
export function countEndpoints(rules: readonly ServicePortRules[]): number {
  let count = 0;
  for (const { all } of rules) count += all.length;
  return count;
}

/** Whether the same endpoints serve before and after, port by port. */
export function sameServing(
  before: readonly ServicePortRules[],
  after: readonly ServicePortRules[],
): boolean {
  return (
    before.length === after.length &&
    before.every(({ serving }, i) => serving.join() === after[i]!.serving.join())
  );
}

/** Endpoints that are in `these` and not in `those`, port by port. */
export function countMissing(
  these: readonly ServicePortRules[],
  those: readonly ServicePortRules[],
): number {
  let count = 0;
  for (const rules of these) {
    const other = those.find((each) => each.position === rules.position);
    count += other === undefined ? rules.all.length : missingFrom(other, rules);
  }
  return count;
}

/** Nodes share the versions of rules: what differs between two of them is found once for all nodes. */
const missing = new WeakMap<ServicePortRules, WeakMap<ServicePortRules, number>>();

function missingFrom(other: ServicePortRules, rules: ServicePortRules): number {
  let known = missing.get(other);
  if (known === undefined) missing.set(other, (known = new WeakMap()));
  let count = known.get(rules);
  if (count === undefined) {
    const texts = new Set(other.all.map(({ text }) => text));
    count = rules.all.filter(({ text }) => !texts.has(text)).length;
    known.set(rules, count);
  }
  return count;
}
