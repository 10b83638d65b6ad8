/**
 * `sim import`: the objects of somebody's cluster as a scenario that runs at once.
 *
 * Owns: the way from files to that scenario, and what is said of it. Lenient where `sim run` is strict: what
 * cannot be run as it stands is left out or changed, and told. Refuses to own: files that are written (cli/).
 */
import { basename, resolve } from "node:path";
import { pathText, UserError, type Mistake } from "../mistakes.ts";
import type { ResolvedScenario } from "../resolved.ts";
import { guessCalls, type Calls } from "./calls.ts";
import { KUSTOMIZE_ADVICE, readObjects } from "./documents.ts";
import { draftOf, type Draft, type DraftWishes } from "./draft.ts";
import { judgeScenario, type Finding, type Verdict } from "./judge.ts";
import type { RawValue } from "./json.ts";
import { keptParts } from "./keep.ts";
import { prepare } from "./prepare.ts";
import { repair, repairAlone } from "./repair.ts";
import { guessesOf, importReport } from "./report.ts";
import { fieldsOf } from "./scenarioOf.ts";
import { readAll, readSources } from "./sources.ts";
import { MOST_NODES, MOST_PODS, podsOf } from "./room.ts";
import { isWorkload, Subject, type Note } from "./subject.ts";
import { dataOf } from "./text.ts";

export type { DraftWishes } from "./draft.ts";
export { writtenScenario } from "./scenarioOf.ts";
export { selects } from "./subject.ts";
export { yamlOf } from "./yamlText.ts";

export interface Imported {
  /** The objects of the cluster, with what the simulator has a use for. */
  readonly objects: readonly RawValue[];
  readonly draft: Draft;
  /** Lines, not escaped. */
  readonly report: readonly string[];
  /** The scenario as data, without manifests; of its own for each who asks. */
  readonly written: unknown;
  /** What it comes to. */
  readonly scenario: ResolvedScenario;
  /**
   * The same with something changed. @param change of the scenario as data
   * @param own called with the mistakes that follow, to say whose they are
   */
  readonly resolve: (
    change: (written: unknown) => unknown,
    found: Mistake[],
    own: (mistakes: Mistake[]) => void,
  ) => ResolvedScenario | undefined;
}

/** What stands for "-". */
export function readStdin(): Uint8Array {
  return readAll(0);
}

/** Rounds of asking and mending: mending one thing can bring out another. */
const MOST_ROUNDS = 12;

/**
 * @param paths files, folders or "-"
 * @throws UserError with every mistake that keeps the files from being read
 */
export function importCluster(
  paths: readonly string[],
  stdin: () => Uint8Array,
  wishes: DraftWishes = {},
): Imported {
  const mistakes: Mistake[] = [];
  const { files, passedOver } = readSources(paths, stdin, mistakes);
  const passed = [...passedOver];
  const raw = readObjects(files, passed, mistakes);
  if (mistakes.length > 0) throw new UserError(mistakes);
  if (raw.length === 0) throw nothingFound(paths, passed.length);
  const notes: Note[] = [];
  const subjects = raw.map((each) => new Subject(each, notes));
  prepare(subjects);
  refuseKustomizations(subjects, mistakes);
  for (const subject of subjects) if (!subject.isDropped) repairAlone(subject);
  const { draft, calls, scenario } = agree(subjects, wishes);
  const kept = subjects.filter(({ isDropped }) => !isDropped);
  const objects = kept.map(({ kind, value }) => keptParts(kind, value));
  const told = {
    name: nameOf(paths),
    description: `What was read from ${paths.join(", ")}`,
    assumed: [
      ...draft.assumptions,
      ...(draft.traffic?.report ?? []),
      ...guessesOf(calls).map((each) => `a guess: ${each}`),
    ],
    ignored: notes
      .filter(({ kind }) => kind !== "counted")
      .map(({ object, place, text }) => ({ object, place, reason: text })),
  };
  return {
    objects,
    draft,
    report: importReport({ subjects, notes, passedOver: passed, calls, draft }),
    get written() {
      return dataOf(fieldsOf(draft, []));
    },
    scenario: { ...scenario, ...told },
    resolve(change, found, own) {
      const verdict = judgeScenario(change(this.written), objects);
      const mistakes = verdict.mistakes.map(asMistake);
      own(mistakes);
      found.push(...mistakes);
      return verdict.scenario === null ? undefined : { ...verdict.scenario, ...told };
    },
  };
}

