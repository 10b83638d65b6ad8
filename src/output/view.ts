/**
 * What every format prints of a result, whether of one run or of several replications.
 *
 * Owns: the contract, and the view of one run. Refuses to own: the look (summary-text.ts, formats/).
 */
import type { Table } from "../observe/index.ts";
import { summaryFigures } from "./figures.ts";
import { duration, figureText } from "./format.ts";
import { headline } from "./headline.ts";
import { summarySections, type Section } from "./summary-sections.ts";
import type { Summary } from "./summary.ts";

/** Something that holds or does not, as a test case of CI. */
export interface Case {
  readonly name: string;
  /** null where it holds. */
  readonly failure: string | null;
}

export interface SummaryView {
  readonly scenario: string;
  readonly verdict: "good" | "bad" | "neutral";
  /** The verdict first. */
  readonly sentences: readonly string[];
  readonly title: string;
  readonly sections: readonly Section[];
  /** Short texts that machines compare. */
  readonly fingerprints: readonly (readonly [name: string, value: string])[];
  readonly cases: readonly Case[];
  /** What summary.json holds. */
  readonly data: object;
  readonly figures: Pick<Table, "columns" | "rows">;
}

export function viewOf(summary: Summary): SummaryView {
  const { scenario, seed, durationNs, fingerprints } = summary;
  return {
    scenario,
    ...headline(summary),
    title: `${scenario}, seed ${seed}, ${duration(durationNs)} simulated`,
    sections: summarySections(summary),
    fingerprints: [
      ["events", fingerprints.events],
      ["results", fingerprints.results],
    ],
    cases: [...summary.thresholds.map(thresholdCase), lawCase(summary.brokenLaws)],
    data: summary,
    figures: { columns: ["figure", "value"], rows: [...summaryFigures(summary)] },
  };
}

function thresholdCase({ threshold, passed, figure, unit }: Summary["thresholds"][number]): Case {
  return { name: threshold, failure: passed ? null : figureText(figure, unit) };
}

export function lawCase(brokenLaws: Summary["brokenLaws"]): Case {
  const broken = brokenLaws.map(
    ({ law, entity, atNs, detail }) => `${law}: ${entity} at ${atNs} ns: ${detail}`,
  );
  return { name: "the routing laws hold", failure: broken.length === 0 ? null : broken.join("\n") };
}
