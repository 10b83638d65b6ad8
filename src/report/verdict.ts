/**
 * The first words of a report: what happened, why requests failed, and what to change.
 *
 * Owns: which pieces of advice stand for all. Refuses to own: the sentences (output/headline.ts) and the advice
 * (inspect/explain/advice.ts).
 */
import { causeInWords, figureText, viewOf, type Summary } from "../output/index.ts";
import type { FailureModel, FigureTable, Verdict } from "./model.ts";

const ADVICE_MAX = 5;

export function verdictOf(summary: Summary, failures: FailureModel): Verdict {
  const { verdict: tone, sentences } = viewOf(summary);
  return {
    tone,
    sentences,
    thresholds: summary.thresholds.map(({ threshold, passed, figure, unit }) => ({
      text: threshold,
      passed,
      figure: figureText(figure, unit),
    })),
    causes: summary.requests.byOutcome.flatMap(({ outcome, count }) =>
      outcome === "served"
        ? []
        : [
            {
              cause: outcome,
              words: causeInWords[outcome],
              count,
              stale: staleOf(failures, outcome),
            },
          ],
    ),
    changes: changesOf(failures),
    lookedAt: failures.request.length,
  };
}

function staleOf({ cause, stale, texts }: FailureModel, name: string): number {
  return cause.filter((each, i) => texts[each] === name && stale[i] === 1).length;
}

/** Settings of one kind differ in their figures: the largest helps most of the requests. */
function changesOf({ advice, advices }: FailureModel): Verdict["changes"] {
  const byKind = new Map<string, { best: number; figure: number; requests: number }>();
  for (const each of advice) {
    for (const place of each) {
      const { setting } = advices[place]!;
      const kind = setting.split(":")[0]!;
      const figure = Number(/\d+/.exec(setting)?.[0] ?? 0);
      const known = byKind.get(kind);
      if (known === undefined) byKind.set(kind, { best: place, figure, requests: 1 });
      else {
        known.requests++;
        if (figure > known.figure) Object.assign(known, { best: place, figure });
      }
    }
  }
  return [...byKind.values()]
    .sort((a, b) => b.requests - a.requests)
    .slice(0, ADVICE_MAX)
    .map(({ best, requests }) => ({ ...advices[best]!, requests }));
}

export function figureTables(summary: Summary): FigureTable[] {
  return viewOf(summary).sections.map(({ title, head, rows, notes = [] }) => ({
    title,
    head,
    rows,
    notes,
  }));
}
