/** Figures as text, where output/format.ts has no words for them. */

export function percent(share: number): string {
  return `${Number((100 * share).toPrecision(2))} %`;
}
