/**
 * An answer as text, Markdown or JSON.
 *
 * Owns: the order of its parts and its look. Refuses to own: what it says (answer.ts, questions/).
 */
import {
  indentedText,
  jsonText,
  markdownCode,
  markdownSection,
  markdownText,
  printable,
  renderSection,
  styleOf,
  wrapped,
  type Section,
} from "../output/index.ts";
import type { Answer } from "./answer.ts";
import { questions } from "./questions/index.ts";
import { range, value, withRange } from "./words.ts";

export interface AnswerTextOptions {
  readonly width: number;
  readonly colour: boolean;
}

type AnswerFormat = (answer: Answer, options: AnswerTextOptions) => string;

export const answerFormats = {
  table: text,
  json: (answer) => jsonText(answer),
  markdown,
} as const satisfies Readonly<Record<string, AnswerFormat>>;

export type AnswerFormatName = keyof typeof answerFormats;

/** What may be asked, each with its text. */
export function questionList(): string {
  const lines = Object.values(questions).flatMap(({ name, asks }) => [name, `  ${asks}`]);
  const last = "  sim answer QUESTION -f MANIFESTS --deploy NAME --rate N";
  return `${[...lines, "", "Ask one of your cluster, or without -f of a small built-in one:", last].join("\n")}\n`;
}

function text(answer: Answer, { width: columns, colour }: AnswerTextOptions): string {
  const width = Math.max(60, columns);
  const style = styleOf(colour);
  const listed = ([title, items]: readonly [string, readonly string[]]) => [
    "",
    style.bold(title),
    ...items.flatMap((item) => {
      const [first = "", ...rest] = indentedText(printable(item), width - 2);
      return [`  - ${first.trimStart()}`, ...rest.map((line) => `  ${line}`)];
    }),
  ];
  const lines = [
    ...wrapped(printable(answer.sentence), width).map(style.bold),
    "",
    ...wrapped(printable(about(answer)), width).map(style.faint),
    ...sections(answer).flatMap((section) => renderSection(section, width, style)),
    ...lists(answer).flatMap(listed),
    "",
    `Again  ${printable(answer.command)}`,
  ];
  return `${lines.join("\n")}\n`;
}

function markdown(answer: Answer): string {
  const listed = ([title, items]: readonly [string, readonly string[]]) => [
    "",
    `**${markdownText(title)}**`,
    "",
    ...items.map((item) => `- ${markdownText(printable(item))}`),
  ];
  const lines = [
    `**${markdownText(printable(answer.sentence))}**`,
    "",
    markdownText(printable(about(answer))),
    ...sections(answer).flatMap(markdownSection),
    ...lists(answer).flatMap(listed),
    "",
    `Again: ${markdownCode(printable(answer.command))}`,
  ];
  return `${lines.join("\n")}\n`;
}

function about({ asks, source, does, replications, rate, seed }: Answer): string {
  return `${asks} Asked of ${source}, at ${rate} requests/s, seed ${seed}, ${replications} replications of each setting. In each, ${does}.`;
}

function sections(answer: Answer): Section[] {
  const { figures, tables, matters, confidence } = answer;
  const interval = `${Number((confidence * 100).toPrecision(6))} % interval`;
  const [figure] = figures;
  const most = matters.filter(({ isMost }) => isMost);
  const rest = matters.filter(({ isMost }) => !isMost);
  const others = rest.map((each) => `${each.change}: ${withRange(each.figure)}`).join("; ");
  return [
    {
      title: "Figures",
      head: ["mean", interval],
      rows: figures.map((each) => [each.name, value(each), range(each) ?? "-"]),
    },
    ...tables,
    {
      title: `What matters most for: ${figure!.name}`,
      head: [],
      rows: [
        ["as it is", withRange(figure!)],
        ...most.map((each) => [each.change, withRange(each.figure)]),
      ],
      notes: others === "" ? [] : [`Less so: ${others}.`],
    },
  ];
}

function lists({ assumed, unknown }: Answer): (readonly [string, readonly string[]])[] {
  return [
    ["Assumed", assumed],
    ["Not known", unknown],
  ];
}
