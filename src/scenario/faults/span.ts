/** When a fault begins and when it is over: `at` and `for` or `until`, fields of many faults. */
import type { z } from "zod";
import type { Span } from "../../faults/span.ts";
import type { Duration } from "../language/scenario.ts";
import type { FileMistakes } from "../mistakes.ts";
import type { SchemaWords } from "../schema/words.ts";

/** What an author writes. */
export interface SpanInput {
  at: Duration;
  /** How long it lasts. Either this or `until`; with neither it is never repaired. */
  for?: Duration;
  /** When it is over. */
  until?: Duration;
}

interface WrittenSpan {
  readonly at: number;
  readonly for?: number | undefined;
  readonly until?: number | undefined;
}

export const spanFields = ({
  duration,
  positiveDuration,
}: SchemaWords): {
  at: z.ZodType<number>;
  for: z.ZodOptional<z.ZodType<number>>;
  until: z.ZodOptional<z.ZodType<number>>;
} => ({
  at: duration,
  for: positiveDuration.optional(),
  until: positiveDuration.optional(),
});

export function resolveSpan(written: WrittenSpan, mistakes: FileMistakes): Span {
  const { at, for: length, until } = written;
  if (length !== undefined && until !== undefined) {
    mistakes.add([], "both for and until", "one of the two, or neither");
  }
  if (until !== undefined && until <= at) {
    mistakes.add(["until"], "not after `at`", "a time after `at`");
  }
  return { atNs: at, endNs: length === undefined ? (until ?? null) : at + length };
}
