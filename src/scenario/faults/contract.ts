/**
 * A fault's place in the language: the word that authors write, its fields, and what they come to.
 *
 * Owns: the contract of the members in this folder; words.ts lists them. Refuses to own: what a fault
 * does (../../faults). Nothing here or in a member imports code at run time but this: scenario files
 * bundle the words, so schemas and look-ups are handed in.
 */
import type { z } from "zod";
import type { DurationNs } from "../../engine/index.ts";
import type { WorkloadName } from "../../faults/workload.ts";
import type { HostGroup } from "../../faults/hosts.ts";
import type { Labels, ObjectKey } from "../../kubernetes/api/types.ts";
import type { FileMistakes, Path } from "../mistakes.ts";
import type { SchemaWords } from "../schema/words.ts";

type Shape = z.core.$ZodShape;
type Output<S extends Shape> = z.output<z.ZodObject<S>>;

/** What a fault's names are looked up in. Each check reports what it does not find. */
export interface FaultSurroundings {
  readonly durationNs: DurationNs;
  readonly checkPods: (
    pods: { readonly selector: Labels; readonly namespace: string },
    mistakes: FileMistakes,
  ) => void;
  /** The workload of that name, if it is one of these kinds. Without `mistakes` it has been checked before. */
  readonly workload: (
    reference: string,
    kinds: readonly string[],
    mistakes?: FileMistakes,
  ) => WorkloadName | null;
  /** The pods of a workload, by the labels of its template. */
  readonly podsOf: (
    reference: string,
    mistakes?: FileMistakes,
  ) => { readonly selector: Labels; readonly namespace: string } | null;
  /** Key of an Endpoints object that a user keeps. Without `mistakes` its name has been checked before. */
  readonly endpoints: (name: string, mistakes?: FileMistakes) => ObjectKey | null;
  /** The cluster has DNS, or could not be read. */
  readonly hasDns: boolean;
  readonly checkContainer: (name: string, mistakes: FileMistakes) => void;
  /**
   * The hosts of these names: nodes alone, those that track connections, or any. Without `mistakes` they have
   * been checked before.
   */
  readonly hosts: (
    names: readonly string[],
    which: "nodes" | "tracked" | "any",
    mistakes?: FileMistakes,
  ) => HostGroup;
}

/** What chaos may strike. */
export interface ChaosTargets {
  readonly nodes: readonly string[];
  readonly zones: readonly string[];
  readonly workloads: readonly {
    /** "deploy/NAME" and the like, with the namespace in front where it is not `default`. */
    readonly reference: string;
    readonly kind: string;
    readonly namespace: string;
    readonly selector: Labels;
    readonly replicas: number;
  }[];
  readonly containers: readonly string[];
  readonly hasDns: boolean;
}

/** Targets, and draws of chaos' own stream. */
export interface ChaosDraw extends ChaosTargets {
  readonly below: (n: number) => number;
  readonly pick: <T>(from: readonly T[]) => T;
  /** A duration of whole milliseconds, both ends included. */
  readonly between: (lowMs: number, highMs: number) => `${number}ms`;
  /** A number with two decimals. */
  readonly share: (low: number, high: number) => number;
}

/** Draws the fields of a fault but `at`, always with an end; null where there is no target. */
export type Chaos<Input> = (draw: ChaosDraw) => Omit<Input, "at" | "kind"> | null;

/** A fault that was read, to be completed when all that it may name has been read too. */
export interface FaultDraft<Spec> {
  readonly path: Path;
  /** null after mistakes. `mistakes` are those of the fault's own part. */
  readonly resolve: (surroundings: FaultSurroundings, mistakes: FileMistakes) => Spec | null;
}

export interface FaultLanguage<Spec> {
  /** null for a fault that chaos never draws. */
  readonly chaos: Chaos<object> | null;
  readonly read: (
    input: unknown,
    path: Path,
    words: SchemaWords,
    mistakes: FileMistakes,
  ) => FaultDraft<Spec>;
}

/** The word itself: it only makes plain data. */
export interface FaultWord<Kind extends string, Input, Spec extends { readonly kind: Kind }> {
  (options: Input): Input & { kind: Kind };
  readonly language: FaultLanguage<Spec>;
}

/** Fields that name things of the cluster. */
export interface FaultTargets<Targets extends Shape> {
  readonly fields: (words: SchemaWords) => Targets;
  readonly check: (
    targets: Output<Targets>,
    surroundings: FaultSurroundings,
    mistakes: FileMistakes,
  ) => void;
}

interface FaultParts<Targets extends Shape, Options extends Shape, Spec, Input> {
  /** Read alone as well, so that names are looked up whatever else is wrong with the fault. */
  readonly targets: FaultTargets<Targets>;
  /** All other fields. */
  readonly options: (words: SchemaWords) => Options;
  /** What the mechanism is given; null after having reported mistakes. */
  readonly resolve: (
    written: Output<Targets> & Output<Options>,
    surroundings: FaultSurroundings,
    mistakes: FileMistakes,
  ) => Spec | null;
  readonly chaos?: Chaos<Input>;
}

export function faultWord<
  Kind extends string,
  Input,
  Spec extends { readonly kind: Kind },
  Targets extends Shape,
  Options extends Shape,
>(kind: Kind, parts: FaultParts<Targets, Options, Spec, Input>): FaultWord<Kind, Input, Spec> {
  const word = (options: Input): Input & { kind: Kind } => ({ ...options, kind });
  return Object.assign(word, { language: languageOf(kind, parts) });
}

function languageOf<Spec, Input, Targets extends Shape, Options extends Shape>(
  kind: string,
  { targets, options, resolve, chaos }: FaultParts<Targets, Options, Spec, Input>,
): FaultLanguage<Spec> {
  return {
    chaos: (chaos as Chaos<object> | undefined) ?? null,
    read(input, path, words, mistakes) {
      const named = targets.fields(words);
      const schema = words.fields(kind, { ...named, ...options(words) });
      // TypeScript does not see through the two shapes put together.
      const written = words.read(schema, input, mistakes, path) as
        (Output<Targets> & Output<Options>) | undefined;
      // Its mistakes have been reported with the whole.
      const names = words.pickQuietly(named, input);
      return {
        path,
        resolve(surroundings, own) {
          if (names !== undefined) targets.check(names, surroundings, own);
          return written === undefined ? null : resolve(written, surroundings, own);
        },
      };
    },
  };
}
