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
import { FileMistakes, nearest, optionMistake, UserError, type Mistake } from "./mistakes.ts";
import { plainData } from "./plain.ts";
import { defaultProfile, type Profile } from "./profile.ts";
import type { ResolvedScenario } from "./resolved.ts";
import { isRecord } from "./schema/reading.ts";
import { locateInSource } from "./source.ts";
import {
  asOptionMistakes,
  checkedOverrides,
  rateOfAll,
  withOverrides,
  type Overrides,
} from "./overrides.ts";
import { parseThreshold, unknownClient, type Threshold } from "./thresholds.ts";
import type { Traffic } from "./traffic/index.ts";
import type { TypeMistake } from "./typecheck.ts";
import { validateScenario } from "./validate.ts";

export interface LoadOptions extends Overrides {
  /** Values of -e KEY=VALUE. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Manifests to import instead of a scenario file: files, folders or "-". */
  readonly filename?: readonly string[] | undefined;
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
  const checked = checkedOverrides(options, found);
  const scenario =
    options.filename === undefined
      ? await readScenarioFile(file, checked, found)
      : await importScenario(options.filename, checked, found);
  checkClients(thresholds, scenario, found);
  const all = withTypeMistakes(found, (await options.typing) ?? []);
  if (scenario === undefined || all.length > 0) throw new UserError(inOrder(all));
  return { ...scenario, thresholds: [...scenario.thresholds, ...thresholds] };
}

export interface DefinitionOptions extends Omit<LoadOptions, "typing" | "filename"> {
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
  const checked = checkedOverrides(options, found);
  const written = callDefinition(definition, env, (make) => make(), found);
  const surroundings = {
    name,
    description: "",
    file: null,
    env,
    folder: resolve(folder),
    shownFolder: folder === "." ? "" : folder,
    defaultProfile: options.profile ?? defaultProfile,
    objects: objects.map((value, index) => {
      const mistakes = new FileMistakes(`objects[${index}]`, () => null, found);
      // Whatever a program has put into it: only data counts, as if it had come from a file.
      return { value: plainData(value, mistakes), mistakes };
    }),
  };
  const mistakes = new FileMistakes(null, () => null, found);
  const own = faultsOf(written);
  const whole = withOverrides(written, checked, found);
  const scenario = validateScenario(whole, surroundings, mistakes, found);
  asOptionMistakes(found, checked, own);
  checkClients(thresholds, scenario, found);
  if (scenario === undefined || found.length > 0) throw new UserError(inOrder(found));
  return { ...scenario, thresholds: [...scenario.thresholds, ...thresholds] };
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

/** Of a scenario with mistakes nobody knows which clients it means to have. */
function checkClients(
  thresholds: readonly Threshold[],
  scenario: ResolvedScenario | undefined,
  found: Mistake[],
): void {
  if (scenario === undefined) return;
  const names = [...scenario.clients, ...(scenario.calls ?? [])].map(({ name }) => name);
  for (const threshold of thresholds) {
    const wrong = unknownClient(threshold, names);
    if (wrong === null) continue;
    const option = `--threshold ${threshold.text.slice(0, 80)}`;
    found.push(optionMistake(option, wrong.problem, wrong.allowed, wrong.suggestion));
  }
}

/** A scenario of manifests alone, with what the options say. */
async function importScenario(
  filename: readonly string[],
  options: LoadOptions,
  found: Mistake[],
): Promise<ResolvedScenario | undefined> {
  for (const key of Object.keys(options.env ?? {})) {
    found.push(optionMistake(`-e ${key}`, "manifests do not read it", "no -e at all"));
  }
  try {
    const { importCluster, readStdin } = await import("./import/index.ts");
    const { nodes, zones, duration } = options;
    const wishes = { nodes, zones, duration, rate: rateOfAll(options) };
    const traffic = (await trafficOf(options)) ?? undefined;
    const imported = importCluster(filename, readStdin, { ...wishes, traffic });
    return imported.resolve(
      (written) => withOverrides(written, options, found),
      found,
      (own) => asOptionMistakes(own, options, 0),
    );
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    found.push(...error.mistakes);
    return undefined;
  }
}

async function trafficOf({ traffic }: LoadOptions): Promise<Traffic | null> {
  if (traffic === undefined) return null;
  const [{ readTraffic }, { readStdin }] = await Promise.all([
    import("./traffic/index.ts"),
    import("./import/index.ts"),
  ]);
  return readTraffic(traffic, readStdin);
}

/** undefined, or incomplete, if there are mistakes in `found` afterwards. */
async function readScenarioFile(
  file: string,
  options: LoadOptions,
  found: Mistake[],
): Promise<ResolvedScenario | undefined> {
  try {
    const traffic = await trafficOf(options);
    const { exported } = await evaluateScenarioFile(file);
    const text = readScenarioText(file);
    const mistakes = new FileMistakes(file, locateInSource(text), found);
    const call = <T>(make: () => T) => callScenario(file, make);
    const written = callDefinition(exported, options.env ?? {}, call, found);
    const own = call(() => faultsOf(written));
    const scenario = validateScenario(
      call(() => withOverrides(written, options, found, traffic)),
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
    asOptionMistakes(found, options, own);
    if (scenario === undefined || traffic === null) return scenario;
    return { ...scenario, assumed: traffic.report };
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

/** Faults that a scenario has by itself. */
function faultsOf(written: unknown): number {
  const faults = isRecord(written) ? written["faults"] : undefined;
  return Array.isArray(faults) ? faults.length : 0;
}
