/**
 * Aligned columns of text for a terminal.
 *
 * Owns: widths, alignment and shortening to the terminal's width. Refuses to own: what the cells say.
 */

const gap = 2;

/** The first column is left-aligned, the others right-aligned. Short rows leave the rest blank. */
export type TextRow = readonly string[];

/**
 * Lines of at most `width` characters where the numbers allow it: only the first column is ever
 * shortened, in its middle, as the start and end of a name tell most.
 */
export function alignColumns(rows: readonly TextRow[], width: number): string[] {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => lengthOf(row[column] ?? ""))),
  );
  const others = widths.slice(1).reduce((total, each) => total + gap + each, 0);
  // A row with one cell only is a heading inside the table: it may run over the other columns.
  const firstOfFull = Math.max(
    0,
    ...rows.filter((row) => row.length > 1).map((row) => lengthOf(row[0] ?? "")),
  );
  const first = Math.max(12, Math.min(firstOfFull, width - others));
  return rows.map((row) => {
    if (row.length === 1) return shortened(row[0]!, width);
    const cells = row.slice(1).map((cell, i) => cell.padStart(widths[i + 1]! + gap));
    return (shortened(row[0]!, first).padEnd(first) + cells.join("")).trimEnd();
  });
}

/** `text` in at most `width` characters, an ellipsis standing for what was left out of its middle. */
export function shortened(text: string, width: number): string {
  const characters = Array.from(text);
  if (characters.length <= width) return text;
  const kept = width - 1;
  const head = Math.ceil(kept / 2);
  return `${characters.slice(0, head).join("")}…${characters.slice(characters.length - (kept - head)).join("")}`;
}

/** Breaks a sentence at spaces into lines of at most `width`; a longer word stands alone. */
export function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && lengthOf(last) + 1 + lengthOf(word) <= width) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else {
      lines.push(word);
    }
  }
  return lines;
}

/** `wrapped`, set in by two columns. */
export function indentedText(text: string, width: number): string[] {
  return wrapped(text, width - 2).map((line) => `  ${line}`);
}

function lengthOf(text: string): number {
  return Array.from(text).length;
}
