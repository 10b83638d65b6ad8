/**
 * Loading a scenario file.
 *
 * Owns: the way from a file and the command's options to a ResolvedScenario, or to every mistake in it
 * at once. Refuses to own: each step of that way.
 */
import { basename, dirname, relative, resolve } from "node:path";
import { callScenario, evaluateScenarioFile, readScenarioText } from "./bundle.ts";
import type { ScenarioContext } from "./language/scenario.ts";
import { leadingComment } from "./list.ts";
import { coreDnsManifest, dnsAddress } from "./manifests/coredns.ts";
import { addFiller } from "./manifests/filler.ts";
import {
  noObjects,
  readManifestContent,
  readManifestFile,
  readManifestObjects,
} from "./manifests/read.ts";
import type { YamlDocument } from "./manifests/yaml.ts";
import { FileMistakes, nearest, optionMistake, UserError, type Mistake } from "./mistakes.ts";
import { plainData } from "./plain.ts";
import { defaultProfile, type Profile } from "./profile.ts";
import type { ResolvedScenario } from "./resolved.ts";
import { resolveScenario } from "./resolve.ts";
import { isRecord } from "./schema/reading.ts";
import { readScenario } from "./schema/scenario.ts";
import { locateInSource } from "./source.ts";
import { parseThreshold, type Threshold } from "./thresholds.ts";
import type { TypeMistake } from "./typecheck.ts";
import { DURATION_ALLOWED, parseDuration } from "./units.ts";

export interface LoadOptions {
  /** Values of -e KEY=VALUE. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Instead of the scenario's own. */
  readonly seed?: string | undefined;
  /** Instead of the scenario's own, as text: "10s". */
  readonly duration?: string | undefined;
  /** Beside the scenario's own, as text. */
  readonly thresholds?: readonly string[] | undefined;
  readonly profile?: Profile | undefined;
  /** What the TypeScript compiler says about the file, when it has done: typeMistakes(file). */
  readonly typing?: Promise<readonly TypeMistake[]> | undefined;
}

/** @throws UserError with every mistake in the scenario, its manifests and the options */
export async function loadScenario(
  file: string,
  options: LoadOptions = {},
): Promise<ResolvedScenario> {
  const found: Mistake[] = [];
  const thresholds = optionThresholds(options.thresholds ?? [], found);
  const scenario = await readScenarioFile(file, checkedOptions(options, found), found);
  const all = withTypeMistakes(found, (await options.typing) ?? []);
  if (scenario === undefined || all.length > 0) throw new UserError(inOrder(all));
  return { ...scenario, thresholds: [...scenario.thresholds, ...thresholds] };
}

export interface DefinitionOptions extends Omit<LoadOptions, "typing"> {
  /** What results call it. Default "scenario". */
  readonly name?: string | undefined;
  /** Folder that its manifests are relative to. Default: the current one. */
  readonly folder?: string | undefined;
  /** Kubernetes objects as data, beside those of its manifests. */
  readonly objects?: readonly object[] | undefined;
}

/**
 * The same for a scenario that is no file: what `defineScenario` gives.
 * @throws UserError with every mistake in it, its manifests, its objects and the options
 * @throws what a definition that is a function throws
 */
export function loadDefinition(
  definition: unknown,
  options: DefinitionOptions = {},
): ResolvedScenario {
  const { name = "scenario", folder = ".", env = {}, objects = [] } = options;
  const found: Mistake[] = [];
  const thresholds = optionThresholds(options.thresholds ?? [], found);
  const checked = checkedOptions(options, found);
  const written = callDefinition(definition, env, (make) => make(), found);
  const surroundings = {
    name,
    description: "",
    file: null,
    env,
    folder: resolve(folder),
    shownFolder: folder === "." ? "" : folder,
    defaultProfile: options.profile ?? defaultProfile,
    objects: objects.map((value, index) => ({
      // Whatever a program has put into it: only data counts, as if it had come from a file.
      value: plainObject(value, index, found),
      mistakes: new FileMistakes(null, () => null, found, ["objects", index]),
    })),
  };
  const mistakes = new FileMistakes(null, () => null, found);
  const scenario = validateScenario(withOptions(written, checked), surroundings, mistakes, found);
  if (scenario === undefined || found.length > 0) throw new UserError(inOrder(found));
  return { ...scenario, thresholds: [...scenario.thresholds, ...thresholds] };
}

