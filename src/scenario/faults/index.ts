/**
 * Reading the faults of a scenario.
 *
 * Owns: finding each fault's language by its kind. A mechanism without a word, or a word without its
 * mechanism (../../faults/index.ts), is a type error here.
 */
import type { FaultSpec } from "../../faults/index.ts";
import { describeValue, nearest, type FileMistakes, type Path } from "../mistakes.ts";
import { isRecord } from "../schema/reading.ts";
import { schemaWords } from "../schema/words.ts";
import type { Chaos, FaultDraft, FaultLanguage, FaultSurroundings } from "./contract.ts";
import * as words from "./words.ts";

type Kind = FaultSpec["kind"] | keyof typeof words;
export type FaultKind = FaultSpec["kind"];

const languages: {
  readonly [K in Kind]: { readonly language: FaultLanguage<Extract<FaultSpec, { kind: K }>> };
} = words;

const kinds = Object.keys(languages) as readonly Kind[];
const ALLOWED = kinds.map((kind) => `${kind}(...)`).join(", ");

export type { FaultSurroundings };

/** Kinds that chaos may draw. */
export const chaosKinds: readonly FaultKind[] = kinds.filter((kind) => chaosOf(kind) !== null);

export function chaosOf(kind: FaultKind): Chaos<object> | null {
  return languages[kind].language.chaos;
}

/** The faults of a list, each read alone; mistakes go to `mistakes`. */
export function readFaults(
  input: unknown,
  mistakes: FileMistakes,
  place = "faults",
): FaultDraft<FaultSpec>[] {
  if (input === undefined) return [];
  if (!Array.isArray(input)) {
    mistakes.add([place], describeValue(input), "a list [ ... ]");
    return [];
  }
  return input.flatMap((item: unknown, index) => {
    const path = [place, index];
    const written = isRecord(item) ? item["kind"] : undefined;
    const kind = kinds.find((each) => each === written);
    if (kind === undefined) {
      const meant = typeof written === "string" ? nearest(written, kinds) : null;
      mistakes.add(path, item === undefined ? "missing" : describeValue(item), ALLOWED, meant);
      return [];
    }
    return [languages[kind].language.read(item, path, schemaWords, mistakes)];
  });
}

/** @param late told of each fault that is due when the run is over: it is read and has no effect */
export function resolveFaults(
  drafts: readonly FaultDraft<FaultSpec>[],
  surroundings: FaultSurroundings,
  mistakes: FileMistakes,
  late: (fault: FaultSpec, path: Path) => void,
): FaultSpec[] {
  return drafts.flatMap(({ path, resolve }) => {
    const spec = resolve(surroundings, mistakes.within(path));
    if (spec === null) return [];
    if (spec.atNs >= surroundings.durationNs) late(spec, path);
    return [spec];
  });
}