/** Mends what several objects do not agree on, until `sim run` would be content. */
function agree(
  subjects: readonly Subject[],
  wishes: DraftWishes,
): { readonly draft: Draft; readonly calls: Calls; readonly scenario: ResolvedScenario } {
  limitPods(subjects);
  let wanted = wishes;
  for (let round = 0; ; round++) {
    const calls = guessCalls(subjects);
    const kept = subjects.filter(({ isDropped }) => !isDropped);
    const ingresses = subjects.filter(({ kind }) => kind === "Ingress");
    const draft = draftOf(kept, ingresses, calls, wanted);
    if (draft.cluster.dns !== undefined && dropDns(kept)) continue;
    const written = dataOf(fieldsOf(draft, []));
    const values = kept.map(({ kind, value }) => keptParts(kind, value));
    const verdict = judgeScenario(written, values);
    if (verdict.scenario !== null) {
      tellIgnored(kept, verdict);
      return { draft, calls, scenario: verdict.scenario };
    }
    const { mistakes } = verdict;
    const nodes = draft.cluster.nodes ?? 0;
    const isTooSmall = mistakes.some(lacksRoom);
    const isAsked = isTooSmall && wishes.nodes !== undefined;
    if (isAsked || mistakes.every(({ object }) => object === null)) {
      throw new UserError(mistakes.map(asMistake));
    } else if (isTooSmall && nodes < MOST_NODES) {
      wanted = { ...wishes, nodes: Math.min(MOST_NODES, Math.ceil(nodes * 1.5) + 1) };
    } else mend(kept, mistakes, round >= MOST_ROUNDS);
  }
}

/**
 * CoreDNS as it was read: the scenario's own takes its place, with a model of what it does.
 * @returns whether there was one
 */
function dropDns(kept: readonly Subject[]): boolean {
  const own = new Set(["Service kube-system/kube-dns", "Deployment kube-system/coredns"]);
  const read = kept.filter(({ kind, key }) => own.has(`${kind} ${key}`));
  for (const each of read) {
    each.drop("the scenario has a DNS of its own, as names of headless Services are called");
  }
  return read.length > 0;
}

/** Whole workloads, the largest first, until what is left is a cluster. */
function limitPods(subjects: readonly Subject[]): void {
  const bySize = subjects
    .filter((each) => isWorkload(each) && !each.isDropped)
    .toSorted((a, b) => podsOf(b) - podsOf(a));
  let total = bySize.reduce((sum, each) => sum + podsOf(each), 0);
  for (const each of bySize) {
    if (total <= MOST_PODS) return;
    total -= podsOf(each);
    each.drop(`${podsOf(each)} pods: no cluster holds more than ${MOST_PODS} in all`);
  }
}

function lacksRoom({ found }: Finding): boolean {
  return / pods in all | in all$/.test(found);
}

function mend(kept: readonly Subject[], mistakes: readonly Finding[], isLast: boolean): void {
  for (const [index, subject] of kept.entries()) {
    const about = mistakes.filter(({ object }) => object === index);
    const [first] = about;
    if (first === undefined) continue;
    if (isLast) subject.drop(`left out: ${first.found}`, first.path);
    else repair(subject, about);
  }
}

function asMistake({ path, found, allowed, suggestion = null }: Finding): Mistake {
  const place = { file: null, line: null, column: null };
  return { ...place, path: pathText(path), found, allowed, suggestion };
}

/** What only the whole scenario shows to have no effect. */
function tellIgnored(kept: readonly Subject[], { ignored }: Verdict): void {
  const alone = new Set(["NetworkPolicy is not modelled yet"]);
  for (const { object, path, found } of ignored) {
    if (object === null || alone.has(found)) continue;
    const subject = kept[object];
    if (subject !== undefined && path.length > 0 && isCross(found)) subject.ignore(found, path);
  }
}

/** Said by a reader that knows all objects: the others have been told when each was read alone. */
function isCross(reason: string): boolean {
  return /connections are refused|which this cluster has not|no Service /.test(reason);
}

/** The default results folder: after the first file or folder. */
function nameOf([first = "import"]: readonly string[]): string {
  if (first === "-") return "stdin";
  const name = basename(resolve(first)).replace(/\.(ya?ml|json)$/i, "");
  return /^[\w.-]+$/.test(name) ? name : "import";
}

/** @throws UserError where there is nothing else: it names files that were not read */
function refuseKustomizations(subjects: readonly Subject[], mistakes: Mistake[]): void {
  if (subjects.some(({ kind }) => kind !== "Kustomization")) return;
  for (const { raw } of subjects) raw.mistakes.add([], "a kustomization", KUSTOMIZE_ADVICE);
  throw new UserError(mistakes);
}

function nothingFound(paths: readonly string[], passedOver: number): UserError {
  const found = passedOver === 0 ? "no manifest" : "no Kubernetes object in what was read";
  const path = `-f ${paths.join(" -f ").slice(0, 200)}`;
  const allowed = "YAML or JSON of a cluster's objects";
  return new UserError([
    { file: null, line: null, column: null, path, found, allowed, suggestion: null },
  ]);
}
