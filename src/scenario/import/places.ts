/**
 * Rules about nodes that no generated node can meet.
 *
 * Owns: leaving them out, where no Node was read: a nodeSelector by the name of a machine type says nothing
 * about a cluster that is made up. Where Nodes were read, the scheduler decides as it would.
 */
import { isRecord } from "../schema/reading.ts";
import { listAt, recordAt, valueAt, type RawValue } from "./json.ts";
import type { Subject } from "./subject.ts";

const ZONE = "topology.kubernetes.io/zone";
/** Labels of generated nodes, and what they are; null: one value each. */
const GENERATED: Readonly<Record<string, string | null>> = {
  "kubernetes.io/os": "linux",
  "kubernetes.io/hostname": null,
};
const AFFINITY = ["affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"];

/** @returns whether anything asks for zones */
export function forgetNodeRules(workloads: readonly Subject[], hasZones: boolean): boolean {
  let asksForZones = false;
  for (const subject of workloads) {
    const spec = subject.podSpec();
    if (spec === null) continue;
    asksForZones ||= JSON.stringify([spec["affinity"], spec["topologySpreadConstraints"]]).includes(
      `"${ZONE}"`,
    );
    forgetSelector(subject, spec, hasZones);
    forgetAffinity(subject, spec);
    if (spec["nodeName"] !== undefined) {
      delete spec["nodeName"];
      subject.change("no Node was read: the scheduler chooses", ["spec", "nodeName"]);
    }
  }
  return asksForZones;
}

function forgetSelector(subject: Subject, spec: RawValue, hasZones: boolean): void {
  const selector = recordAt(spec, "nodeSelector");
  if (selector === null) return;
  for (const [name, value] of Object.entries(selector)) {
    const isKnown = GENERATED[name] === value || (hasZones && name === ZONE);
    if (isKnown) continue;
    delete selector[name];
    subject.change(`nodeSelector ${name}=${String(value)}: no node that is made up has this label`);
  }
  if (Object.keys(selector).length === 0) delete spec["nodeSelector"];
}

function forgetAffinity(subject: Subject, spec: RawValue): void {
  const terms = listAt(spec, ...AFFINITY, "nodeSelectorTerms");
  if (terms.length === 0) return;
  const isMet = terms.some((term) =>
    listAt(term, "matchExpressions").every((each) => {
      if (!isRecord(each)) return false;
      const { key, operator, values } = each;
      const known = GENERATED[String(key)];
      if (operator === "DoesNotExist" || operator === "NotIn") return known === undefined;
      if (operator === "Exists") return known !== undefined;
      return operator === "In" && Array.isArray(values) && values.includes(known);
    }),
  );
  if (isMet) return;
  const parent = valueAt(spec, AFFINITY.slice(0, -1)) as RawValue;
  delete parent[AFFINITY.at(-1)!];
  subject.change("a node affinity that no node that is made up can meet is left out");
}
