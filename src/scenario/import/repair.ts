/**
 * Objects that `sim run` would refuse, made so that it does not.
 *
 * Owns: leaving out what is wrong, the smallest part that can be, and saying so. A real cluster has
 * Services that select nothing and ports that nobody has; they are no reason not to simulate the rest.
 */
import { pathText, type Path } from "../mistakes.ts";
import { isRecord } from "../schema/reading.ts";
import { judgeObject, type Finding } from "./judge.ts";
import { listAt, valueAt, type RawValue } from "./json.ts";
import type { Subject } from "./subject.ts";

/** Repairs of one object: whoever needs more is no object of Kubernetes. */
const MOST_REPAIRS = 200;

/** Reads one object until its reader is content, or drops it. */
export function repairAlone(subject: Subject): void {
  while (!subject.isDropped) {
    const { mistakes, ignored } = judgeObject(subject.value);
    if (mistakes.length === 0) {
      for (const { path, found } of ignored) subject.ignore(found, path);
      return;
    }
    repair(subject, mistakes);
  }
}

/** Repairs what several objects do not agree on. */
export function repair(subject: Subject, findings: readonly Finding[]): void {
  // From the end: what is left out of a list moves only what comes after it.
  for (const finding of findings.toSorted((a, b) => comparePaths(b.path, a.path))) {
    if (subject.isDropped) return;
    if (++subject.repairs > MOST_REPAIRS)
      subject.drop("too much of it is not as Kubernetes has it");
    else repairOne(subject, finding);
  }
}

function repairOne(subject: Subject, finding: Finding): void {
  const { path, found, allowed } = finding;
  const special = specialRepairs.find(({ applies }) => applies(subject, finding));
  if (special !== undefined) {
    special.mend(subject, finding);
    return;
  }
  const why = allowed === null ? found : `${found}; Kubernetes wants ${allowed}`;
  const value = valueAt(subject.value, path);
  if (value !== undefined && coerce(subject, path, value)) {
    subject.change(`${found}: read as ${JSON.stringify(valueAt(subject.value, path))}`, path);
    return;
  }
  const part = value === undefined ? path.slice(0, -1) : path;
  if (isVital(part)) subject.drop(`left out: ${pathText(path)}: ${why}`);
  else if (remove(subject.value, part)) subject.change(`left out: ${why}`, path);
  else subject.drop(`left out: ${why}`, path);
}

interface SpecialRepair {
  readonly applies: (subject: Subject, finding: Finding) => boolean;
  readonly mend: (subject: Subject, finding: Finding) => void;
}

const specialRepairs: readonly SpecialRepair[] = [
  {
    applies: ({ kind }, { found }) => kind === "Service" && / matches no pod/.test(found),
    mend: (subject, { path, found }) => {
      remove(subject.value, path);
      subject.change(`${found}: it has no endpoints, and connections are refused`, path);
    },
  },
  {
    applies: ({ kind }, { found }) =>
      kind === "Service" && found.startsWith("no container has a port"),
    mend: (subject, { path, found }) => {
      remove(subject.value, path);
      subject.change(`${found}: the port's own number is taken`, path);
    },
  },
  {
    applies: (_subject, { found }) => found.startsWith("no PriorityClass"),
    mend: (subject, { found }) => {
      const spec = subject.podSpec();
      delete spec?.["priorityClassName"];
      subject.change(`${found} was read: its priority is 0`);
    },
  },
  {
    applies: ({ kind }, { path }) =>
      kind === "HorizontalPodAutoscaler" && path.includes("scaleTargetRef"),
    mend: (subject, { path, found }) => subject.drop(found, path),
  },
  {
    applies: (_subject, { found }) => / that request .* each/.test(found),
    mend: (subject, { found, allowed }) => {
      for (const list of ["containers", "initContainers"]) {
        for (const each of listAt(subject.podSpec(), list).filter(isRecord)) {
          delete each["resources"];
        }
      }
      subject.change(`${found}, and there is ${allowed ?? "less"}: its requests are left out`);
    },
  },
];

/** Text that is a number, and a number that should be text, where that helps. */
function coerce(subject: Subject, path: Path, value: unknown): boolean {
  const key = path.at(-1);
  const parent = valueAt(subject.value, path.slice(0, -1)) as Record<string | number, unknown>;
  if (key === undefined) return false;
  let other: unknown = null;
  if (typeof value === "string" && /^\d{1,9}$/.test(value)) other = Number(value);
  else if (typeof value === "number" || typeof value === "boolean") other = String(value);
  else if (value === "true" || value === "false") other = value === "true";
  if (other === null) return false;
  parent[key] = other;
  const stillWrong = judgeObject(subject.value).mistakes.some(
    ({ path: at }) => pathText(at) === pathText(path),
  );
  if (stillWrong) parent[key] = value;
  return !stillWrong;
}

/** Without these an object is none. */
function isVital(path: Path): boolean {
  const text = pathText(path);
  return (
    path.length === 0 ||
    /^(metadata|spec|metadata\.(name|namespace)|spec\.(template|selector|template\.spec|containers|template\.spec\.containers))$/.test(
      text,
    )
  );
}

/** Whether it was there. */
function remove(value: RawValue, path: Path): boolean {
  const key = path.at(-1);
  const parent = valueAt(value, path.slice(0, -1));
  if (key === undefined || typeof parent !== "object" || parent === null) return false;
  if (Array.isArray(parent)) {
    if (typeof key !== "number" || key >= parent.length) return false;
    parent.splice(key, 1);
    return true;
  }
  const had = Object.hasOwn(parent, key);
  delete (parent as Record<string, unknown>)[key];
  return had;
}

function comparePaths(a: Path, b: Path): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const [left, right] = [a[i]!, b[i]!];
    if (left === right) continue;
    if (typeof left === "number" && typeof right === "number") return left - right;
    return String(left) < String(right) ? -1 : 1;
  }
  return a.length - b.length;
}
