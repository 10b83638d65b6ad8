/**
 * The API reference, built by `npm run docs:api`; a warning is an error.
 *
 * What a fault's word comes to is for the model alone (src/faults), but its type says so: these types are left out on
 * purpose, whichever faults there are.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const src = join(import.meta.dirname, "..", "..", "src");
const specs = readdirSync(join(src, "faults")).flatMap((name) =>
  [
    ...readFileSync(join(src, "faults", name), "utf8").matchAll(/^export interface (\w+Spec)\b/gm),
  ].map(([, spec]) => spec),
);
const entries = [
  "index",
  "engine/index",
  "stats/index",
  "testing/vitest/index",
  "testing/arbitraries/index",
];

export default {
  name: "podstorm",
  entryPoints: entries.map((entry) => join(src, `${entry}.ts`)),
  tsconfig: join(import.meta.dirname, "tsconfig.json"),
  out: join(import.meta.dirname, "..", "..", "results", "api"),
  readme: "none",
  excludeInternal: true,
  excludePrivate: true,
  disableSources: true,
  treatWarningsAsErrors: true,
  treatValidationWarningsAsErrors: true,
  intentionallyNotExported: [
    ...specs,
    "DurationTerm",
    "questions",
    "writers",
    "FaultWord",
    "Options",
    "Override",
    "Profile",
    "faultWords",
  ],
};
