/**
 * Reading a label selector.
 *
 * Owns: its schema, for every kind that has one. Refuses to own: what is selected.
 */
import { z } from "zod";
import type { LabelSelector } from "../../kubernetes/api/types.ts";
import { text, word } from "../schema/reading.ts";
import { labels } from "./objects.ts";

export const selectorSchema: z.ZodType<LabelSelector> = z
  .object({
    matchLabels: labels.optional(),
    matchExpressions: z
      .array(
        z.object({
          key: text("a label key"),
          operator: word("In", "NotIn", "Exists", "DoesNotExist"),
          values: z.array(text("a label value")).optional(),
        }),
      )
      .optional(),
  })
  .transform(({ matchLabels, matchExpressions }) => ({
    matchLabels: matchLabels ?? {},
    matchExpressions: (matchExpressions ?? []).map(({ key, operator, values }) => ({
      key,
      operator,
      values: values ?? [],
    })),
  }));
