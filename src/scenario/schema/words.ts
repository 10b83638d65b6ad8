/**
 * Every building block of the language's schemas, as one object.
 *
 * Owns: what a member of faults/ gets to describe its fields with. Members only take it as an argument:
 * they also hold words for authors, and a scenario file bundles what those import.
 */
import { ipAddress } from "../manifests/addresses.ts";
import { labelName, labels } from "../manifests/objects.ts";
import { describeValue } from "../mistakes.ts";
import { calls } from "./calling.ts";
import { distribution } from "./distribution.ts";
import { rateProfile } from "./rate.ts";
import * as blocks from "./reading.ts";

/** Labels as an object or as kubectl's -l writes them; all of them must match. */
const selector = blocks.reading<Record<string, string>>((input, context) => {
  if (typeof input !== "string") return context.nested(labels, input);
  const terms = input.split(",").map((term) => /^([^=!]+)==?([^=]*)$/.exec(term.trim()));
  if (terms.some((term) => term === null)) {
    context.mistake([], describeValue(input), 'labels such as "app=nginx,tier=web"');
    return undefined;
  }
  const entries = terms.map(
    (term) => [String(term?.[1]).trim(), String(term?.[2]).trim()] as const,
  );
  return context.nested(labels, Object.fromEntries(entries));
});

export const schemaWords = {
  ...blocks,
  labels,
  labelName,
  selector,
  ipAddress: ipAddress.schema,
  distribution,
  rateProfile,
  calls,
};
export type SchemaWords = typeof schemaWords;