function plainObject(value: object, index: number, found: Mistake[]): unknown {
  return plainData(value, new FileMistakes(null, () => null, found, ["objects", index]));
}

function optionThresholds(texts: readonly string[], found: Mistake[]): Threshold[] {
  return texts.flatMap((text) => {
    const parsed = parseThreshold(text);
    if (!("problem" in parsed)) return [parsed];
    const { problem, allowed, suggestion } = parsed;
    found.push(optionMistake(`--threshold ${text.slice(0, 80)}`, problem, allowed, suggestion));
    return [];
  });
}

/** undefined, or incomplete, if there are mistakes in `found` afterwards. */
async function readScenarioFile(
  file: string,
  options: LoadOptions,
  found: Mistake[],
): Promise<ResolvedScenario | undefined> {
  try {
    const { exported } = await evaluateScenarioFile(file);
    const text = readScenarioText(file);
    const mistakes = new FileMistakes(file, locateInSource(text), found);
    const call = <T>(make: () => T) => callScenario(file, make);
    const written = callDefinition(exported, options.env ?? {}, call, found);
    return validateScenario(
      call(() => withOptions(written, options)),
      {
        name: basename(file).replace(/\.[cm]?[jt]s$/, ""),
        description: leadingComment(text),
        file,
        env: options.env ?? {},
        folder: dirname(resolve(file)),
        shownFolder: relative(process.cwd(), dirname(resolve(file))),
        defaultProfile: options.profile ?? defaultProfile,
      },
      mistakes,
      found,
    );
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    found.push(...error.mistakes);
    return undefined;
  }
}

/**
 * Both, each mistake once. What the other checks say comes first, because they know what is allowed:
 * a type error on the same line, or about a field that they name, is the same mistake again. A file
 * whose syntax is broken has been reported by the bundler, without what follows from it.
 */
function withTypeMistakes(found: readonly Mistake[], types: readonly TypeMistake[]): Mistake[] {
  const fieldOf = ({ path }: Mistake) => /[\w$]+$/.exec(path)?.[0] ?? "";
  const isKnown = (type: TypeMistake) =>
    found.some(
      (mistake) =>
        mistake.file === type.file &&
        (mistake.line === type.line ||
          type.fields.includes(fieldOf(mistake)) ||
          (mistake.path === "" && type.isSyntax)),
    );
  const hintFor = (mistake: Mistake) =>
    types.find(
      ({ file, line, column }) =>
        file === mistake.file && line === mistake.line && column === mistake.column,
    )?.suggestion ?? null;
  return [
    ...found.map((each) => ({ ...each, suggestion: each.suggestion ?? hintFor(each) })),
    ...types.filter((type) => !isKnown(type)),
  ];
}

/** File by file in the order of their first mistake, then line by line. */
function inOrder(found: readonly Mistake[]): Mistake[] {
  const files = [...new Set(found.map(({ file }) => file))];
  return found.toSorted(
    (a, b) =>
      files.indexOf(a.file) - files.indexOf(b.file) ||
      (a.line ?? 0) - (b.line ?? 0) ||
      (a.column ?? 0) - (b.column ?? 0),
  );
}

export interface ValidationSurroundings {
  readonly name: string;
  readonly description: string;
  readonly file: string | null;
  readonly env: Readonly<Record<string, string>>;
  /** Folder that manifests are relative to. */
  readonly folder: string;
  /** The same as the user knows it. */
  readonly shownFolder: string;
  readonly defaultProfile: Profile;
  /** Objects of the cluster beside those of its manifests. */
  readonly objects?: readonly YamlDocument[];
}

