/**
 * The kinds of server there are, by the `kind` of an entry of `servers`: one line each.
 *
 * Owns: the table, and finding a member by its kind; an entry without one is a `requests` server.
 */
import type { ProgramSpec } from "../../workload/models.ts";
import type { ServerProfile } from "../../workload/profile.ts";
import { describeValue, nearest, type FileMistakes, type Path } from "../mistakes.ts";
import { isRecord } from "../schema/reading.ts";
import { schemaWords } from "../schema/words.ts";
import type { ServerModel } from "./contract.ts";
import { requests, type RequestServerInput } from "./requests.ts";
import { task, type TaskInput } from "./task.ts";

const models = { requests, task };

type Kind = keyof typeof models;
type SpecOf<Model> = Model extends ServerModel<infer Spec> ? Spec : never;

/** A server of any kind. */
export type ServerSpec = { [K in Kind]: SpecOf<(typeof models)[K]> }[Kind];

/** What an author may write. */
export type ServerInput = RequestServerInput | TaskInput;

/** An entry of `servers`. */
export type WorkloadServerInput = ServerInput & {
  /**
   * What containers of single images do, by the image as the pod names it: `{ "web:2": { startupTime: "24h" } }`. A server
   * of the same kind has what the entry itself says but for these fields. Default: all images do the same.
   */
  images?: Record<string, ServerInput>;
};

/** What an entry of `servers` came to. */
export type WorkloadServerSpec = ServerSpec & {
  /** By image. */
  readonly images?: Readonly<Record<string, ServerSpec>>;
};

/** Refuses a member under another name than its spec's kind. */
const byKind: {
  readonly [K in Kind]: ServerModel<Extract<ServerSpec, { kind: K }>>;
} = models;

const kinds = Object.keys(byKind) as readonly Kind[];

/** undefined after mistakes, which go to `mistakes`. */
export function readServer(
  input: unknown,
  path: Path,
  mistakes: FileMistakes,
): ServerSpec | undefined {
  const written = isRecord(input) ? (input["kind"] ?? "requests") : "requests";
  const kind = kinds.find((each) => each === written);
  if (kind === undefined) {
    const meant = typeof written === "string" ? nearest(written, kinds) : null;
    mistakes.add([...path, "kind"], describeValue(written), kinds.join(", "), meant);
    return undefined;
  }
  return byKind[kind].read(input, path, schemaWords, mistakes);
}

/** An entry of `servers`, with what it says of single images. */
export function readWorkloadServer(
  input: unknown,
  path: Path,
  mistakes: FileMistakes,
): WorkloadServerSpec | undefined {
  if (!isRecord(input) || input["images"] === undefined) return readServer(input, path, mistakes);
  const { images: written, ...own } = input;
  const server = readServer(own, path, mistakes);
  const images = readImages(written, [...path, "images"], mistakes);
  if (server === undefined) return undefined;
  const merged = Object.entries(images).map(([image, spec]) => {
    const isOfKind = spec.kind === "requests" && server.kind === "requests";
    return [image, isOfKind ? { ...server, ...spec } : spec] as const;
  });
  return { ...server, images: Object.fromEntries(merged) };
}

function readImages(
  input: unknown,
  path: Path,
  mistakes: FileMistakes,
): Readonly<Record<string, ServerSpec>> {
  if (!isRecord(input)) {
    mistakes.add(path, describeValue(input), 'an object such as { "web:2": { ... } }');
    return {};
  }
  const read = Object.entries(input).map(([image, each]) => {
    const at = [...path, image];
    if (isRecord(each) && each["calls"] !== undefined) {
      mistakes.add([...at, "calls"], describeValue(each["calls"]), "calls of the workload itself");
    }
    return [image, readServer(each, at, mistakes)] as const;
  });
  return Object.fromEntries(
    read.flatMap(([image, spec]) => (spec === undefined ? [] : [[image, spec] as const])),
  );
}

export function serverProgram<K extends Kind>(
  spec: Extract<ServerSpec, { kind: K }>,
  profile: ServerProfile,
  workload: number,
): ProgramSpec {
  return byKind[spec.kind as K].program(spec, profile, workload);
}
