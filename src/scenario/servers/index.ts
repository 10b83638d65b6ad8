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

/** What an entry of `servers` came to. */
export type ServerSpec = { [K in Kind]: SpecOf<(typeof models)[K]> }[Kind];

/** What an author may write. */
export type ServerInput = RequestServerInput | TaskInput;

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

export function serverProgram<K extends Kind>(
  spec: Extract<ServerSpec, { kind: K }>,
  profile: ServerProfile,
  workload: number,
): ProgramSpec {
  return byKind[spec.kind as K].program(spec, profile, workload);
}
