/**
 * Building blocks of schemas: zod, with mistakes in our own terms.
 *
 * Owns: scalars that say what is allowed, objects that name the field that was meant, and the
 * translation of zod's issues. Refuses to own: any field of any document.
 */
import { z } from "zod";
import { us, type DurationNs } from "../../engine/index.ts";
import { describeValue, nearest, type FileMistakes, type Path } from "../mistakes.ts";
import {
  BYTES_ALLOWED,
  CPU_ALLOWED,
  DURATION_ALLOWED,
  parseBytes,
  parseCpuMillis,
  parseDuration,
  type Parsed,
} from "../units.ts";

/** What a custom issue carries to `report`. */
interface Details {
  readonly found: string | null;
  readonly allowed: string;
  readonly suggestion: string | null;
}

export interface ReadingContext {
  /** Reads a part (or the whole) by another schema; undefined after mistakes, which are passed on. */
  nested<T>(schema: z.ZodType<T>, input: unknown): T | undefined;
  /** Reports a mistake at a path below this value. */
  readonly mistake: (path: (string | number)[], found: string, allowed: string) => void;
}

/** A schema from a function that returns undefined after having reported. */
export function reading<T>(
  read: (input: unknown, context: ReadingContext) => T | undefined,
): z.ZodType<T> {
  return z.unknown().transform((input, context): T => {
    const value = read(input, {
      nested(schema, part) {
        const result = schema.safeParse(part, { error: explain });
        if (result.success) return result.data;
        for (const issue of result.error.issues) {
          context.addIssue({ ...issue, input: part } as Parameters<typeof context.addIssue>[0]);
        }
        return undefined;
      },
      mistake(path, found, allowed) {
        addDetails(context, path, { found, allowed, suggestion: null });
      },
    });
    return value === undefined ? z.NEVER : value;
  });
}

/** A value that `parse` understands, or a mistake that says what is allowed. */
export function scalar<T>(
  allowed: string,
  parse: (input: unknown) => Parsed<T> | null,
  suggest: (input: unknown) => string | null = () => null,
): z.ZodType<T> {
  return z.unknown().transform((input, context): T => {
    const parsed = parse(input);
    if (parsed !== null && "value" in parsed) return parsed.value;
    const problem = parsed === null ? null : `${describeValue(input)} (${parsed.problem})`;
    addDetails(context, [], { found: problem, allowed, suggestion: suggest(input) });
    return z.NEVER;
  });
}

function addDetails(context: z.RefinementCtx, path: (string | number)[], details: Details): void {
  context.addIssue({ code: "custom", path, params: { ...details } });
}

export const duration: z.ZodType<DurationNs> = scalar(
  DURATION_ALLOWED,
  (input) => (typeof input === "string" ? parseDuration(input) : null),
  (input) => (typeof input === "number" && input >= 0 ? `"${input}s" or "${input}ms"` : null),
);

/** A duration above zero. */
export const positiveDuration: z.ZodType<DurationNs> = scalar(
  `${DURATION_ALLOWED}, above 0`,
  (input) => {
    if (typeof input !== "string") return null;
    const parsed = parseDuration(input);
    return "value" in parsed && parsed.value === 0 ? null : parsed;
  },
  (input) => (typeof input === "number" && input > 0 ? `"${input}s" or "${input}ms"` : null),
);

const isQuantity = (input: unknown) => typeof input === "string" || typeof input === "number";

export const cpuMillis: z.ZodType<number> = scalar(CPU_ALLOWED, (input) =>
  isQuantity(input) ? parseCpuMillis(input as string | number) : null,
);

export const bytes: z.ZodType<number> = scalar(BYTES_ALLOWED, (input) =>
  isQuantity(input) ? parseBytes(input as string | number) : null,
);

/** Size of a message: above a gibibyte its trains alone would fill the queue of events. */
export const messageBytes: z.ZodType<number> = bytes.refine((size) => size <= 2 ** 30, {
  params: { allowed: `${BYTES_ALLOWED}, at most 1Gi` },
});

/** Time that one try gets: shorter than any network answers, tries would only pile up. */
export const tryTimeout: z.ZodType<DurationNs> = positiveDuration.refine(
  (timeoutNs) => timeoutNs >= us(100),
  { params: { allowed: `${DURATION_ALLOWED}, at least 100us` } },
);

export const boolean: z.ZodType<boolean> = scalar("true or false", (input) =>
  typeof input === "boolean" ? { value: input } : null,
);

export function number(allowed: string, accepts: (n: number) => boolean): z.ZodType<number> {
  return scalar(allowed, (input) =>
    typeof input === "number" && Number.isFinite(input) && accepts(input) ? { value: input } : null,
  );
}

