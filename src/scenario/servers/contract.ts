/**
 * What a server can be: its fields in the language, what they come to, and the program that it runs.
 *
 * Owns: the contract of the members in this folder; index.ts lists them. Refuses to own: the programs
 * (../../workload). As in ../faults, members import no code but this: authors' words may come to stand
 * there.
 */
import type { z } from "zod";
import type { ProgramSpec } from "../../workload/models.ts";
import type { ServerProfile } from "../../workload/profile.ts";
import type { FileMistakes, Path } from "../mistakes.ts";
import type { SchemaWords } from "../schema/words.ts";

export interface ServerModel<Spec> {
  /** undefined after mistakes. */
  readonly read: (
    input: unknown,
    path: Path,
    words: SchemaWords,
    mistakes: FileMistakes,
  ) => Spec | undefined;
  /** @param workload number of the workload that the pod belongs to */
  readonly program: (spec: Spec, profile: ServerProfile, workload: number) => ProgramSpec;
}

interface ServerParts<Fields extends z.core.$ZodShape, Spec> {
  readonly fields: (words: SchemaWords) => Fields;
  readonly resolve: (written: z.output<z.ZodObject<Fields>>) => Spec;
  readonly program: ServerModel<Spec>["program"];
}

export function serverModel<Fields extends z.core.$ZodShape, Spec>({
  fields,
  resolve,
  program,
}: ServerParts<Fields, Spec>): ServerModel<Spec> {
  return {
    program,
    read(input, path, words, mistakes) {
      // index.ts has looked at the kind already.
      const schema = words.object({ kind: words.text("a kind").optional(), ...fields(words) });
      const value = words.read(schema, input, mistakes, path);
      if (value === undefined) return undefined;
      const { kind: _, ...written } = value as Record<string, unknown>;
      // TypeScript does not see through the shape with `kind` added and taken away.
      return resolve(written as z.output<z.ZodObject<Fields>>);
    },
  };
}
