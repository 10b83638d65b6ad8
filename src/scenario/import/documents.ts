/**
 * From files to the objects that they hold, one by one.
 *
 * Owns: the choice of the parser, lists of every kind and depth, templates that nobody has filled in, and
 * what stands in a folder beside manifests. Refuses to own: what an object means.
 */
import { basename } from "node:path";
import type { FileMistakes, Mistake } from "../mistakes.ts";
import { decode, readText, type YamlDocument } from "../manifests/yaml.ts";
import { FileMistakes as Mistakes } from "../mistakes.ts";
import { isRecord } from "../schema/reading.ts";
import {
  looksLikeJson,
  listAt,
  readJson,
  recordAt,
  tellNoJson,
  textAt,
  type RawValue,
} from "./json.ts";
import type { PassedOver, Source } from "./sources.ts";

/** One object as it stands in a file. */
export interface RawObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly value: RawValue;
  readonly mistakes: FileMistakes;
}

const DEEPEST_LIST = 8;
const TEMPLATE = /\{\{.*?\}\}/;
const TEMPLATE_ADVICE =
  "manifests: fill templates in first, as in helm template DIR | sim import -f -";

export const KUSTOMIZE_ADVICE = "what it comes to: kustomize build DIR | sim import -f -";

/** All objects of all files, in order. */
export function readObjects(
  files: readonly Source[],
  passedOver: PassedOver[],
  sink: Mistake[],
): RawObject[] {
  const objects: RawObject[] = [];
  for (const file of files) {
    const before = objects.length;
    const mistakesBefore = sink.length;
    const passed: PassedOver[] = [];
    const repeated = (place: string): void => {
      passedOver.push({ place, reason: "a key that its map has twice: the last one counts" });
    };
    const documents = documentsOf(file, sink, repeated);
    for (const { value, mistakes } of documents) collect(value, mistakes, null, 0, objects, passed);
    const isEmpty = objects.length === before && sink.length === mistakesBefore;
    if (isEmpty && file.isNamed && passed.length === 0) {
      new Mistakes(file.shown, () => null, sink).add([], "no object", "Kubernetes manifests");
    } else if (isEmpty && file.isNamed) {
      const own = documents[0]!.mistakes;
      const [found, allowed] = otherTool(file.shown) ?? [
        "no object with apiVersion and kind",
        "Kubernetes manifests",
      ];
      own.add([], found, allowed);
    } else passedOver.push(...passed);
  }
  return objects;
}

/** Files of other tools, by their names: what they are, and how to come to manifests. */
function otherTool(file: string): readonly [found: string, allowed: string] | null {
  const name = basename(file).toLowerCase();
  if (/^kustomization(\.ya?ml)?$/.test(name)) return ["a kustomization", KUSTOMIZE_ADVICE];
  if (/^(docker-)?compose\b.*\.ya?ml$/.test(name)) {
    return ["a Compose file", "Kubernetes manifests, as kompose convert makes them of it"];
  }
  return /^(chart|values\b.*)\.ya?ml$/.test(name)
    ? ["a part of a Helm chart", "manifests: helm template DIR | sim import -f -"]
    : null;
}

function documentsOf(
  { shown, content }: Source,
  sink: Mistake[],
  repeated: (place: string) => void,
): YamlDocument[] {
  const whole = new Mistakes(shown, () => null, sink);
  const text = decode(content, whole);
  if (text === null) return [];
  const before = sink.length;
  const json = looksLikeJson(text) ? readJson(shown, text, sink) : null;
  const documents = json ?? readText(shown, text, sink, repeated);
  if (sink.length > before && TEMPLATE.test(text)) {
    sink.length = before;
    const line = lineOf(text, TEMPLATE);
    const at = new Mistakes(shown, () => ({ line, column: 1 }), sink);
    at.add([], "a template: {{ ... }}", TEMPLATE_ADVICE);
    return [];
  }
  if (json === null && sink.length > before && /^\s*\{\s*"/.test(text)) {
    // It was meant as JSON: what a YAML parser makes of it helps nobody.
    sink.length = before;
    tellNoJson(shown, text, sink);
  }
  return documents;
}

function lineOf(text: string, pattern: RegExp): number {
  return text.slice(0, text.search(pattern)).split("\n").length;
}

/** @param within kind and version of a typed list, whose items need not repeat them */
function collect(
  value: unknown,
  mistakes: FileMistakes,
  within: { readonly apiVersion: string; readonly kind: string } | null,
  depth: number,
  objects: RawObject[],
  passedOver: PassedOver[],
): void {
  const pass = (reason: string) => passedOver.push({ place: mistakes.place(), reason });
  if (Array.isArray(value) && depth < DEEPEST_LIST) {
    for (const [index, item] of value.entries())
      collect(item, mistakes.within([index]), within, depth + 1, objects, passedOver);
    return;
  }
  if (!isRecord(value)) {
    pass("no Kubernetes object");
    return;
  }
  const kind = textAt(value, "kind") ?? within?.kind ?? null;
  const apiVersion = textAt(value, "apiVersion") ?? within?.apiVersion ?? null;
  if (kind === null || apiVersion === null) {
    pass("no Kubernetes object: it has no apiVersion or no kind");
    return;
  }
  const items: unknown = value["items"];
  if (kind.endsWith("List") && (Array.isArray(items) || items === undefined)) {
    if (depth >= DEEPEST_LIST) {
      pass("lists in lists in lists");
      return;
    }
    const inner = kind === "List" ? null : { apiVersion, kind: kind.slice(0, -"List".length) };
    for (const [index, item] of (items ?? []).entries())
      collect(item, mistakes.within(["items", index]), inner, depth + 1, objects, passedOver);
    return;
  }
  const unfilled = [kind, apiVersion, ...namesOf(value)].some((text) => TEMPLATE.test(text));
  if (unfilled) mistakes.add([], "a template: {{ ... }}", TEMPLATE_ADVICE);
  else objects.push({ apiVersion, kind, value, mistakes });
}

/** What has to be filled in for an object to mean anything; braces in other texts may be meant. */
function namesOf(value: RawValue): string[] {
  const pod = recordAt(value, "spec", "template", "spec") ?? recordAt(value, "spec");
  const images = listAt(pod, "containers").map((each) =>
    isRecord(each) ? textAt(each, "image") : null,
  );
  return [
    textAt(value, "metadata", "name"),
    textAt(value, "metadata", "namespace"),
    ...images,
  ].filter((each) => each !== null);
}