/** The scenario, complete, if `found` holds no mistake afterwards. Never throws on bad data. */
export function validateScenario(
  written: unknown,
  { folder, shownFolder, objects: given = [], ...surroundings }: ValidationSurroundings,
  mistakes: FileMistakes,
  found: Mistake[],
): ResolvedScenario | undefined {
  const data = plainData(written, mistakes);
  if (data === undefined) {
    if (found.length === 0) mistakes.add([], "nothing", "a scenario: defineScenario({ ... })");
    return undefined;
  }
  const parts = readScenario(data, mistakes);
  if (parts === undefined) return undefined;
  const objects = noObjects();
  const { manifests, isWhole } = manifestsOf(data);
  // What a manifest that cannot be told from the scenario would hold is not missing.
  if (!isWhole) Object.assign(objects.complete, { workloads: false, services: false });
  for (const [index, manifest] of manifests.entries()) {
    const shown = shownFolder === "" ? manifest : `${shownFolder}/${manifest}`;
    const shownFile = manifest.startsWith("/") ? manifest : shown.replace(/(^|\/)\.\//g, "$1");
    readManifestFile(resolve(folder, manifest), shownFile, objects, found, (problem) =>
      mistakes.add(["cluster", "manifests", index], `${JSON.stringify(manifest)}: ${problem}`),
    );
  }
  readManifestObjects(given, objects);
  const { dns, serviceCIDR = "" } = parts.cluster ?? {};
  if (dns !== undefined) {
    const text = coreDnsManifest(dns.replicas, dnsAddress(serviceCIDR), dns.nodeLocal);
    readManifestContent(new TextEncoder().encode(text), "cluster.dns", objects, found);
  }
  if (parts.cluster?.filler !== undefined) addFiller(parts.cluster.filler, objects, found);
  return resolveScenario(parts, objects, surroundings, mistakes);
}

/** The manifests that can be read, even when other fields of the cluster are wrong, and if they are all. */
function manifestsOf(data: unknown): { manifests: string[]; isWhole: boolean } {
  const cluster = isRecord(data) ? data["cluster"] : undefined;
  const given: unknown = isRecord(cluster) ? cluster["manifests"] : undefined;
  const list: readonly unknown[] = Array.isArray(given) ? given : [];
  const manifests = list.filter((item): item is string => typeof item === "string" && item !== "");
  const isWhole = given === undefined || (Array.isArray(given) && manifests.length === list.length);
  return { manifests, isWhole };
}

function callDefinition(
  exported: unknown,
  env: Readonly<Record<string, string>>,
  call: (make: () => unknown) => unknown,
  found: Mistake[],
): unknown {
  const asked = new Set<string>();
  let askedForAll = false;
  const watched = new Proxy(env, {
    get(target, key) {
      if (typeof key === "string") asked.add(key);
      return typeof key === "string" && Object.hasOwn(target, key) ? target[key] : undefined;
    },
    has(target, key) {
      if (typeof key === "string") asked.add(key);
      return Object.hasOwn(target, key);
    },
    ownKeys(target) {
      askedForAll = true;
      return Reflect.ownKeys(target);
    },
  });
  const define = exported as (context: ScenarioContext) => unknown;
  const written = typeof exported === "function" ? call(() => define({ env: watched })) : exported;
  const unused = Object.keys(env).filter((key) => !askedForAll && !asked.has(key));
  for (const key of unused) {
    const allowed = asked.size === 0 ? "no -e at all" : [...asked].join(", ");
    found.push(
      optionMistake(`-e ${key}`, "the scenario does not read it", allowed, nearest(key, asked)),
    );
  }
  return written;
}

function withOptions(written: unknown, { seed, duration }: LoadOptions): unknown {
  if (seed === undefined && duration === undefined) return written;
  if (typeof written !== "object" || written === null || Array.isArray(written)) return written;
  return {
    ...written,
    ...(seed === undefined ? {} : { seed }),
    ...(duration === undefined ? {} : { duration }),
  };
}

/** The options without those that are wrong: they replace fields, but are no part of the file. */
function checkedOptions(options: LoadOptions, found: Mistake[]): LoadOptions {
  const { seed, duration } = options;
  const before = found.length;
  if (seed !== undefined && (seed === "" || seed.length > 256)) {
    found.push(
      optionMistake("--seed", JSON.stringify(seed.slice(0, 20)), "text of 1 to 256 characters"),
    );
  }
  const parsed = duration === undefined ? null : parseDuration(duration);
  if (parsed !== null && !("value" in parsed && parsed.value > 0)) {
    const why = "problem" in parsed ? parsed.problem : "no time at all";
    const shown = JSON.stringify(duration?.slice(0, 40));
    found.push(optionMistake("--duration", `${shown} (${why})`, `${DURATION_ALLOWED}, above 0`));
  }
  return found.length === before ? options : { ...options, seed: undefined, duration: undefined };
}
