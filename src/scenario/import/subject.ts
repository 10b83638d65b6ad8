/**
 * One object on its way into a scenario, and everything that is said of it.
 *
 * Owns: the object's own copy, which may be changed, and the notes of an import. Refuses to own: what is
 * changed and why (prepare.ts, repair.ts).
 */
import { pathText, type Path } from "../mistakes.ts";
import type { RawObject } from "./documents.ts";
import { isRecord } from "../schema/reading.ts";
import { listAt, recordAt, textAt, type RawValue } from "./json.ts";

/** Why something of what was read is not in the scenario as it was. */
export interface Note {
  /** "Deployment shop/web". */
  readonly object: string;
  /** "file:line". */
  readonly place: string;
  readonly text: string;
  /** ignored: it has no effect; changed: it has another; counted: one of many alike, told by their number. */
  readonly kind: "ignored" | "changed" | "counted";
}

export class Subject {
  readonly kind: string;
  readonly raw: RawObject;
  apiVersion: string;
  /** Changed at will. */
  value: RawValue;
  /** It does not go into the scenario. */
  isDropped = false;
  repairs = 0;
  readonly #notes: Note[];

  constructor(raw: RawObject, notes: Note[]) {
    this.raw = raw;
    this.kind = raw.kind;
    this.apiVersion = raw.apiVersion;
    this.value = { ...structuredClone(raw.value), kind: raw.kind };
    this.#notes = notes;
  }

  get name(): string {
    return textAt(this.value, "metadata", "name") ?? "(no name)";
  }

  get namespace(): string {
    return textAt(this.value, "metadata", "namespace") ?? "default";
  }

  get key(): string {
    return `${this.namespace}/${this.name}`;
  }

  get title(): string {
    const namespace = textAt(this.value, "metadata", "namespace");
    return `${this.kind} ${namespace === null ? "" : `${namespace}/`}${this.name}`;
  }

  spec(): RawValue {
    return recordAt(this.value, "spec") ?? {};
  }

  /** The spec of its pods, of whatever makes some. */
  podSpec(): RawValue | null {
    if (this.kind === "Pod") return recordAt(this.value, "spec");
    return recordAt(this.value, ...this.#templatePath(), "spec");
  }

  podLabels(): RawValue {
    const path = this.kind === "Pod" ? [] : this.#templatePath();
    return recordAt(this.value, ...path, "metadata", "labels") ?? {};
  }

  #templatePath(): string[] {
    const inCronJob = this.kind === "CronJob" ? ["spec", "jobTemplate"] : [];
    return [...inCronJob, "spec", "template"];
  }

  /** It has no effect, or has not all. */
  ignore(text: string, path: Path = []): void {
    this.#note("ignored", text, path);
  }

  /** It goes into the scenario otherwise than it was written. */
  change(text: string, path: Path = []): void {
    this.#note("changed", text, path);
  }

  drop(text: string, path: Path = []): void {
    this.isDropped = true;
    this.#note("ignored", text, path);
  }

  /** It does not go in, as many others: only their number is told. */
  dropCounted(text: string): void {
    this.isDropped = true;
    this.#note("counted", text, []);
  }

  #note(kind: Note["kind"], text: string, path: Path): void {
    const at = pathText(path);
    const place = kind === "counted" ? "" : this.raw.mistakes.place(path);
    this.#notes.push({
      kind,
      object: this.title,
      place,
      text: at === "" ? text : `${at}: ${text}`,
    });
  }
}

/** Kinds that make pods, by the short names that references have. */
export const WORKLOADS: Readonly<Record<string, string>> = {
  Deployment: "deploy",
  ReplicaSet: "rs",
  ReplicationController: "rc",
  StatefulSet: "sts",
  DaemonSet: "ds",
  Job: "job",
  CronJob: "cronjob",
  Pod: "pod",
};

/** Something that makes pods, or a pod that nothing makes. */
export function isWorkload({ kind, value }: Subject): boolean {
  return Object.hasOwn(WORKLOADS, kind) && (kind !== "Pod" || ownerOf(value) === null);
}

/** The kind of the object that made this one. */
export function ownerOf(value: RawValue): string | null {
  const first = listAt(value, "metadata", "ownerReferences")[0];
  return isRecord(first) ? String(first["kind"]) : null;
}

/** "deploy/web", or "shop/deploy/web" where the namespace is not default. */
export function referenceTo(subject: Subject): string {
  const short = subject.kind === "Service" ? "svc" : WORKLOADS[subject.kind]!;
  const own = `${short}/${subject.name}`;
  return subject.namespace === "default" ? own : `${subject.namespace}/${own}`;
}

export function selects(selector: RawValue | null, labels: RawValue): boolean {
  if (selector === null || Object.keys(selector).length === 0) return false;
  return Object.entries(selector).every(([name, value]) => labels[name] === value);
}