export function integer(what: string, min: number, max: number): z.ZodType<number> {
  return number(
    `${what}: a whole number from ${min} to ${max}`,
    (n) => Number.isInteger(n) && n >= min && n <= max,
  );
}

export function text(allowed: string, pattern?: RegExp, maxLength = 1024): z.ZodType<string> {
  return scalar(allowed, (input) =>
    typeof input === "string" && input.length <= maxLength && (pattern?.test(input) ?? true)
      ? { value: input }
      : null,
  );
}

/** One of a few words. */
export function word<const T extends string>(...words: readonly T[]): z.ZodType<T> {
  return scalar(
    words.map((w) => `"${w}"`).join(", "),
    (input) => (words.includes(input as T) ? { value: input as T } : null),
    (input) => quoted(typeof input === "string" ? nearest(input, words) : null),
  );
}

/** An object with these fields and no other. */
export function object<S extends z.core.$ZodShape>(shape: S) {
  return z.strictObject(shape);
}

/** An object that one of the language's words makes: its kind and these fields. */
export function fields<const K extends string, S extends z.core.$ZodShape>(kind: K, shape: S) {
  return z.strictObject({ kind: z.literal(kind), ...shape });
}

export function list<T extends z.core.SomeType>(item: T, min = 0, max = 100_000) {
  const size = min > 0 ? `a list of at least ${min}` : `a list of at most ${max}`;
  return z
    .array(item)
    .refine((items) => items.length >= min && items.length <= max, { params: { allowed: size } });
}

/** One of several objects, told apart by `kind`. */
export function choice<K extends Readonly<Record<string, z.ZodType>>>(allowed: string, kinds: K) {
  return reading<z.output<K[keyof K]>>((input, context) => {
    const kind = isRecord(input) ? input["kind"] : undefined;
    if (typeof kind !== "string" || !Object.hasOwn(kinds, kind)) {
      context.mistake([], input === undefined ? "missing" : describeValue(input), allowed);
      return undefined;
    }
    return context.nested(kinds[kind] as z.ZodType<z.output<K[keyof K]>>, input);
  });
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Reads `input` by `schema`; undefined after mistakes, which all go to `mistakes`.
 * @param base path of `input` in its document
 */
export function read<T>(
  schema: z.ZodType<T>,
  input: unknown,
  mistakes: FileMistakes,
  base: Path = [],
): T | undefined {
  const result = schema.safeParse(input, { error: explain });
  if (result.success) return result.data;
  for (const issue of result.error.issues) report(issue, input, mistakes, base);
  return undefined;
}

/** A part that has been read already, with its mistakes reported. */
export function quietly<T>(schema: z.ZodType<T>, input: unknown): T | undefined {
  return schema.safeParse(input).data;
}

/** Some fields of an object that has been read already; undefined if one of them is wrong. */
export function pickQuietly<S extends z.core.$ZodShape>(shape: S, input: unknown) {
  return quietly(z.object(shape), isRecord(input) ? input : {});
}

function report(issue: z.core.$ZodIssue, input: unknown, mistakes: FileMistakes, base: Path): void {
  const path = issue.path.filter((part) => typeof part !== "symbol");
  const at = [...base, ...path];
  if (issue.code === "unrecognized_keys") {
    const known = issue.message.split(",");
    for (const key of issue.keys) {
      mistakes.add([...at, key], "unknown field", known.join(", "), nearest(key, known));
    }
    return;
  }
  const value = valueAt(input, path);
  const standing = value === undefined ? "missing" : describeValue(value);
  if (issue.code === "custom") {
    const details = (issue.params ?? {}) as Partial<Details>;
    mistakes.add(
      at,
      details.found ?? standing,
      details.allowed ?? null,
      details.suggestion ?? null,
    );
    return;
  }
  mistakes.add(at, standing, issue.message);
}

/** Our text for zod's own issues. For unknown keys it is the list of the known ones. */
const explain: z.core.$ZodErrorMap = (issue) => {
  const schema = issue.inst as { _zod?: { def?: { shape?: object } } } | undefined;
  switch (issue.code) {
    case "unrecognized_keys":
      return Object.keys(schema?._zod?.def?.shape ?? {})
        .filter((key) => key !== "kind")
        .join(",");
    case "invalid_type":
      return EXPECTED[issue.expected] ?? issue.expected;
    case "invalid_value":
      return issue.values.map((value) => JSON.stringify(value)).join(", ");
    default:
      return issue.code;
  }
};

const EXPECTED: Readonly<Record<string, string>> = {
  object: "an object { ... }",
  record: "an object { ... }",
  array: "a list [ ... ]",
};

function valueAt(input: unknown, path: Path): unknown {
  let value = input;
  for (const part of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, part))
      return undefined;
    value = (value as Record<string | number, unknown>)[part];
  }
  return value;
}

function quoted(value: string | null): string | null {
  return value === null ? null : `"${value}"`;
}
